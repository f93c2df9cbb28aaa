"""What a capture holds, told of and made a car: one that loads, in which every bit that moved is somewhere once."""

from __future__ import annotations

from pathlib import Path

import cantools
import numpy as np
import pytest
from hypothesis import given, settings

from pitwall.bus.capture import read_capture
from pitwall.car import Car, load, skeleton
from pitwall.car.checksums import METHODS
from pitwall.car.observed import Counter, Seen, observed
from pitwall.decode import plan
from pitwall.frames import Flag, Frames
from tests.captures import CAPTURES, needs_captures
from tests.strategies import log, logs

X, FD, TX = int(Flag.EXTENDED), int(Flag.FD), int(Flag.TX)


def seen(*payloads: bytes) -> Seen:
    """What is seen of one id that sends `payloads`."""
    (found,) = observed(log([(0, 0x123, 0, payload) for payload in payloads], step_ns=10_000_000))
    return found


def made(folder: Path, frames: Frames, buses: tuple[str, ...]) -> tuple[Car, tuple[skeleton.Line, ...]]:
    """The car of a skeleton, loaded from the files that it consists of."""
    lines = skeleton.lines(buses, observed(frames))
    texts = skeleton.files("new", lines, made_from='a "capture".log', span_s=1.5, schema=True)
    (folder / "new").mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / "new" / name).write_text(text)
    return load(folder, "new"), lines


IDS = [(0, 1, 0), (0, 1, X), (0, 0x18FEF100, X), (1, 1, 0), (1, 0x7FF, FD), (2, 5, TX), (0, 0, 0)]
BUSES = ("can0", "CAN-0", "sent")


