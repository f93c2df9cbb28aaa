"""`make fixtures`: drives of the simulator through the real recorder into `fixtures/`, with what they must give.

    fixtures/<name>/session/<session>/…     the log, sealed
    fixtures/<name>/expected.csv            figures of every channel (figures.py)
    fixtures/<name>/truth.json              what the simulator knows really happened

A fixture is made once and kept: a change that makes a new one necessary changes what pitwall means.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import threading
from contextlib import closing
from pathlib import Path
from typing import Final

from pitwall.bus.simulator import Drive, SimulatorSource, parse_mistake, simulate
from pitwall.bus.source import Plug
from pitwall.car import load
from pitwall.log.hold import Hold
from pitwall.log.session import Session, find
from pitwall.project.generations import Generations
from pitwall.project.query import open_projection
from pitwall.record import record
from tests.goldens import figures

ROOT: Final = Path(__file__).parents[2]
FIXTURES: Final = ROOT / "fixtures"
CAR: Final = "bmw-e46-m3"
STARTED_NS: Final = 1_795_000_000_000_000_000

DRIVES: Final = {
    "two-laps": {"seed": 1, "laps": 2},
    "mistakes": {
        "seed": 2,
        "laps": 2,
        "mistakes": [parse_mistake(text) for text in ("brake-early@T1:1", "coast@T3:1", "late-throttle@T10:2")],
    },
}
"""What is driven, by the fixture's name."""


def fixture(name: str, drive: Drive) -> None:
    """Makes `fixtures/<name>` anew."""
    folder = FIXTURES / name
    shutil.rmtree(folder, ignore_errors=True)
    session = recorded(drive, folder / "session", name)
    with tempfile.TemporaryDirectory() as projections:  # noqa: SIM117
        with open_projection(session, load(ROOT / "cars", CAR), Generations(Path(projections))) as projection:
            figures.write(folder / "expected.csv", figures.figures(projection.connection))
    (folder / "truth.json").write_text(json.dumps(drive.truth(), indent=1) + "\n")


def recorded(drive: Drive, logs: Path, name: str) -> Session:
    """The whole drive through the recorder, by a clock that waits for nobody."""
    clock = _Clock()
    source = SimulatorSource(drive, zero_ns=0, clock=clock, wait=clock.wait)
    with closing(Hold(logs)) as hold:
        done = record(
            [Plug(source.name, lambda: source)],
            hold=hold,
            car=CAR,
            buses=["dash"],
            zero=0,
            stop=threading.Event(),
            session_id=name,
            queue_frames=10_000_000,
            wall=lambda: STARTED_NS,
            clock=lambda: 0,
        )
    assert not done.problems, done.problems
    for left in logs.glob(".*"):
        left.unlink()  # the writer's lock
    return find(logs, name)


class _Clock:
    """Nanoseconds since the drive began; waiting moves it on at once."""

    def __init__(self) -> None:
        self._now_ns = 0

    def __call__(self) -> int:
        return self._now_ns

    def wait(self, seconds: float) -> None:
        self._now_ns += int(seconds * 1e9) + 1


def main() -> None:
    for name in sys.argv[1:] or DRIVES:
        fixture(name, simulate(**DRIVES[name]))  # type: ignore[arg-type]
        size = sum(file.stat().st_size for file in (FIXTURES / name).rglob("*") if file.is_file())
        print(f"{name}: {size:,} bytes")


if __name__ == "__main__":
    main()
