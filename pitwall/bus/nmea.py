"""Bytes in, the fixes that NMEA 0183 sentences say out: RMC, GGA, GSA, VTG and ZDA of any talker.

Laws: any cut of the bytes gives the same.  A sentence counts only with its checksum, whole or not at all; what is no
sentence, or says what can't be, is counted and told with its line.  What a receiver has no value for is absent: an
empty field, a position while it says that it has none.  The sentences of one UTC time are one epoch, in which what
comes first holds (GGA repeats RMC's position).  Each sentence gives its values at once, so that a live source waits
for nothing.  Pure: no clock, no files.

    $GPRMC,170132.16,A,2824.64924,N,08122.75702,W,0.042,,231125,,,A*6C     time, status, position, knots, course, date
    $GPGGA,170132.16,2824.64924,N,08122.75702,W,1,04,4.27,47.8,M,-29.2,M,,*5A
                                  time, position, quality, satellites, HDOP, altitude, geoid separation
    $GPGSA,A,3,04,05,,09,12,,,24,,,,,2.5,1.3,2.1*39                        dimensions, satellites, PDOP, HDOP, VDOP
    $GPVTG,054.7,T,034.4,M,005.5,N,010.2,K,A*25                            course, speed in knots and in km/h
    $GPZDA,201530.00,04,07,2002,00,00*60                                   time, day, month, year

Source: NMEA 0183, as u-blox' and SiRF's protocol manuals describe it.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from pitwall.bus.gps import KNOTS_MPS

SENTENCE: Final = re.compile(rb"\$([A-Z0-9]{3,8})((?:,[^*$]*)?)\*([0-9A-Fa-f]{2})(?![0-9A-Fa-f])")
"""The standard says 82 characters; a phone's log puts words of its own before and behind."""

LINE_BYTES: Final = 1024
"""The longest line that is looked at: what is longer is no NMEA, and is counted once."""

DAY_NS: Final = 86_400 * 1_000_000_000
NUMBER: Final = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)")
TIME: Final = re.compile(r"(\d{2})(\d{2})(\d{2})(?:\.(\d{1,9})\d*)?")
ANGLE: Final = re.compile(r"(\d{2,3})(\d{2}(?:\.\d*)?)")

Told = Callable[[int, str], None]
"""Told the line (from 1) of what is no sentence or says what can't be, and why."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What one sentence adds to the fix of its time.

    time_ns: of the day, UTC.  unix_ns: with the date; None while no sentence has said one.
    values: by the names of the shipped DBC, in its units (deg, m, m/s).  line: where it stands, from 1.
    """

    time_ns: int
    unix_ns: int | None
    values: dict[str, float]
    line: int = 0


