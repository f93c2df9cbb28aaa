"""Text captures in, frames out, and back: python-can's .csv, Vector's .asc, PEAK's .trc.

python-can reads and writes them.  What is here keeps its readers going over damage (they stop at what they don't
understand, or pass over it in silence), and its writers from losing what the format could hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from pitwall.bus.lines import Lines, messages
from pitwall.bus.message import numbers, to_messages, unix_seconds
from pitwall.bus.pythoncan import can
from pitwall.bus.reading import Reading, Stamps, batches
from pitwall.errors import UsageError
from pitwall.frames import Frames

# ---------------------------------------------------------------------------------------------------------------------
# .csv: python-can's own, with a header

CSV_HEADER = "timestamp,arbitration_id,extended,remote,error,dlc,data\n"


def read_csv(reading: Reading) -> Iterator[Frames]:
    def silent(line: str) -> bool:
        return not line.strip() or line.startswith("timestamp,")

    # the last column tells how long it must be, so that only a line that was cut before it is taken for whole
    lines = Lines(reading.path, reading.losses, silent=silent, whole=lambda line: line.count(",") == 6)
    lines.again(CSV_HEADER)  # python-can skips the first line, whatever it is
    with closing(lines):
        reader = can.CSVReader(lines)  # type: ignore[arg-type]  # iterated and closed, nothing else
        yield from batches(messages(reader, lines, CSV_HEADER), reading, Stamps(), lines=lines)


def write_csv(path: Path, rows: Iterable[Frames], started_at_ns: int, buses: Sequence[str]) -> None:
    with can.CSVWriter(path) as writer:
        for batch in rows:
            for message in to_messages(batch, unix_seconds(batch, started_at_ns), buses):
                writer(message)


# ---------------------------------------------------------------------------------------------------------------------
# .asc: Vector's text log

ASC_HEADER = re.compile(
    r"\s*(//|date\s|base\s|(no\s+)?internal\s+events|begin\s+triggerblock|end\s+triggerblock|$)", re.IGNORECASE
)
ASC_DATE = re.compile(r"\s*(?:date|begin\s+triggerblock)\s+\w+\s+(?P<date>.+)", re.IGNORECASE)
ASC_EVENT = re.compile(r"\s*\d+\.\d+\s")
ASC_FRAME = re.compile(
    r"(?!.*J1939TP).*\s[RT]x\s+[dr]\s"
    r"|\s*\d+\.\d+\s+(CAN(FD|XL)\b|\d*\s*$|\d+\s+([0-9A-F]+x?|ErrorFrame)(\s|$))",
    re.IGNORECASE,
)
"""What was meant to be a frame, whole or not."""
ASC_DATA = re.compile(r"\s[RT]x\s+d\s+", re.IGNORECASE)
ASC_BYTES = re.compile(r"([0-9a-f])((?:\s+[0-9a-f]{2}(?!\S)){0,8})(?!.*\s[RT]x\s)", re.IGNORECASE)
"""What follows `ASC_DATA`: how many bytes, and the bytes; no second frame in the same line."""
COUNTED_BYTES = re.compile(r".*\s(?P<dlc>[0-8])(?P<data>(?:\s+[0-9A-Fa-f]{2})*)\s*")
"""How a line of a classic frame ends in .asc and .trc: how many bytes, and the bytes."""


def _counts(line: str) -> bool:
    """Whether a line ends in as many bytes as it announces."""
    match = COUNTED_BYTES.fullmatch(line)
    return match is not None and len(match["data"].split()) == int(match["dlc"])


def read_asc(reading: Reading) -> Iterator[Frames]:
    def silent(line: str) -> bool:
        return bool(ASC_HEADER.match(line) or (ASC_EVENT.match(line) and not ASC_FRAME.match(line)))

    def seen(line: str) -> str | None:
        if match := ASC_DATE.match(line):
            try:
                # python-can's reader would stop at a date that it can't read
                can.ASCReader._datetime_to_timestamp(match["date"].strip())
            except ValueError:
                return "// a date that can't be read\n"
        elif reader.base == "hex" and (match := ASC_DATA.search(line)):
            # python-can's reader takes half a byte for a byte, and does not mind what follows the last
            match = ASC_BYTES.match(line, match.end())
            return line if match and len(match[2].split()) == min(int(match[1], 16), 8) else None
        return line

    lines = Lines(reading.path, reading.losses, silent=silent, whole=_counts, seen=seen)
    with closing(lines):
        reader = can.ASCReader(lines, relative_timestamp=False)  # type: ignore[arg-type]  # as above
        for batch in batches(messages(reader, lines, "internal events logged\n"), reading, Stamps(), lines=lines):
            if reader.timestamps_format == "relative":
                what = "each of its times counts from the event before it ('timestamps relative')"
                raise UsageError(what, where=reading.losses.path, hint="save it with absolute timestamps")
            yield batch


def write_asc(path: Path, rows: Iterable[Frames], started_at_ns: int, buses: Sequence[str]) -> None:
    with can.ASCWriter(path) as writer:
        # python-can writes the milliseconds of the start without leading zeros: begin at a whole second instead
        writer.log_event("Start of measurement", float(started_at_ns // 1_000_000_000))
        for batch in rows:
            for message in to_messages(batch, unix_seconds(batch, started_at_ns), numbers(buses)):
                writer(message)


# ---------------------------------------------------------------------------------------------------------------------
# .trc: PEAK's text log

TRC_STATUS = re.compile(r"\s*\d+\)?\s+[\d.]+\s+(?:\d+\s+)?(?:Warng|Info|ST|EC|EV)\b|.*\sFFFFFFFF\s")

TRC_CLASSIC = re.compile(r"\s*\d+\)?\s+[\d.]+\s+(?:DT|(?:\d+\s+)?[RT]x)\s(?!.*RTR)")


def read_trc(reading: Reading) -> Iterator[Frames]:
    def silent(line: str) -> bool:
        return not line.strip() or line.startswith(";") or TRC_STATUS.match(line) is not None

    def seen(line: str) -> str | None:
        # python-can's reader does not mind half a byte, nor what follows the last
        return None if TRC_CLASSIC.match(line) and not _counts(line) else line

    lines = Lines(reading.path, reading.losses, silent=silent, whole=_counts, seen=seen)
    with closing(lines):
        reader = can.TRCReader(lines)  # type: ignore[arg-type]  # as above
        frames = messages(reader, lines, ";\n")
        yield from batches(frames, reading, Stamps(), lines=lines, first_channel=1)


def write_trc(path: Path, rows: Iterable[Frames], started_at_ns: int, buses: Sequence[str]) -> None:
    with can.TRCWriter(path) as writer:
        for batch in rows:
            for message in to_messages(batch, unix_seconds(batch, started_at_ns), numbers(buses)):
                writer(message)
