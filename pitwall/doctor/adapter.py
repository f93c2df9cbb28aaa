"""A CAN adapter: what its firmware answers to `V`, and whether it only listens.

Nothing is sent onto a bus: a serial line is asked for its version with the channel closed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from pitwall.doctor.check import Finding, failed, ok, skipped, warning
from pitwall.doctor.machine import Machine
from pitwall.doctor.wired import Wired
from pitwall.errors import PitwallError

CANABLE_1: Final = "canable-fw"
"""In what CANable 1's own firmware answers to `V`: where it comes from (canable-fw, src/slcan.c)."""


def firmware(wired: Wired, ask: Callable[[Path], bytes] | None = None) -> Finding:
    """What the adapter answers to `V`, where it speaks SLCAN over a serial line."""
    path = wired.plug().node if wired.address.scheme == "slcan" else None
    if path is None:
        return skipped("only SLCAN on a serial line can be asked")
    if not path.exists():
        return skipped(f"{path} is not there")
    said = (ask or version)(path)
    text = said.replace(b"\a", b"").decode("ascii", "replace").strip("\r\n ")
    if not text:
        return warning(f"{path} answers nothing to V", "is it an SLCAN adapter? Unplug it, plug it in, try again")
    if CANABLE_1 in text:
        return warning(
            f"{text}: CANable 1's SLCAN drops frames under load and tells nobody",
            "flash candleLight: it has a queue and hardware times (INSTALL.md)",
        )
    return ok(text.replace("\r", " "))


def version(path: Path) -> bytes:
    """What a serial device answers to `V` with its channel closed; b"" for nothing.  Raises PitwallError."""
    from pitwall.bus import bytestream, slcan_firmware

    try:
        stream = bytestream.serial(str(path))
        try:
            return slcan_firmware.version(stream)
        finally:
            stream.close()
    except PitwallError as error:
        raise PitwallError(f"can't be asked: {error.what}", where=path, hint="is it a serial device?") from error


def silent(wired: Wired, machine: Machine) -> Finding:
    """Whether the adapter only listens, neither acknowledging frames nor sending error flags."""
    if wired.address.scheme == "socketcan":
        said = machine.run("ip", "-details", "link", "show", wired.address.place)
        if said is None:
            return failed(f"there is no {wired.address.place}", "plug the adapter in; deploy/systemd brings it up")
        if "LISTEN-ONLY" in said:
            return ok(f"{wired.address.place} only listens")
        advice = f"sudo ip link set {wired.address.place} type can listen-only on, or pitwall-can@.service"
        return warning(f"{wired.address.place} acknowledges what it hears", advice)
    if wired.listens_only:
        return ok("pitwall tells it to listen only")
    return warning(f"can't tell for python-can's {wired.address.scheme}", "see its manual: a logger should only listen")
