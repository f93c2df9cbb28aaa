"""Python and its packages: which Python runs pitwall, what is missing, and what that costs."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from typing import Final

from pitwall.doctor.check import Finding, failed, ok, warning
from pitwall.doctor.machine import Machine

OLDEST: Final = (3, 11)

RECORDING: Final = {"numpy": "numpy", "pyarrow": "pyarrow", "can": "python-can", "yaml": "pyyaml", "click": "click"}
"""What recording needs: module -> package."""

SERVING: Final = {
    "duckdb": "duckdb",
    "sanic": "sanic",
    "orjson": "orjson",
    "msgspec": "msgspec",
    "cantools": "cantools",
    "isotp": "can-isotp",
    "pint": "pint",
    "watchfiles": "watchfiles",
}
"""What projecting and serving need besides."""

OPTIONAL: Final = {
    "serial": ("pyserial", "python-can's serial adapters"),
    "usb1": ("libusb1", "adapters by USB descriptor"),
    "cryptography": ("cryptography", "encryption at rest"),
    "asammdf": ("asammdf", "MF4 captures"),
}
"""What may be missing: module -> package, and what can't be done without it."""


def find(module: str) -> object:
    """Where the module would be imported from; None where it can't be."""
    try:
        return importlib.util.find_spec(module)
    except ImportError:
        return None


def python(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    """The Python that runs this."""
    shown = ".".join(map(str, version))
    if version < OLDEST:
        return failed(f"{shown} is too old", f"pitwall needs {'.'.join(map(str, OLDEST))} or newer")
    return ok(f"{shown} on {sys.platform}")


def recording(find: Callable[[str], object] = find) -> Finding:
    """The packages without which nothing is recorded."""
    lacking = _lacking(RECORDING, find)
    if not lacking:
        return ok("all that recording needs is here")
    return failed(f"missing: {', '.join(lacking)}: nothing can be recorded", f"pip install {' '.join(lacking)}")


def serving(machine: Machine, find: Callable[[str], object] = find) -> Finding:
    """The packages without which there is no page, no SQL and no decoding."""
    lacking = _lacking(SERVING, find)
    if not lacking:
        return ok("all that the page and SQL need is here")
    said = f"missing: {', '.join(lacking)}: records, but no page and no SQL here"
    if machine.is_android:
        return warning(said, "deploy/termux/install.sh puts the server in a Debian beside it")
    return warning(said, "pip install 'pitwall[server]'")


def optional(find: Callable[[str], object] = find) -> Finding:
    """The packages that some can do without."""
    lacking = [f"{package} ({cost})" for module, (package, cost) in OPTIONAL.items() if find(module) is None]
    if not lacking:
        return ok("everything optional is here")
    return ok(f"not here: {', '.join(lacking)}", "pip install what you want to use")


def _lacking(modules: dict[str, str], find: Callable[[str], object]) -> list[str]:
    return [package for module, package in modules.items() if find(module) is None]
