"""Messages that python-can makes, and what of them must be found in frames: slow, obvious, one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import strategies as st

from pitwall.bus import pythoncan
from pitwall.bus.pythoncan import can
from pitwall.frames import Flag, Frames, in_log_order

STARTED_AT_S = 1_631_416_514
FD_LENGTHS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 20, 24, 32, 48, 64]
FORMATS = ("candump", "asc", "blf", "mf4", "trc", "csv", "db")
SUFFIX = dict(zip(FORMATS, (".log", ".asc", ".blf", ".mf4", ".trc", ".csv", ".db"), strict=True))
HOLDS = {
    "candump": {"remote", "error", "fd", "tx", "buses"},
    "asc": {"remote", "error", "fd", "tx", "buses"},
    "blf": {"remote", "error", "fd", "tx", "buses"},
    "mf4": {"remote", "error", "fd", "tx", "buses"},
    "trc": {"tx", "buses"},
    "csv": {"remote", "error"},
    "db": {"remote", "error"},
}


@dataclass(frozen=True)
class Heard:
    """A frame as anybody would note it."""

    t_us: int  # since the first
    bus: str
    id: int
    extended: bool
    remote: bool
    error: bool
    fd: bool
    brs: bool
    esi: bool
    tx: bool
    length: int
    data: bytes


@st.composite
def messages(draw: st.DrawFn, holds: set[str], *, least: int = 1, most: int = 12) -> list[can.Message]:
    """Messages in the order of their times, of the kinds that a format holds, on whole microseconds."""
    kinds = ["data"] + [kind for kind in ("remote", "error", "fd") if kind in holds]
    t_us = STARTED_AT_S * 1_000_000 + draw(st.integers(0, 999_999))
    made = []
    for _ in range(draw(st.integers(least, most))):
        t_us += draw(st.sampled_from([0, 1, 7, 999, 1_000_000, 3_600_000_000]))
        made.append(_message(draw, draw(st.sampled_from(kinds)), t_us / 1e6, holds))
    return made


def _message(draw: st.DrawFn, kind: str, timestamp: float, holds: set[str]) -> can.Message:
    extended = draw(st.booleans())
    number = draw(st.integers(0, 0x1FFFFFFF if extended else 0x7FF))
    channel = draw(st.sampled_from([0, 1, 7])) if "buses" in holds else None
    common = {
        "timestamp": timestamp,
        "arbitration_id": number,
        "is_extended_id": extended,
        "channel": channel,
        "is_rx": not ("tx" in holds and draw(st.booleans())),
    }
    if kind == "error":
        return can.Message(timestamp=timestamp, channel=channel, is_error_frame=True)
    if kind == "remote":
        return can.Message(**common, is_remote_frame=True, dlc=draw(st.integers(0, 8)))
    length = draw(st.sampled_from(FD_LENGTHS if kind == "fd" else range(9)))
    data = draw(st.binary(min_size=length, max_size=length))
    if kind == "fd":
        return can.Message(
            **common,
            data=data,
            is_fd=True,
            bitrate_switch=draw(st.booleans()),
            error_state_indicator=draw(st.booleans()),
        )
    return can.Message(**common, data=data)


def heard_by_python_can(found: Sequence[can.Message], *, first_channel: int = 0) -> list[Heard]:
    """The same messages, noted; in the order of their times."""
    if not found:
        return []
    first = min(message.timestamp for message in found)
    noted = []
    for message in found:
        channel = message.channel - first_channel if isinstance(message.channel, int) else message.channel
        error = message.is_error_frame
        noted.append(
            Heard(
                t_us=round((message.timestamp - first) * 1e6),
                bus="can0" if channel is None else f"can{channel}" if isinstance(channel, int) else channel,
                id=message.arbitration_id,
                extended=message.is_extended_id and not error,
                remote=message.is_remote_frame and not message.is_fd,
                error=error,
                fd=message.is_fd and not error,
                brs=message.bitrate_switch,
                esi=message.error_state_indicator,
                tx=not message.is_rx,
                length=message.dlc,
                data=bytes(message.data),
            )
        )
    return sorted(noted, key=lambda one: one.t_us)


def heard_in(rows: Frames, buses: Sequence[str]) -> list[Heard]:
    """The frames of `rows`, noted."""
    rows = in_log_order(rows)
    noted = []
    for i in range(len(rows)):
        flags = int(rows.flags[i])
        remote = bool(flags & Flag.REMOTE)
        length = int(rows.len[i])
        whole = rows.data[i].tobytes() + (rows.more[i].as_py() if rows.more is not None else b"")
        noted.append(
            Heard(
                t_us=round(int(rows.t[i]) / 1000),
                bus=buses[rows.bus[i]],
                id=int(rows.id[i]),
                extended=bool(flags & Flag.EXTENDED),
                remote=remote,
                error=bool(flags & Flag.ERROR),
                fd=bool(flags & Flag.FD),
                brs=bool(flags & Flag.BRS),
                esi=bool(flags & Flag.ESI),
                tx=bool(flags & Flag.TX),
                length=length,
                data=b"" if remote else whole[:length],
            )
        )
        assert not any(whole[0 if remote else length :]), "padded with zeros"
    return noted


def written_by_python_can(path: Path, found: Sequence[can.Message]) -> Path:
    """A capture file as python-can's own logger writes it."""
    logger = pythoncan.mf4().MF4Writer(str(path)) if path.suffix == ".mf4" else can.Logger(str(path))
    with logger:
        for message in found:
            logger(message)
    return path


def read_by_python_can(path: Path) -> list[can.Message]:
    reader = pythoncan.mf4().MF4Reader(str(path)) if path.suffix == ".mf4" else can.LogReader(str(path))
    with reader:
        return list(reader)
