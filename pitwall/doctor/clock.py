"""The clock on the wall: whether its year makes sense, and whether anybody sets it.

A log's times are a monotonic clock's, and right whatever this one says; a session's name and date are not.
"""

from __future__ import annotations

import datetime
from typing import Final

from pitwall.doctor.check import Finding, failed, ok, warning
from pitwall.doctor.machine import Machine

BUILT: Final = datetime.datetime(2025, 11, 1, tzinfo=datetime.UTC)
"""No clock that is right can be before this: pitwall was not written then."""
LAST_YEAR: Final = 2060

SYNCED: Final = "/run/systemd/timesync/synchronized"


def clock(machine: Machine) -> Finding:
    """Whether a session's date will be true."""
    now = datetime.datetime.fromtimestamp(machine.now_s(), datetime.UTC)
    shown = now.strftime("%Y-%m-%d %H:%M UTC")
    if now < BUILT or now.year > LAST_YEAR:
        return failed(
            f"it says {shown}, which can't be", "set it: sessions are named by it (a Pi has no clock battery)"
        )
    if machine.is_android:
        return ok(f"{shown}; the phone sets it by network and GPS")
    said = machine.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if said == "yes" or machine.read(SYNCED) is not None:
        return ok(f"{shown}, set by NTP")
    if tracking := machine.run("chronyc", "-c", "tracking"):
        if tracking.split(",")[-1] == "Normal":
            return ok(f"{shown}, set by chrony")
        return warning(f"{shown}; chrony has not set it yet", "wait for the network, or a GPS")
    if said == "no":
        return warning(
            f"{shown}, set by nobody", "timedatectl set-ntp true, and a network at least once after power-on"
        )
    return warning(f"{shown}; can't tell whether anybody sets it", "compare it with a watch before you drive")
