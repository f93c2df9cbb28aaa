"""`make bench`: every `bench()` of tests/bench/bench_*.py in turn, one line a result, beside its peer and its goal.

    python -m tests.bench [--json] [NAME…]      NAME: only the files whose name holds it

Figures are of this machine at this moment; a ratio is of one run, on the same input.  Exit code 1 where a goal is
missed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from tests.bench.result import Result

FOLDER = Path(__file__).parent
NAME_WIDTH = 29
HEAD = f"{'':{NAME_WIDTH}} {'ours':>7} {'':8} {'peer':>7} {'ratio':>6} {'goal':>9}"


def results(names: list[str]) -> Iterator[Result]:
    """The results of the benchmarks whose file's name holds one of `names` (of all where there are none)."""
    for file in sorted(FOLDER.glob("bench_*.py")):
        if not names or any(name in file.stem for name in names):
            yield from importlib.import_module(f"tests.bench.{file.stem}").bench()


def ratio(result: Result) -> float | None:
    """How many times better ours is than the peer's."""
    if not result.peer or not result.ours:
        return None
    return result.peer / result.ours if result.less_is_better else result.ours / result.peer


def met(result: Result) -> bool | None:
    """Whether the goal is reached; None where there is none."""
    figure = ratio(result) if result.goal_is_ratio else result.ours
    if result.goal is None or figure is None:
        return None
    return figure <= result.goal if result.less_is_better and not result.goal_is_ratio else figure >= result.goal


def lines(result: Result) -> Iterator[str]:
    """The result as it is printed, 80 columns wide: the figures, then the peer's name and the note."""
    times = ratio(result)
    columns = (
        f"{figure(result.ours):>7}",
        f"{result.unit:8}",
        f"{figure(result.peer):>7}",
        f"{figure(times) + 'x' if times else '':>6}",
        f"{goal(result):>9}",
        {True: " met", False: " MISSED", None: ""}[met(result)],
    )
    name = result.name
    if len(name) > NAME_WIDTH:
        yield name
        name = ""
    yield f"{name:{NAME_WIDTH}} " + " ".join(columns).rstrip()
    about = "; ".join(filter(None, (f"peer: {result.peer_name}" if result.peer_name else "", result.note)))
    yield from textwrap.wrap(about, 80, initial_indent="    ", subsequent_indent="    ")


def goal(result: Result) -> str:
    if result.goal is None:
        return ""
    sign = "<=" if result.less_is_better and not result.goal_is_ratio else ">="
    return f"{sign} {figure(result.goal)}{'x' if result.goal_is_ratio else ''}"


def figure(value: float | None) -> str:
    """Four digits that count: `2.31 M`, `81.2 k`, `3.54`."""
    if value is None:
        return ""
    for scale, letter in ((1e9, " G"), (1e6, " M"), (1e4, " k")):
        if abs(value) >= scale:
            return f"{value / (1e3 if letter == ' k' else scale):.3g}{letter}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="How fast pitwall is, beside its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="only the benchmarks whose name holds this")
    parser.add_argument("--json", action="store_true", help="a list of objects, one a result")
    arguments = parser.parse_args()
    found = []
    if not arguments.json:
        print(HEAD)
    for result in results(arguments.names):
        found.append(result)
        if not arguments.json:
            print(*lines(result), sep="\n", flush=True)
    if arguments.json:
        machine = {"python": platform.python_version(), "machine": platform.machine()}
        rows = [{**asdict(result), "ratio": ratio(result), "met": met(result), **machine} for result in found]
        print(json.dumps(rows, indent=2))
    return 1 if any(met(result) is False for result in found) else 0


if __name__ == "__main__":
    sys.exit(main())
