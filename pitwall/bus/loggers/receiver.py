"""A file of NMEA 0183 sentences in, frames of the bus `gps` out; what they say is `pitwall.bus.nmea`'s.

Sentences before the first that says a date are of the day that it says; where none does, the file has no date.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

from pitwall.bus.gps import fact_row, named_frames
from pitwall.bus.nmea import DAY_NS, Fix, Nmea
from pitwall.bus.reading import Reading
from pitwall.frames import LOGGER_BUS, Control, Frames

CHUNK_BYTES = 1 << 16


def read(reading: Reading) -> Iterator[Frames]:
    """The values of the sentences; one that is damaged is a loss."""
    nmea = Nmea(lambda line, what: reading.losses.add(what, line))
    fixes: list[Fix] = []
    with reading.path.open("rb") as file:
        for chunk in iter(partial(file.read, CHUNK_BYTES), b""):
            fixes += nmea.feed(chunk)
            reading.progress(file.tell())
    fixes += nmea.close()
    rows = list(_timed(fixes))
    if not rows:
        return
    bus = reading.buses[LOGGER_BUS]
    said = {
        "file": reading.losses.path.name,
        "format": "nmea",
        "sentences": nmea.sentences,
        "malformed": nmea.malformed,
    }
    yield fact_row(Control.LOGGER, min(t for t, _ in rows), said, bus=bus)
    yield named_frames(rows, bus=bus)


def _timed(fixes: list[Fix]) -> Iterator[tuple[int, dict[str, float]]]:
    """Each fix at its unix time, or where no sentence says a date, since the first midnight."""
    dated = next((fix for fix in fixes if fix.unix_ns is not None), None)
    day_ns = before_ns = 0
    if dated is not None and dated.unix_ns is not None:
        day_ns = dated.unix_ns - dated.time_ns
        # the clock may have passed midnight between the first sentence and the one that says the date
        until = fixes[: fixes.index(dated) + 1]
        day_ns -= DAY_NS * sum(a.time_ns - b.time_ns > DAY_NS // 2 for a, b in pairwise(until))
    for fix in fixes:
        if fix.unix_ns is None:
            day_ns += DAY_NS if before_ns - fix.time_ns > DAY_NS // 2 else 0
            before_ns = fix.time_ns
        at_ns = day_ns + fix.time_ns if fix.unix_ns is None else fix.unix_ns
        if fix.values:
            yield at_ns, fix.values