@dataclass
class Nmea:
    """Folds a receiver's bytes.  sentences: whole ones, understood or of another kind.  malformed: what was none."""

    told: Told = lambda _line, _what: None
    sentences: int = 0
    malformed: int = 0
    line: int = 0
    _rest: bytes = b""
    _skipping: bool = False
    _day_ns: int | None = None  # unix time of the midnight before the epoch
    _time_ns: int | None = None  # of the epoch
    _given: set[str] = field(default_factory=set)

    def feed(self, data: bytes) -> list[Fix]:
        """The next bytes, cut anywhere; what their whole lines say."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        fixes = [fix for line in lines for fix in self._line(line)]
        if len(self._rest) > LINE_BYTES:
            self._rest, self._skipping = self._rest[:LINE_BYTES], True
        return fixes

    def close(self) -> list[Fix]:
        """No more bytes will come: what the last line says, if it is whole."""
        if not self._rest:
            return []
        line, self._rest = self._rest, b""
        return self._line(line)

    def _line(self, raw: bytes) -> list[Fix]:
        self.line += 1
        too_long, self._skipping = self._skipping or len(raw) > LINE_BYTES, False
        if too_long:
            self._wrong(f"a line of more than {LINE_BYTES} bytes")
            return []
        found = list(SENTENCE.finditer(raw))
        if raw.count(b"$") > len(found) or (not found and raw.strip(b"\r \t\0")):
            self._wrong("a sentence is cut off by another" if found else "no sentence with a checksum")
        return [fix for match in found if (fix := self._sentence(*match.groups())) is not None]

    def _sentence(self, name: bytes, body: bytes, said: bytes) -> Fix | None:
        if _checksum(name + body) != int(said, 16):
            self._wrong(f"its checksum is wrong: {_checksum(name + body):02X}, and it says {said.decode()}")
            return None
        self.sentences += 1
        kind = name[-3:].decode() if len(name) == 5 and name[:1] != b"P" else ""  # $P…: a maker's own
        if kind not in _READERS:
            return None
        try:
            return _READERS[kind](self, body.decode("latin-1").split(",")[1:])
        except IndexError:
            self._wrong(f"{name.decode()} ends too soon")
            return None
        except ValueError as error:
            self._wrong(f"{name.decode()} says what can't be: {error}")
            return None

    def _wrong(self, what: str) -> None:
        self.malformed += 1
        self.told(self.line, what)

    # what each sentence says; ValueError or IndexError where it can't be

    def _rmc(self, fields: list[str]) -> Fix | None:
        time_ns, valid = _time(fields[0]), fields[1] == "A"
        # before it has a fix, a receiver may say the day on which its clock began
        day_ns = _date(fields[8]) if fields[8] and valid else None
        values: dict[str, float] = (
            {} if not valid else {**_position(fields[2:6]), **_speed(fields[6]), **_heading(fields[7])}
        )
        return self._at(time_ns, values, day_ns)

    def _gga(self, fields: list[str]) -> Fix | None:
        time_ns, quality = _time(fields[0]), _number("fix", fields[5])
        values = quality | (_position(fields[1:5]) if quality.get("fix") else {})
        values |= _number("satellites", fields[6]) | _number("hdop", fields[7])
        if quality.get("fix"):
            values |= _number("altitude", fields[8]) | _number("geoid_separation", fields[10])
        return self._at(time_ns, values)

    def _gsa(self, fields: list[str]) -> Fix | None:
        values = _number("fix_type", fields[1])
        values |= _number("pdop", fields[14]) | _number("hdop", fields[15]) | _number("vdop", fields[16])
        return self._at(self._time_ns, values)

    def _vtg(self, fields: list[str]) -> Fix | None:
        speed = _speed(fields[4])
        if not speed and fields[6]:
            speed = {"speed": float(_checked(fields[6])) / 3.6}
        return self._at(self._time_ns, _heading(fields[0]) | speed)

    def _zda(self, fields: list[str]) -> Fix | None:
        time_ns = _time(fields[0])
        day_ns = _unix_day(int(fields[3]), int(fields[2]), int(fields[1])) if fields[3] else None
        return self._at(time_ns, {}, day_ns)

    def _at(self, time_ns: int | None, values: dict[str, float], day_ns: int | None = None) -> Fix | None:
        """The values that are new in the epoch of that time, which begins where the time is another.

        A sentence without a time belongs to the epoch of the one before.  day_ns: where the sentence says its date.
        """
        if time_ns is None:
            return None
        if time_ns != self._time_ns:
            if self._time_ns is not None and self._day_ns is not None and self._time_ns - time_ns > DAY_NS // 2:
                self._day_ns += DAY_NS  # midnight has passed, and no date was said since
            self._time_ns, self._given = time_ns, set()
        if day_ns is not None:
            self._day_ns = day_ns
        new = {name: value for name, value in values.items() if name not in self._given}
        self._given |= new.keys()
        unix_ns = None if self._day_ns is None else self._day_ns + time_ns
        return Fix(time_ns, unix_ns, new, self.line) if new or day_ns is not None else None


_READERS: Final[dict[str, Callable[[Nmea, list[str]], Fix | None]]] = {
    "RMC": Nmea._rmc,
    "GGA": Nmea._gga,
    "GSA": Nmea._gsa,
    "VTG": Nmea._vtg,
    "ZDA": Nmea._zda,
}


def _checksum(body: bytes) -> int:
    """All bytes between $ and *, exclusive or."""
    sum = 0
    for byte in body:
        sum ^= byte
    return sum


def _checked(text: str) -> str:
    if not NUMBER.fullmatch(text.strip()):
        raise ValueError(f"{text!r} is no number")
    return text


def _number(name: str, text: str) -> dict[str, float]:
    return {name: float(_checked(text))} if text.strip() else {}


def _speed(knots: str) -> dict[str, float]:
    return {name: value * KNOTS_MPS for name, value in _number("speed", knots).items()}


def _heading(text: str) -> dict[str, float]:
    return _number("heading", text)


def _time(text: str) -> int | None:
    """hhmmss.sss as ns of the day; None where it is empty."""
    if not text:
        return None
    match = TIME.fullmatch(text)
    if match is None or int(match[1]) > 23 or int(match[2]) > 59 or int(match[3]) > 60:
        raise ValueError(f"{text!r} is no time")
    seconds = int(match[1]) * 3600 + int(match[2]) * 60 + int(match[3])
    return seconds * 1_000_000_000 + int((match[4] or "0").ljust(9, "0"))


def _date(text: str) -> int:
    """ddmmyy as unix ns of its midnight; two digits of a year are 1980 to 2079."""
    if not re.fullmatch(r"\d{6}", text):
        raise ValueError(f"{text!r} is no date")
    year = int(text[4:])
    return _unix_day(year + (2000 if year < 80 else 1900), int(text[2:4]), int(text[:2]))


def _unix_day(year: int, month: int, day: int) -> int:
    if not (1980 <= year < 2200 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]):
        raise ValueError(f"there is no {year}-{month:02}-{day:02}")
    return calendar.timegm((year, month, day, 0, 0, 0)) * 1_000_000_000


def _position(fields: Sequence[str]) -> dict[str, float]:
    """lat and lon in degrees of ddmm.mmm, N or S, dddmm.mmm, E or W; both or none."""
    if not fields[0] and not fields[2]:
        return {}
    lat = _degrees(fields[0], fields[1], "NS", 90)
    lon = _degrees(fields[2], fields[3], "EW", 180)
    return {"lat": lat, "lon": lon}


def _degrees(text: str, side: str, sides: str, most: int) -> float:
    match = ANGLE.fullmatch(text)
    if match is None or len(side) != 1 or side not in sides:
        raise ValueError(f"{text!r} {side!r} is no position")
    degrees = int(match[1]) + float(match[2]) / 60
    if float(match[2]) >= 60 or degrees > most:
        raise ValueError(f"{text!r} {side!r} is no position")
    return degrees if side == sides[0] else -degrees
