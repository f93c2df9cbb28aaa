"""Raw frames by id, of what is recorded and of what was: a real log, followed by a real server."""

from __future__ import annotations

import numpy as np
import pytest

from pitwall.bus.simulator import simulate
from pitwall.decode.traffic import MAX_IDS
from pitwall.frames import Flag, Frames, cut, frames
from pitwall.log import Writer
from tests.serve.test_live import CAR, STARTED_AT_NS, begin, following, status, until, write


@pytest.fixture(scope="module")
def drive() -> Frames:
    """The first minute or so of a simulated drive."""
    return cut(next(iter(simulate(seed=5).frames())), 0, 20_000)


def unknown(t: list[int], data: list[bytes], id: int = 0x7A1, flags: int = 0) -> Frames:
    payload = np.frombuffer(b"".join(one.ljust(8, b"\0") for one in data), np.uint8).reshape(-1, 8)
    return frames(0, t=t, id=np.full(len(t), id), data=payload, len=[len(one) for one in data], flags=flags)


def of_id(answer: dict, id: int) -> dict:
    (found,) = [one for one in answer["frames"] if one["id"] == id]
    return found


def test_live_frames_are_counted_from_the_beginning_whether_a_dbc_knows_them_or_not(tmp_path, drive) -> None:
    with following(tmp_path) as (stand, _):
        writer = begin(tmp_path / "logs")
        write(writer, drive, 0, 9_000)
        last = int(drive.t[8_999])
        writer.append(unknown([last + 1, last + 2, last + 3], [b"\x01\x02", b"\x01\x06", b"\x81\x06"]))
        writer.sync()
        until(lambda: status(stand)["projection"]["offset"] == 9_004)
        answer = stand.json("/session/_live/frames")
        assert (answer["session"], answer["live"], answer["t_from"]) == (writer.session, True, 0)
        assert sum(one["count"] for one in answer["frames"]) == 9_003
        known = of_id(answer, int(drive.id[0]))
        mine = np.flatnonzero(drive.id[:9_000] == drive.id[0])
        assert known["count"] == len(mine)
        assert known["data"] == drive.data[mine[-1]].tobytes().hex()
        assert known["message"] is not None
        assert known["bus"] == "dash"
        ours = of_id(answer, 0x7A1)
        assert ours["message"] is None
        assert (ours["id_hex"], ours["len"], ours["data"], ours["count"]) == ("7A1", 2, "8106", 3)
        assert ours["changed_ever"] == "8004"
        assert ours["age_s"] >= 0
        writer.close()


def test_an_id_that_went_quiet_ages_while_nothing_comes(tmp_path, drive) -> None:
    with following(tmp_path) as (stand, _):
        writer = begin(tmp_path / "logs")
        write(writer, drive, 0, 1_000)
        until(lambda: status(stand)["projection"]["offset"] == 1_001)
        first = stand.json("/session/_live/frames")
        until(lambda: stand.json("/session/_live/frames")["t"] > first["t"] + 50_000_000)
        again = stand.json("/session/_live/frames")
        assert [one["count"] for one in again["frames"]] == [one["count"] for one in first["frames"]]
        assert again["frames"][0]["age_s"] > first["frames"][0]["age_s"]
        writer.close()


def test_of_a_past_session_they_are_those_before_its_end_or_before_any_time(tmp_path, drive) -> None:
    with following(tmp_path) as (stand, _):
        writer = begin(tmp_path / "logs")
        write(writer, drive, 0, 20_000, step=400)
        writer.end(int(drive.t[-1]))
        until(lambda: status(stand)["live"]["state"] == "ended")
        path = f"/session/{writer.session}/frames"
        whole = stand.json(f"{path}?window_s=600")
        assert (whole["live"], whole["t_from"], whole["t"]) == (False, 0, int(drive.t[-1]))
        assert sum(one["count"] for one in whole["frames"]) == 20_000
        last = stand.json(path)
        assert last["t"] - last["t_from"] == 10 * 10**9
        assert sum(one["count"] for one in last["frames"]) == int((drive.t >= last["t_from"]).sum())
        end, second = last["t"], (last["t"] // 10**9 - 9) * 10**9
        rates = {one["id"]: one["rate_hz"] for one in last["frames"]}
        for id in np.unique(drive.id[drive.t >= last["t_from"]]).tolist():
            count = int(((drive.id == id) & (drive.t >= second)).sum())
            assert rates[id] == pytest.approx(count / (end - second) * 1e9, abs=0.01)
        t = int(drive.t[7_000])
        then = stand.json(f"{path}?t={t}&window_s=1")
        inside = (drive.t <= t) & (drive.t >= t - 10**9)
        assert sum(one["count"] for one in then["frames"]) == int(inside.sum())
        newest = {int(id): i for i, id in enumerate(drive.id[inside])}
        at = np.flatnonzero(inside)
        shown = {one["id"]: (one["data"], one["t"]) for one in then["frames"]}
        assert shown == {id: (drive.data[at[i]].tobytes().hex(), int(drive.t[at[i]])) for id, i in newest.items()}
        assert stand.json(f"{path}?t=-5")["t"] == 0
        assert stand.json(f"{path}?window_s=601", expect=400)["detail"].startswith("window_s=601")


def test_what_is_no_plain_frame_says_what_it_is(tmp_path) -> None:
    writer = Writer.create(tmp_path / "logs", car=CAR, buses=["dash"], started_at_ns=STARTED_AT_NS)
    writer.append(unknown([1], [b"\x01"], 0x18DAF110, int(Flag.EXTENDED | Flag.TX)))
    writer.append(unknown([2], [b"\0" * 4], 0x123, int(Flag.REMOTE)))
    writer.append(unknown([3], [b"\0" * 8], 4, int(Flag.ERROR)))
    writer.end(4)
    with following(tmp_path) as (stand, _):
        answer = stand.json(f"/session/{writer.session}/frames")
    sent, remote, error = (of_id(answer, id) for id in (0x18DAF110, 0x123, 4))
    assert (sent["id_hex"], sent["extended"], sent["sent"]) == ("18DAF110", True, True)
    assert (remote["remote"], remote["len"], remote["data"]) == (True, 4, "")
    assert (error["error"], error["message"]) == (True, None)


def test_ids_without_end_are_left_out_and_counted(tmp_path) -> None:
    writer = begin(tmp_path / "logs")
    n = MAX_IDS + 50
    writer.append(frames(0, t=np.arange(n), id=np.arange(n), flags=1, data=np.zeros((n, 8), np.uint8)))
    writer.end(n)
    with following(tmp_path) as (stand, _):
        answer = stand.json(f"/session/{writer.session}/frames")
    assert (len(answer["frames"]), answer["left_out"]) == (MAX_IDS, 50)


def test_a_damaged_log_gives_what_is_left_and_says_so(tmp_path, drive) -> None:
    writer = begin(tmp_path / "logs")
    write(writer, drive, 0, 9_000, step=300)
    writer.end(int(drive.t[8_999]))
    (segment,) = writer.path.glob("*.arrow")
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 0xFF
    segment.write_bytes(data)
    with following(tmp_path) as (stand, _):
        answer = stand.json(f"/session/{writer.session}/frames?window_s=600")
    assert answer["damages"] == 1
