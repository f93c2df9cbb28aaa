"""A CAN adapter: is its node there and ours, what does its firmware answer, does it listen only, are frames heard.

Nothing is ever sent onto a bus: the serial line is asked for its version with the channel closed, and another bitrate
is tried only with adapters that can be told to listen.
"""

from __future__ import annotations

import os
import re
import select
import stat
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pitwall.bus.address import Address, Settings, plug
from pitwall.bus.source import Cause, Plug
from pitwall.doctor.check import Finding, failed, ok, skipped, warning
from pitwall.doctor.machine import Machine
from pitwall.errors import PitwallError
from pitwall.frames import Flag

LISTEN_S: Final = 2.0
TRY_S: Final = 1.0
ENOUGH: Final = 5
"""Frames that are no chance: at a wrong bitrate hardly one has a right CRC."""
BITRATES: Final = (500_000, 1_000_000, 250_000, 125_000, 800_000, 100_000, 50_000, 20_000, 10_000)
"""In the order in which cars and loggers use them; those that SLCAN has a letter for."""
USB: Final = "/sys/bus/usb/devices"
ADAPTERS: Final = ("1d50:606f", "1209:2323", "ad50:60c4", "16d0:117e")
"""Those that the udev rule names: candleLight, and CANable's two SLCAN firmwares."""
NODES: Final = ("ttyACM*", "ttyUSB*", "pitwall-*", "serial/by-id/*")
VERSION_S: Final = 0.5
CANABLE_1: Final = "canable-fw"
"""In what CANable 1's own firmware answers to `V`: where it comes from (canable-fw, src/slcan.c)."""


@dataclass(frozen=True, slots=True)
class Wired:
    """One bus of the car, as it is to be heard."""

    bus: str
    address: Address
    settings: Settings

    def plug(self, bitrate: int | None = None) -> Plug:
        """What it is opened from; never to send."""
        settings = replace(self.settings, sends=False, bitrate=bitrate or self.bitrate)
        options = {name: value for name, value in self.address.options.items() if name != "bitrate"}
        return plug(replace(self.address, options=options), settings, time.monotonic_ns())

    @property
    def handed(self) -> bool:
        """Whether only the recorder gets it: by descriptor, from whoever may open it."""
        return self.address.place == "handed"

    @property
    def bitrate(self) -> int | None:
        """Bits/s; None: the adapter's own.  What the address says is nearer than what the car does."""
        said = self.address.options.get("bitrate", "")
        return int(said) if said.isdecimal() else self.settings.bitrate


def node(wired: Wired, machine: Machine, devices: Path = Path("/dev")) -> Finding:
    """Whether the device's node is there, and may be used."""
    if wired.handed:
        return _listed(machine)
    if wired.address.scheme in ("usb", "gs_usb"):
        return _usb(wired, machine, devices)
    path = wired.plug().node
    if path is None:
        return skipped(f"{wired.address.scheme} has no device node")
    if not path.exists():
        there = [str(one) for pattern in NODES for one in sorted(devices.glob(pattern))]
        hint = f"there are: {', '.join(there[:4])}" if there else "plug it in; `dmesg` says whether the kernel sees it"
        return failed(f"{path} is not there", hint)
    return _ours(path)


def _ours(path: Path) -> Finding:
    if not os.access(path, os.R_OK | os.W_OK):
        found = path.stat()
        group = _group(found.st_gid)
        return failed(
            f"{path} is not yours to use ({group}, {stat.filemode(found.st_mode)})",
            f"sudo usermod -aG {group} $USER and log in again, or deploy/systemd/install.sh --udev",
        )
    return ok(f"{path} is there, and yours to use")


def _usb(wired: Wired, machine: Machine, devices: Path) -> Finding:
    """The node of a USB device that is opened without a driver: `bus/usb/<bus>/<number>`, as the kernel counts them."""
    named = re.fullmatch(r"([0-9a-f]{4}:[0-9a-f]{4})", wired.address.place.lower())
    wanted = {named[1]} if named else set(ADAPTERS)
    for name in machine.entries(USB):
        said = [machine.read(f"{USB}/{name}/{file}") or "" for file in ("idVendor", "idProduct", "busnum", "devnum")]
        ids, numbers = ":".join(said[:2]), said[2:]
        if ids in wanted and all(number.isdecimal() for number in numbers):
            found = _ours(devices / "bus" / "usb" / f"{int(numbers[0]):03}" / f"{int(numbers[1]):03}")
            return replace(found, said=f"{ids}: {found.said}")
    if not machine.entries(USB):
        return skipped("this system does not tell what is plugged in")
    return failed(
        f"none of {', '.join(sorted(wanted))} is plugged in", "`lsusb` says what is; usb:1d50:606f names another"
    )


def _listed(machine: Machine) -> Finding:
    """What Android says is plugged in, to be handed over."""
    said = machine.run("termux-usb", "-l")
    if said is None:
        hint = "pkg install termux-api, open the Termux:API app once; battery: Unrestricted for it"
        return failed("termux-usb does not answer, so no adapter can be handed over", hint)
    there = [word.strip('[]", ') for word in said.split() if "/dev/" in word]
    if not there:
        return failed("nothing is plugged into this phone, says Android", "plug it in; does the phone give USB power?")
    return ok(
        f"plugged in: {', '.join(there)}", "the service pitwall-usb hands it over, once Android's dialog is allowed"
    )


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
    import termios
    import tty

    try:
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise PitwallError(f"can't be opened: {(error.strerror or str(error)).lower()}", where=path) from error
    try:
        # raw before the first byte: a line that echoes would send the adapter's own frames back as commands
        tty.setraw(fd, termios.TCSANOW)
        # no empty line before it: CANable 2 then repeats what it sent last
        os.write(fd, b"C\r")
        _gathered(fd, VERSION_S / 2)  # the rest of what was open, and the answer to C
        os.write(fd, b"V\r")
        return _gathered(fd, VERSION_S)
    except (OSError, termios.error) as error:
        raise PitwallError(f"can't be asked: {error}", where=path, hint="is it a serial device?") from error
    finally:
        os.close(fd)


def _gathered(fd: int, within_s: float) -> bytes:
    """What comes until a line is whole, `within_s` at most."""
    end, said = time.monotonic() + within_s, b""
    while (left := end - time.monotonic()) > 0 and len(said) < 4096 and not said.endswith((b"\r", b"\a")):
        if select.select([fd], [], [], left)[0]:
            got = os.read(fd, 256)
            if not got:
                break
            said += got
    return said


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
    if listens_only(wired):
        return ok("pitwall tells it to listen only")
    return warning(f"can't tell for python-can's {wired.address.scheme}", "see its manual: a logger should only listen")


def listens_only(wired: Wired) -> bool:
    """Whether the source is one of ours, which open an adapter for listening alone."""
    from pitwall.bus.address import SCHEMES

    return wired.address.scheme in SCHEMES


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
    if not find_bitrate:
        hint = "ignition on? CAN-H and CAN-L not swapped? --find-bitrate tries other bitrates, only listening"
        return warning(nothing, hint)
    if not listens_only(wired):
        hint = "at a wrong bitrate it would disturb the bus; give a source of pitwall's own, as slcan:/dev/ttyACM0"
        return failed(f"{nothing}; python-can's {wired.address.scheme} can't be made to only listen", hint)
    return _found(wired, nothing, listen)


def _found(wired: Wired, nothing: str, listen: Callable[..., Heard]) -> Finding:
    for bitrate in BITRATES:
        if bitrate == wired.bitrate:
            continue
        now = listen(wired, TRY_S, bitrate)
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


def _group(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
