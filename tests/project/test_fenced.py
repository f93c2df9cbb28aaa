"""An error in laps or in the coach costs no signal, and is told the same however the log is cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pitwall.bus.simulator import simulate
from pitwall.coach import cues, findings
from pitwall.frames import Frames, concat, cut, in_log_order
from pitwall.project.generations import Generations
from pitwall.project.loop import project, projecting_in_memory
from pitwall.project.pipeline import Pipeline
from pitwall.replay import replay
from pitwall.track.cutting import Cutter
from tests.project.sessions import CARS, E46, HEADER, digests, written

FRAMES = in_log_order(concat(list(simulate(seed=1, laps=2).frames())))
OF_COACH = ("corners", "findings", "incidents", "cues")
OF_LAPS = ("track", "laps", "sectors", "crossings", "laptime")


def parts(rows: int) -> list[Frames]:
    return [cut(FRAMES, first, min(first + rows, len(FRAMES))) for first in range(0, len(FRAMES), rows)]


def with_commits(rows: int) -> list[Frames | None]:
    return [each for part in parts(rows) for each in (part, None)]


def asked(folder: Path, question: str) -> list[Any]:
    with projecting_in_memory(Pipeline(E46, HEADER), Generations(folder)) as projector:
        project(with_commits(40_000), projector)
        projector.store.wait()
        return projector.store.cursor().execute(question).fetchall()


def raising(*_: object, **__: object) -> Any:
    raise ZeroDivisionError("odd data")


def failing_late(monkeypatch: pytest.MonkeyPatch, part: type[Any], method: str, t_ns: int) -> None:
    """The method raises as soon as it is given anything later than that."""
    real = getattr(part, method)

    def fold(self: Any, what: Any, *more: Any) -> Any:
        t = what.t_ns if hasattr(what, "t_ns") else what.t
        if len(t) and t[-1] > t_ns:
            raising()
        return real(self, what, *more)

    monkeypatch.setattr(part, method, fold)


@pytest.mark.parametrize(("part", "gone"), [("coach", OF_COACH), ("laps", OF_COACH + OF_LAPS)])
def test_signals_are_the_same_without_the_part_that_failed_in_any_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str, gone: tuple[str, ...]
) -> None:
    whole = digests(tmp_path, parts(40_000))
    late = int(FRAMES.t[-1] * 0.8)
    failing_late(monkeypatch, *((cues.Speaking, "fold") if part == "coach" else (Cutter, "fold")), late)
    found = [digests(tmp_path, batches) for batches in (parts(1 << 20), parts(40_000), with_commits(7_919))]
    assert found[1:] == found[:1] * 2
    differing = {name for name in whole if whole[name] != found[0].get(name)}
    assert differing <= {*gone, "problems", "channels", "bests", "built_from"}
    assert {"problems", "corners" if part == "coach" else "laps"} <= differing
    rows = asked(tmp_path, "FROM problems ORDER BY part")
    assert [row[0] for row in rows] == (["coach"] if part == "coach" else ["coach", "laps"])
    assert rows[-1][1].startswith("ZeroDivisionError in ")
    for table in gone:
        assert asked(tmp_path, f"SELECT count(*) FROM {table}") == [(0,)]


def test_findings_that_can_not_be_told_leave_the_corners_for_the_next_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pitwall.coach.coaching.merged", raising)
    assert asked(tmp_path, "SELECT part FROM problems") == [("coach",)]
    monkeypatch.undo()
    assert asked(tmp_path, "FROM problems") == []
    assert findings.RULES


def test_a_rule_that_raises_is_told_by_a_replay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session = written(tmp_path / "logs", FRAMES)
    monkeypatch.setattr("pitwall.coach.coaching.of_lap", raising)
    report = replay(session, tmp_path / "projections", CARS)
    (problem,) = report.problems
    assert problem.startswith("coach: ZeroDivisionError in ")
