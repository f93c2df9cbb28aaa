"""`make soak`: a car driven for an hour, or for as long as you like; a line a minute, and the figures in the end.

    python -m tests.soak [--minutes M] [--buses N] [--rate R] [--idle] [--folder DIR]

Exit code 1 where frames were lost, memory grew, or anything else was not as `tests.soak.rig` says.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import traceback
from pathlib import Path

from tests.soak.rig import Outcome, Plan, Sample, soak

MB = 1e6
GROWTH_BYTES_A_MINUTE = 0.5 * MB
"""More than this, over an hour, is a leak: 30 MB."""
JUDGED_S = 1800.0
"""What is shorter is over before buffers are full, and shows no more than a start."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description="A car driven for long.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--buses", type=int, default=1)
    parser.add_argument("--rate", type=float, default=8000.0, help="frames a second of each bus")
    parser.add_argument("--idle", action="store_true", help="without clients, and without edits")
    parser.add_argument("--folder", type=Path, help="a folder to keep what was made in; else it is removed")
    said = parser.parse_args()
    every_s = min(60.0, max(2.0, said.minutes * 60 / 10))
    plan = Plan(said.minutes * 60, said.buses, said.rate, not said.idle, every_s)
    print(f"{said.minutes:g} min, {said.buses} x {said.rate:,.0f} frames/s, {'idle' if said.idle else 'loaded'}")
    print(f"{'min':>6} {'frames':>12} {'lost':>5} {'recorder':>12} {'server':>12} {'workers':>9}", flush=True)
    before: list[Sample] = []
    try:
        with tempfile.TemporaryDirectory() as temporary:
            folder = said.folder or Path(temporary)
            outcome = soak(plan, folder, lambda sample: _tell(sample, before))
    except AssertionError:
        traceback.print_exc(file=sys.stdout)
        return 1
    return _tell_outcome(outcome, plan)


def _tell(sample: Sample, before: list[Sample]) -> None:
    columns = []
    for name in ("record", "serve"):
        cores = 0.0
        if before:
            last = before[-1]
            cores = (sample.costs[name].cpu_s - last.costs[name].cpu_s) / (sample.at_s - last.at_s)
        columns.append(f"{cores:5.2f} {sample.costs[name].rss_bytes / MB:3.0f} MB")
    recorder = sample.health["recorder"] or {}
    print(
        f"{sample.at_s / 60:6.1f} {recorder.get('frames', 0):12,} {recorder.get('lost', 0):5} {columns[0]:>12} "
        f"{columns[1]:>12} {sample.workers_bytes / MB:6.0f} MB",
        flush=True,
    )
    before[:] = [sample]


def _tell_outcome(outcome: Outcome, plan: Plan) -> int:
    met = outcome.met
    print(f"{outcome.kept:,} frames sent and kept, 0 lost, {outcome.refused:,} that no reader took in time")
    print(f"{met.events:,} live events, {met.answers:,} answers, {met.busy:,} times busy, {met.edits} edits")
    print(f"ended by SIGTERM in {outcome.stop_s:.2f} s; {outcome.sessions} sessions, nothing to recover")
    grew = False
    for name, called in (("record", "recorder"), ("serve", "server")):
        growth = outcome.growth(name)
        grew |= plan.seconds >= JUDGED_S and growth > GROWTH_BYTES_A_MINUTE
        most = max(rss for _, rss in outcome.rss(name))
        print(
            f"{called}: {outcome.cores(name):.2f} cores, at most {most / MB:.0f} MB, "
            f"{growth / MB:+.2f} MB a minute once settled"
        )
    if outcome.refused:
        print("FAILED: adapters had to drop frames, for nobody read them")
    if grew:
        print("FAILED: memory grew")
    return 1 if grew or outcome.refused else 0


if __name__ == "__main__":
    sys.exit(main())
