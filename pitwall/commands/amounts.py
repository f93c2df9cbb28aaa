"""How long and how much, as people say it: `30d`, `12h`, `5GB` in; seconds and bytes out."""

from __future__ import annotations

import re
from typing import Final

import click

_SPANS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_SIZES: Final = {
    "B": 1,
    **{f"{p}B": 1000**i for i, p in enumerate("kMGT", 1)},
    **{f"{p}iB": 1024**i for i, p in enumerate("KMGT", 1)},
}
_AMOUNT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]+)")


def span(text: str) -> float:
    """`90s`, `30m`, `12h`, `30d`, `2w`, in seconds."""
    return _amount(text, _SPANS, "time", "30d, 12h, 45m")


def amount(text: str) -> int:
    """`500MB`, `5GB`, `1.5TB`, `4GiB`, in bytes."""
    return round(_amount(text, _SIZES, "size", "5GB, 500MB, 4GiB"))


def _amount(text: str, units: dict[str, int], what: str, such_as: str) -> float:
    match = _AMOUNT.fullmatch(str(text).strip())
    known = {unit.lower(): factor for unit, factor in units.items()}
    if match is None or match[2].lower() not in known:
        raise click.BadParameter(f"{text!r} is no {what}: give a number and its unit, such as {such_as}")
    return float(match[1]) * known[match[2].lower()]
