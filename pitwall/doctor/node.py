"""The device node of an adapter: is it there, and may we use it; a USB device by its ids, a phone by Android's list."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import replace
from pathlib import Path
from typing import Final

from pitwall.doctor.check import Finding, failed, ok, skipped
from pitwall.doctor.machine import Machine
from pitwall.doctor.wired import Wired

USB: Final = "/sys/bus/usb/devices"
NODES: Final = ("ttyACM*", "ttyUSB*", "pitwall-*", "serial/by-id/*")


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
    from pitwall.bus.usb import GS_USB, SLCAN  # late: only who has such an adapter needs it

    named = re.fullmatch(r"([0-9a-f]{4}:[0-9a-f]{4})", wired.address.place.lower())
    wanted = {named[1]} if named else {f"{vendor:04x}:{product:04x}" for vendor, product in (*GS_USB, *SLCAN)}
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
    if not machine.is_android:
        return skipped("whoever opens the device hands it over", "pitwall hand-over --fd N")
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


def _group(number: int) -> str:
    import grp

    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
