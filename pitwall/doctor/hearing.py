"""Whether frames are heard at the car's bitrate, and, where that is asked for, at which else.

Nothing is ever sent onto a bus: another bitrate is tried only with sources that open an adapter for listening alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pitwall.bus.source import Cause
from pitwall.doctor.check import Finding, failed, ok, skipped, warning
from pitwall.doctor.wired import Wired
from pitwall.errors import UsageError
from pitwall.frames import Flag

LISTEN_S: Final = 2.0
TRY_S: Final = 1.0
ENOUGH: Final = 5
"""Frames that are no chance: at a wrong bitrate hardly one has a right CRC."""
RECEIVERS: Final = ("nmea", "ubx", "sensorserver")
"""Sources that hear no CAN bus, and have no bitrate."""
BITRATES: Final = (500_000, 1_000_000, 250_000, 125_000, 800_000, 100_000, 50_000, 20_000, 10_000)
"""In the order in which cars and loggers use them; those that SLCAN has a letter for."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard in a while: frames, how many ids, error frames, and what the source refused or lost, by cause."""

    frames: int
    ids: int
    errors: int
    counted: Mapping[Cause, int]


def listen(wired: Wired, within_s: float, bitrate: int | None = None) -> Heard:
    """Opens the bus and hears it for so long.  Raises PitwallError where it can't be opened, or is lost."""
    source = wired.plug(bitrate).open()
    try:
        frames, errors, ids = 0, 0, set[int]()
        end = time.monotonic() + within_s
        while (left := end - time.monotonic()) > 0:
            got = source.read(min(left, 0.1))
            if got is None:
                break
            wrong = (got.flags & Flag.ERROR) != 0
            right = ~wrong & ((got.flags & Flag.CONTROL) == 0)
            frames, errors = frames + int(right.sum()), errors + int(wrong.sum())
            ids |= set(got.id[right].tolist())
        return Heard(frames, len(ids), errors, source.counted())
    finally:
        source.close()


def heard(wired: Wired, *, find_bitrate: bool, listen: Callable[..., Heard] = listen) -> Finding:
    """Whether frames come at the car's bitrate; and at which else, where that is asked for."""
    if wired.handed:
        return skipped("only a recorder is handed the adapter", "/health says what it hears")
    path = wired.plug().node
    if path is not None and not path.exists():
        return skipped(f"{path} is not there")
    now = listen(wired, LISTEN_S)
    rate = f"at {_rate(wired.bitrate)}" if wired.bitrate else "at the adapter's own bitrate"
    refused = sum(now.counted.values())
    if now.frames:
        said = f"{now.frames / LISTEN_S:,.0f} frames/s of {now.ids} ids {rate}"
        if now.errors or refused:
            wrong = f"{now.errors} error frames, {refused} refused or lost"
            return warning(f"{said}, but {wrong}", "look at the wiring, the ground and the 120 ohm at both ends")
        return ok(said)
    nothing = f"no frame in {LISTEN_S:g} s {rate}" + (f", {now.errors} error frames" if now.errors else "")
    if wired.address.scheme in RECEIVERS:
        return warning(f"nothing in {LISTEN_S:g} s", "is it switched on, does it see the sky, and is the place right?")
    if not find_bitrate:
        hint = "ignition on? CAN-H and CAN-L not swapped? --find-bitrate tries other bitrates, only listening"
        return warning(nothing, hint)
    if not wired.listens_only:
        hint = "at a wrong bitrate it would disturb the bus; give a source of pitwall's own, as slcan:/dev/ttyACM0"
        return failed(f"{nothing}; python-can's {wired.address.scheme} can't be made to only listen", hint)
    return _found(wired, nothing, listen)


def _found(wired: Wired, nothing: str, listen: Callable[..., Heard]) -> Finding:
    for bitrate in BITRATES:
        if bitrate == wired.bitrate:
            continue
        try:
            now = listen(wired, TRY_S, bitrate)
        except UsageError:  # one that this adapter can't be set to
            continue
        if now.frames >= ENOUGH and not now.errors:
            said = f"{nothing}; {now.frames / TRY_S:,.0f} frames/s at {_rate(bitrate)}"
            return failed(said, f"set bitrate: {bitrate} of the bus {wired.bus} in car.yaml, or --bitrate {bitrate}")
    return warning(
        f"{nothing}, nor at any other bitrate", "ignition on? CAN-H and CAN-L not swapped? The right two pins?"
    )


def limit_s(*, find_bitrate: bool) -> float:
    """How long hearing may take: opening an adapter takes seconds with some drivers."""
    return LISTEN_S + 8 + (len(BITRATES) * (TRY_S + 3) if find_bitrate else 0)


def _rate(bitrate: int | None) -> str:
    return f"{(bitrate or 0) / 1000:g} kbit/s"