@settings(max_examples=60, deadline=None)
@given(frames=logs(IDS, longest=64, min_size=1, max_size=40))
def test_every_bit_that_moved_is_in_one_signal_of_a_car_that_loads(
    tmp_path_factory: pytest.TempPathFactory, frames: Frames
) -> None:
    heard = {
        (int(b), int(i), bool(f & X)) for b, i, f in zip(frames.bus, frames.id, frames.flags, strict=True) if not f & TX
    }
    if not heard:
        assert observed(frames) == []
        return
    car, lines = made(tmp_path_factory.mktemp("cars"), frames, BUSES)
    assert car.notes == ()
    assert {(BUSES.index(line.captured), each.id, each.extended) for line in lines for each in line.seen} == heard
    for line in lines:
        cantools.database.load_file(car.folder / line.dbc, strict=True)
        bus = car.bus(line.name)
        assert bus is not None
        for each, message in zip(line.seen, bus.messages, strict=True):
            assert (message.id, message.extended, message.length) == (each.id, each.extended, each.length)
            bits = [signal.start + bit for signal in message.signals for bit in range(signal.length)]
            assert len(bits) == len(set(bits))
            moved = {8 * i + bit for i, byte in enumerate(each.bytes) for bit in range(8) if byte.moved >> bit & 1}
            assert moved <= set(bits)
            assert all(byte.moved for byte in (each.bytes[signal.start // 8] for signal in message.signals))


def test_what_is_seen_of_a_byte_is_what_its_frames_hold() -> None:
    rows = log([(0, 7, 0, payload) for payload in (b"\x01\x80", b"\x01\x81\x05", b"\x01\x83\x05\x09")])
    (found,) = observed(rows)
    assert found.lengths == (2, 3, 4)
    assert [(byte.lowest, byte.highest, byte.values, byte.moved) for byte in found.bytes] == [
        (1, 1, 1, 0),
        (0x80, 0x83, 3, 0b11),
        (5, 5, 1, 0),
        (9, 9, 1, 0),
    ]


@pytest.mark.parametrize(("longest", "count"), [(12, 3), (64, 50)])
def test_the_bytes_of_a_long_frame_are_seen_as_they_are(longest: int, count: int) -> None:
    rng = np.random.default_rng(3)
    payloads = [rng.integers(0, 256, longest if i % 2 else 8, dtype=np.uint8).tobytes() for i in range(count)]
    (found,) = observed(log([(0, 7, FD, payload) for payload in payloads]))
    for place, byte in enumerate(found.bytes):
        held = [payload[place] for payload in payloads if len(payload) > place]
        assert (byte.lowest, byte.highest, byte.values) == (min(held), max(held), len(set(held)))


@pytest.mark.parametrize(("first", "bits", "modulo"), [(0, 8, 256), (0, 4, 16), (4, 4, 16), (0, 4, 15), (6, 2, 4)])
def test_a_counter_is_found_though_frames_are_lost(first: int, bits: int, modulo: int) -> None:
    noise = np.random.default_rng(1).integers(0, 256, 600).tolist()
    mask = (2**bits - 1) << first
    payloads = [bytes([noise[n], (n % modulo) << first | noise[n] & ~mask & 0xFF, 0]) for n in range(600) if n % 40]
    assert seen(*payloads).counters == (Counter(1, first, bits, modulo),)


def test_what_only_rises_or_jumps_or_toggles_is_no_counter() -> None:
    rng = np.random.default_rng(2)
    rising = [n // 4 for n in range(600)]
    for values in (rising, [n % 2 for n in range(600)], rng.integers(0, 256, 600).tolist(), list(range(100))):
        assert seen(*(bytes([value % 256]) for value in values)).counters == ()


@pytest.mark.parametrize("method", [method for method in METHODS if not method.startswith("crc16")])
@pytest.mark.parametrize("place", [0, 6])
def test_a_checksum_is_found_whatever_else_goes_into_it(method: str, place: int) -> None:
    rng = np.random.default_rng(5)
    payload = rng.integers(0, 256, (200, 7), dtype=np.uint8)
    payload[:, 3] = 0x40
    others = [payload[:, i] for i in range(7) if i != place]
    payload[:, place] = METHODS[method]([0x12, 0x03, *others], 200) & 0xFF
    found = seen(*(row.tobytes() for row in payload)).checksum
    assert found is not None
    assert found.before is not None
    if method != "xor8":
        assert np.array_equal(METHODS[method]([*found.before, *others], 200) & 0xFF, payload[:, place])
    # an exclusive or is the same from every byte's view
    assert (found.byte, found.method) == (6 if method == "xor8" else place, method)


def checked(folder: Path) -> Car:
    """The car of a skeleton whose comment about counters and checksums is none any more."""
    path = folder / "new" / "car.yaml"
    path.write_text(path.read_text().replace("    # messages:", "    messages:").replace("    #   x", "      x"))
    return load(folder, "new")


def test_what_looks_like_a_counter_and_a_checksum_is_checked_once_the_comment_is_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    payload = rng.integers(0, 256, (300, 6), dtype=np.uint8)
    payload[:, 1] = np.arange(300) % 15
    payload[:, 5] = METHODS["crc8-sae-j1850"]([0x5A, *payload[:, :5].T], 300)
    payload[200, 2] ^= 1  # damaged on its way
    rows = log([(bus, 0x40, 0, row.tobytes()) for row in payload for bus in (0, 1)])
    _, lines = made(tmp_path, rows, ("hs", "ms"))
    assert lines[0].seen[0].checksum is None, "one frame that is wrong, and nothing is claimed"
    rows = log([(bus, 0x40, 0, row.tobytes()) for row in payload if row is not payload[200] for bus in (0, 1)][:400])
    made(tmp_path, rows, ("hs", "ms"))
    text = (tmp_path / "new" / "car.yaml").read_text()
    assert "#   x040: {counter: {signal: hs_x040_counter, modulo: 15}, checksum: {signal: hs_x040_checksum, " in text
    car = checked(tmp_path)
    decoding = plan(car, ["hs", "ms"]).decode(log([(0, 0x40, 0, row.tobytes()) for row in payload]))
    (decoded,) = decoding.messages
    assert all(np.flatnonzero(np.isnan(values)).tolist() == [200] for values in decoded.values.values())
    assert [each.at for each in decoding.rejected] == [200]


def test_bytes_that_follow_no_rule_are_no_checksum() -> None:
    rng = np.random.default_rng(6)
    assert seen(*(row.tobytes() for row in rng.integers(0, 256, (500, 8), dtype=np.uint8))).checksum is None
    alike = rng.integers(0, 256, 500).tolist()
    assert seen(*(bytes([1, n, n]) for n in alike)).checksum is None


def test_a_cycle_is_one_where_frames_come_steadily() -> None:
    steady = observed(log([(0, 1, 0, b"")] * 50, step_ns=20_000_000))[0]
    assert (steady.cycle_ms, steady.rate_hz) == (20, pytest.approx(50))
    t = np.cumsum(np.random.default_rng(1).exponential(2e7, 50)).astype(np.int64)
    now_and_then = log([(0, 1, 0, b"")] * 50)
    now_and_then.t[:] = t
    assert observed(now_and_then)[0].cycle_ms is None
    once = observed(log([(0, 1, 0, b"\x01")]))[0]
    assert (once.frames, once.rate_hz, once.cycle_ms) == (1, None, None)


def test_a_j1939_id_is_taken_apart_as_sae_says() -> None:
    """0x0CF00400: electronic engine controller 1, group 61444, from the engine; 0x18EA00F9 asks the engine."""
    texts = {
        each.id: " ".join(skeleton.told(each))
        for each in observed(log([(0, 0x0CF00400, X, b""), (0, 0x18EA00F9, X, b"")]))
    }
    assert "group 61444 (0xF004) from 0x00, priority 3" in texts[0x0CF00400]
    assert "group 59904 (0xEA00) from 0xF9 to 0x00, priority 6" in texts[0x18EA00F9]


def test_who_answers_obd2_is_told_of_and_no_j1939() -> None:
    ids = {0x7E8: 0, 0x7EF: 0, 0x18DAF110: X, 0x7F0: 0, 0x18DA10F1: X, 0x18DAF0: X}
    told = {one.id: " ".join(skeleton.told(one)) for one in observed(log([(0, i, f, b"") for i, f in ids.items()]))}
    assert {id for id, words in told.items() if "OBD-II" in words} == {0x7E8, 0x7EF, 0x18DAF110}
    assert not any("OBD-II" in words and "J1939" in words for words in told.values())
    assert told[0x7E8].startswith("1 frame, 0 bytes. ")


@pytest.mark.parametrize("names", [("CAN 1", "CAN_1"), ("no", "1"), ("", "bus"), ("ä: {", 'a"\\'), ("a", "A")])
def test_a_bus_may_be_called_anything(tmp_path: Path, names: tuple[str, str]) -> None:
    car, lines = made(tmp_path, log([(0, 1, 0, b"\x00"), (1, 1, 0, b"\x00"), (0, 1, 0, b"\x01")]), names)
    assert [line.captured for line in lines] == list(names)
    assert [bus.name for bus in car.buses] == [line.name for line in lines]
    for bus, captured in zip(car.buses, names, strict=True):
        assert captured in (bus.name, bus.channel, "")


@needs_captures
def test_a_real_capture_gives_the_counters_that_its_makers_know_and_bytes_as_they_are(tmp_path: Path) -> None:
    """Engine messages 0x140 and 0x141 of such cars: the first has a counter in the lowest bits of byte 1."""
    capture = read_capture(CAPTURES / "wrx" / "wrx.log")
    car, lines = made(tmp_path, capture.frames, capture.buses)
    assert sum(len(line.seen) for line in lines) == 35
    (engine,) = [each for each in lines[0].seen if each.id == 0x140]
    assert engine.counters == (Counter(1, 0, 4, 16),)
    assert engine.cycle_ms == 10
    rows = capture.frames
    for decoded in plan(car, capture.buses).decode(rows).messages:
        payload = rows.data[rows.id == decoded.message.id]
        for signal in decoded.message.signals:
            bits = payload[:, signal.start // 8] >> signal.start % 8 & 2**signal.length - 1
            assert decoded.values[signal.name].tolist() == bits.tolist()
    assert sum(len(each.counters) for each in lines[0].seen) > 10
    assert list(plan(checked(tmp_path), capture.buses).decode(rows).rejected) == []
