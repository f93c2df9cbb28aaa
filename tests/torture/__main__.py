"""`make torture`: everything that tries to break the log, at length; one line a figure, and the seed that repeats it.

    python -m tests.torture [PART…] [--scale S] [--seed N]      scale 1 is the full size: hours for all, minutes for one

A part is a module of this folder with `torture(scale, seed)`, which yields its figures as lines and raises
AssertionError where the log did not keep its word.  The others are still run then; exit code 1.
"""

from __future__ import annotations

import argparse
import importlib
import secrets
import sys
import textwrap
import time
import traceback
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Final

PARTS: Final = (
    "kills",
    "stops",
    "crash_states",
    "failing_io",
    "machine",
    "damage",
    "folders",
    "tailing",
    "power",
    "full_disk",
    "projections",
    "edits",
    "unplugged",
)
WIDTH: Final = 80


def run(part: str, scale: float, seed: int) -> Iterator[str]:
    """The figures of one part.  Raises AssertionError at a violation."""
    module = importlib.import_module(f"tests.torture.{part}")
    yield from module.torture(scale, seed)


def lines(text: str) -> str:
    """A figure's line, folded where it is wider than a terminal."""
    return textwrap.fill(text, WIDTH, initial_indent="  ", subsequent_indent="      ", break_long_words=False)


def tell(part: str, scale: float, seed: int) -> bool:
    """Run one part and print what it gives; whether the log kept its word."""
    print(part, flush=True)
    began = time.monotonic()
    try:
        for line in run(part, scale, seed):
            print(lines(line), flush=True)
    except Exception:
        traceback.print_exc(file=sys.stdout)
        print(lines(f'VIOLATED; again: make torture ARGS="{part} --scale {scale:g} --seed {seed}"'), flush=True)
        return False
    print(lines(f"kept, in {time.monotonic() - began:.0f} s"), flush=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description="Tries to break the log, at length.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(PARTS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="1 is the full size")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31), help="by default another each time")
    arguments = parser.parse_args()
    parts = arguments.parts or [part for part in PARTS if find_spec(f"tests.torture.{part}")]
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]!r}")
    print(f"seed {arguments.seed}, scale {arguments.scale:g}")
    kept = [tell(part, arguments.scale, arguments.seed) for part in parts]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
