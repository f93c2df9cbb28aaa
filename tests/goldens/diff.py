"""`make diff BASE=<commit>`: every fixture replayed with BASE's code and cars and with these; the rows that changed.

Nothing, and exit code 0, for a refactoring; exactly what was meant, and exit code 1, for a change of meaning.  Exit
code 2: one of the two could not replay.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import duckdb

from tests.goldens.differences import Difference, differences

ROOT: Final = Path(__file__).parents[2]
FIXTURES: Final = ROOT / "fixtures"

REPLAY: Final = """
import sys
from pathlib import Path
from pitwall.log.session import find
from pitwall.replay import replay
session, projections, cars = map(Path, sys.argv[1:])
replay(find(session, "latest"), projections, cars)
"""
"""Run with each tree's own code: all that both have to have in common is `find` and `replay`."""


class CannotReplayError(Exception):
    """A tree could not be checked out, or its code could not replay a fixture."""


def diff(base: str, fixtures: Path = FIXTURES, tree: Path = ROOT) -> Iterator[tuple[str, list[Difference]]]:
    """Per fixture, what differs between the commit `base` and the `tree` as it stands."""
    with tempfile.TemporaryDirectory() as scratch, checked_out(base, tree, Path(scratch) / "base") as before:
        for fixture in sorted(path.parent for path in fixtures.glob("*/session")):
            files = [
                replayed(place, fixture / "session", Path(scratch) / f"{fixture.name}-{name}")
                for name, place in (("old", before), ("new", tree))
            ]
            with contextlib.ExitStack() as stack:
                old, new = (
                    stack.enter_context(contextlib.closing(duckdb.connect(str(file), read_only=True))) for file in files
                )
                yield fixture.name, list(differences(old, new))


@contextlib.contextmanager
def checked_out(base: str, tree: Path, place: Path) -> Iterator[Path]:
    """The commit `base` of the repository `tree`, in a folder that is there for as long as this lasts."""
    git("-C", str(tree), "worktree", "add", "--detach", "--force", str(place), base)
    try:
        yield place
    finally:
        git("-C", str(tree), "worktree", "remove", "--force", str(place))


def replayed(tree: Path, session: Path, projections: Path) -> Path:
    """The projection of the newest session in `session` by the code and cars of `tree`."""
    run([sys.executable, "-c", REPLAY, str(session), str(projections), str(tree / "cars")], cwd=tree, path=tree)
    (file,) = projections.glob("*.duckdb")
    return file


def git(*arguments: str) -> None:
    run(["git", *arguments])


def run(command: list[str], *, cwd: Path | None = None, path: Path | None = None) -> None:
    """CannotReplayError with the command's last words if it fails."""
    # git's hooks and `git -C` set these for whoever they call, and they would name the wrong repository
    environment = {name: value for name, value in os.environ.items() if name not in ("GIT_DIR", "GIT_INDEX_FILE")}
    if path is not None:
        environment |= {"PYTHONPATH": str(path), "PYTHONSAFEPATH": "1"}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no word").splitlines()[-1]
        raise CannotReplayError(f"{command[0]} {command[1]} … ended with {done.returncode}: {last}")


def main(arguments: list[str]) -> int:
    base = arguments[0] if arguments else "HEAD"
    changed = False
    try:
        for name, found in diff(base):
            if found:
                changed = True
                print(f"{name}:", *found, sep="\n")
    except CannotReplayError as error:
        print(f"diff: {error}", file=sys.stderr)
        return 2
    if not changed:
        print(f"no row differs from {base}", file=sys.stderr)
    return int(changed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
