"""A session that is archived is whole here or there, whatever happens; and it comes back as it was, or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pitwall.errors import LogError, UsageError
from pitwall.log import Writer, find, keys, pins, read, records, sessions, verify
from pitwall.log.archive import Archived, archive
from pitwall.log.disk import Disk
from pitwall.log.restore import ArchiveDamagedError, Restored, restore
from tests.log.drives import START_NS, NoSealing, Watched, record, traffic

ROOT = Path(__file__).parents[2]


class StopError(Exception):
    """A step at which the work is broken off."""


def nothing(_session: str) -> None:
    """Nothing was built from the session."""


def session(logs: Path, name: str = "drive", *, segments: int = 3) -> dict[str, bytes]:
    """An ended session of several segments; its files."""
    parts = [traffic(300, seed=i, start_ns=i * 10**10) for i in range(segments)]
    return files(record(logs, parts, end=True, session_id=name, segment_bytes=1))


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def put_away(logs: Path, name: str, dest: Path, **options) -> Archived:
    return archive(logs, name, str(dest), forget=nothing, archived_at_ns=1, **options)


def bring_back(logs: Path, name: str, source: Path | str | None = None, **options) -> Restored:
    return restore(logs, name, None if source is None else str(source), forget=nothing, **options)


@pytest.fixture(params=["plain", "encrypted"])
def maybe_encrypted(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """The test runs with a key, and without."""
    monkeypatch.delenv(keys.VARIABLE, raising=False)
    if request.param == "encrypted":
        pytest.importorskip("cryptography")
        monkeypatch.setenv(keys.VARIABLE, str(keys.new(tmp_path / "key").file))
    return request.param == "encrypted"


def test_an_archived_session_comes_back_byte_for_byte(tmp_path: Path, maybe_encrypted: bool) -> None:
    logs, dest = tmp_path / "logs", tmp_path / "there" / "races"
    before = session(logs)
    done = put_away(logs, "drive", dest)
    assert (done.rows, done.sent) == (902, len(before))
    assert sessions(logs) == []
    assert not (logs / "drive").exists()
    assert [(one.session, one.at, one.here) for one in records.archived(logs)] == [("drive", str(dest), False)]
    if maybe_encrypted:
        assert not any(data.startswith(b"ARROW1") for data in files(dest / "drive").values())
    else:
        assert before.items() <= files(dest / "drive").items()
    back = bring_back(logs, "dri")
    assert (back.session, back.rows, back.here) == ("drive", 902, False)
    assert files(logs / "drive") == before
    assert verify(find(logs, "drive")).damages == ()


def test_what_is_archived_is_a_log_itself(tmp_path: Path) -> None:
    rows = session(tmp_path / "logs")
    put_away(tmp_path / "logs", "drive", tmp_path / "there")
    found = find(tmp_path / "there", "drive")
    assert (found.state, found.rows) == ("ended", 902)
    assert verify(found).damages == ()
    assert rows


def test_to_restore_twice_or_archive_twice_is_harmless(tmp_path: Path) -> None:
    logs, dest = tmp_path / "logs", tmp_path / "there"
    before = session(logs)
    first = put_away(logs, "drive", dest)
    again = put_away(logs, "drive", dest)
    assert (again.session, again.sent, again.rows) == ("drive", 0, first.rows)
    assert not bring_back(logs, "drive").here
    assert bring_back(logs, "drive").here
    assert bring_back(logs, "drive", dest).here
    assert files(logs / "drive") == before
    assert put_away(logs, "drive", dest).sent == 0, "what is stored is not sent again"
    assert not (logs / "drive").exists()


def test_it_comes_back_on_another_machine_that_never_saw_it(tmp_path: Path, maybe_encrypted: bool) -> None:
    before = session(tmp_path / "logs")
    put_away(tmp_path / "logs", "drive", tmp_path / "there")
    other = tmp_path / "other"
    bring_back(other, "drive", f"file://{tmp_path / 'there'}")
    assert files(other / "drive") == before
    assert records.find(other, "drive").here
    with pytest.raises(UsageError, match="no session 'lap' is archived there"):
        bring_back(other, "lap", tmp_path / "there")


def test_a_session_that_is_recorded_pinned_or_unknown_stays(tmp_path: Path) -> None:
    logs, dest = tmp_path / "logs", tmp_path / "there"
    session(logs, "pinned")
    pins.pin(logs / "pinned")
    pins.pin(logs / "pinned")
    writer = Writer.create(logs, car="test", buses=["a"], started_at_ns=START_NS, session_id="live")
    with contextlib.closing(writer), pytest.raises(LogError, match="is being recorded"):
        put_away(logs, "live", dest)
    with pytest.raises(LogError, match="is pinned"):
        put_away(logs, "pinned", dest)
    with pytest.raises(UsageError, match="no session"):
        put_away(logs, "nobody", dest)
    pins.unpin(logs / "pinned")
    pins.unpin(logs / "pinned")
    put_away(logs, "pinned", dest)
    assert sorted(path.name for path in dest.iterdir()) == ["pinned"]


def test_an_interrupted_session_is_recovered_and_sealed_first(tmp_path: Path) -> None:
    logs, dest = tmp_path / "logs", tmp_path / "there"
    record(logs, [traffic(300)], session_id="cut", disk=NoSealing())
    done = put_away(logs, "cut", dest)
    assert done.rows == 303
    assert all(name.endswith((".arrow", ".json")) for name in files(dest / "cut"))


def test_a_damaged_session_is_archived_and_comes_back_as_it_is(tmp_path: Path) -> None:
    logs, dest = tmp_path / "logs", tmp_path / "there"
    session(logs)
    victim = sorted((logs / "drive").iterdir())[1]
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.write_bytes(data)
    (logs / "drive" / "00000000000000000007.arrows.damaged").write_bytes(b"kept for whoever can read it")
    before = files(logs / "drive")
    done = put_away(logs, "drive", dest)
    assert len(done.damages) == 1
    bring_back(logs, "drive")
    assert files(logs / "drive") == before


def test_the_archive_is_never_the_log_itself(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    before = session(logs)
    (tmp_path / "alias").symlink_to(logs)
    for dest in (logs, logs / "drive", logs / "deeper", tmp_path / "alias", tmp_path / "x" / ".." / "logs"):
        with pytest.raises(UsageError, match="can't lie in the log itself"):
            put_away(logs, "drive", dest)
    assert files(logs / "drive") == before


def test_another_session_of_the_same_name_is_never_overwritten(tmp_path: Path) -> None:
    dest = tmp_path / "there"
    session(tmp_path / "a")
    put_away(tmp_path / "a", "drive", dest)
    stored = files(dest / "drive")
    other = files(record(tmp_path / "b", [traffic(300, seed=99)], end=True, session_id="drive"))
    with pytest.raises(UsageError, match="another session of this name"):
        put_away(tmp_path / "b", "drive", dest)
    assert files(dest / "drive") == stored
    assert files(tmp_path / "b" / "drive") == other


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    session(logs)
    (logs / "drive" / "video").mkdir()
    with pytest.raises(LogError, match="no part of a session"):
        put_away(logs, "drive", tmp_path / "there")
    assert find(logs, "drive").rows == 902


def test_a_place_that_does_not_hold_what_it_is_given_gets_no_session(tmp_path: Path, monkeypatch) -> None:
    from pitwall.log.destination import Destination

    logs, keep = tmp_path / "logs", Destination.put
    before = session(logs)
    monkeypatch.setattr(Destination, "put", lambda self, name, data, *told: keep(self, name, data[:-1] + b"?"))
    with pytest.raises(LogError, match="does not read back"):
        put_away(logs, "drive", tmp_path / "there")
    assert files(logs / "drive") == before


def test_one_archives_at_a_time(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    session(logs, "one")
    session(logs, "two")

    def meanwhile(done: int, total: int) -> None:
        with pytest.raises(LogError, match=f"the process {os.getpid()} is archiving"):
            put_away(logs, "two", tmp_path / "there")

    put_away(logs, "one", tmp_path / "there", told=meanwhile)
    assert [one.id for one in sessions(logs)] == ["two"]


# --- broken off at every step


def steps_of(work: Callable[[Disk], object]) -> list[str]:
    """The calls to the disk that it takes."""
    seen: list[str] = []
    work(Watched(seen.append))
    return seen


def broken_off_at(number: int) -> Disk:
    """A disk before whose call of that number the work is broken off."""
    left = iter(range(number))

    def before(name: str) -> None:
        if next(left, None) is None:
            raise StopError(name)

    return Watched(before)


def whole_here_or_there(logs: Path, dest: Path, before: dict[str, bytes], scratch: Path) -> None:
    """The session is whole in the log, or can be brought back from the archive; and it is never seen half."""
    listed = [one.id for one in sessions(logs)]
    if (logs / "drive").exists():
        assert listed == ["drive"]
        assert files(logs / "drive") == before
    else:
        assert listed == []
        bring_back(scratch, "drive", dest)
        assert files(scratch / "drive") == before


def test_archiving_broken_off_at_every_step_loses_nothing_and_goes_on(tmp_path: Path, maybe_encrypted: bool) -> None:
    before = session(tmp_path / "model")
    shutil.copytree(tmp_path / "model", tmp_path / "tried")
    steps = steps_of(lambda disk: put_away(tmp_path / "tried", "drive", tmp_path / "tried-there", disk=disk))
    assert len(steps) > 10
    for i in range(len(steps)):
        logs, dest = tmp_path / f"logs{i}", tmp_path / f"there{i}"
        shutil.copytree(tmp_path / "model", logs)
        with pytest.raises(StopError):
            put_away(logs, "drive", dest, disk=broken_off_at(i))
        whole_here_or_there(logs, dest, before, tmp_path / f"scratch{i}")
        put_away(logs, "drive", dest)
        assert sorted(path.name for path in logs.iterdir()) == [".archive.lock", ".archived", ".lock"]
        bring_back(logs, "drive")
        assert files(logs / "drive") == before


def test_restoring_broken_off_at_every_step_shows_nothing_half_and_goes_on(tmp_path: Path) -> None:
    logs, dest = tmp_path / "logs", tmp_path / "there"
    before = session(logs)
    put_away(logs, "drive", dest)
    shutil.copytree(logs, tmp_path / "tried")
    steps = steps_of(lambda disk: bring_back(tmp_path / "tried", "drive", disk=disk))
    for i in range(len(steps)):
        here = tmp_path / f"logs{i}"
        shutil.copytree(logs, here)
        with pytest.raises(StopError):
            bring_back(here, "drive", disk=broken_off_at(i))
        listed = [one.id for one in sessions(here)]
        assert listed == (["drive"] if (here / "drive").exists() else [])
        bring_back(here, "drive")
        bring_back(here, "drive")
        assert files(here / "drive") == before
        assert not list(here.glob(".restoring-*"))


KILLED = """
import os, sys
from pathlib import Path
from pitwall.log.archive import archive
from tests.log.drives import Watched
logs, dest, last = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
count = iter(range(last))
disk = Watched(lambda name: next(count, None) is None and os._exit(9))
archive(logs, "drive", dest, forget=lambda session: None, disk=disk)
"""


def test_archiving_killed_at_every_step_loses_nothing_and_goes_on(tmp_path: Path) -> None:
    before = session(tmp_path / "model", segments=1)
    for i in range(100):
        logs, dest = tmp_path / f"logs{i}", tmp_path / f"there{i}"
        shutil.copytree(tmp_path / "model", logs)
        command = [sys.executable, "-c", KILLED, str(logs), str(dest), str(i)]
        code = subprocess.run(command, cwd=ROOT, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)}).returncode
        if code == 0:
            break
        assert code == 9
        whole_here_or_there(logs, dest, before, tmp_path / f"scratch{i}")
        put_away(logs, "drive", dest)
        assert sorted(path.name for path in logs.iterdir()) == [".archive.lock", ".archived", ".lock"]
        bring_back(logs, "drive")
        assert files(logs / "drive") == before
    assert i > 6


# --- damage in the archive


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `logs`, `there` (the archive) and `before` (the session as it was)."""
    folder = tmp_path_factory.mktemp("stored")
    session(folder / "logs")
    shutil.copytree(folder / "logs" / "drive", folder / "before")
    put_away(folder / "logs", "drive", folder / "there")
    return folder


DAMAGES = st.sampled_from(["gone", "empty", "cut", "longer", "flipped", "zeroed", "another"])


def hurt(path: Path, how: str, at: float, others: list[Path]) -> None:
    data = bytearray(path.read_bytes())
    place = min(len(data) - 1, int(at * len(data)))
    if how == "gone":
        path.unlink()
        return
    if how == "empty":
        data.clear()
    elif how == "cut":
        del data[place:]
    elif how == "longer":
        data += b"\0"
    elif how == "flipped":
        data[place] ^= 1 << (place % 8)
    elif how == "zeroed":
        data[place : place + 512] = bytes(len(data[place : place + 512]))
    elif how == "another":
        data = bytearray(next(one for one in others if one != path).read_bytes())
    path.write_bytes(data)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(hurts=st.dictionaries(st.integers(0, 4), st.tuples(DAMAGES, st.floats(0, 1)), min_size=1), known=st.booleans())
def test_any_damage_in_the_archive_is_found_and_replaces_nothing(stored: Path, tmp_path_factory, hurts, known) -> None:
    folder = tmp_path_factory.mktemp("hurt")
    shutil.copytree(stored / "there", folder / "there")
    logs = folder / "logs"
    shutil.copytree(stored / "logs", logs)
    names = sorted((folder / "there" / "drive").iterdir())
    originals = files(folder / "there" / "drive")
    for number, (how, at) in hurts.items():
        hurt(names[number % len(names)], how, at, sorted((stored / "there" / "drive").iterdir()))
    now = files(folder / "there" / "drive")
    bad = {name for name, data in originals.items() if now.get(name) != data}
    record_file = logs / ".archived" / "drive.json"
    record_file.write_text(record_file.read_text().replace(str(stored / "there"), str(folder / "there")))
    source = None if known else folder / "there"
    if bad - {"session.json"} or (bad and not known):
        with pytest.raises((ArchiveDamagedError, UsageError)) as raised:
            bring_back(logs, "drive", source)
        assert not (logs / "drive").exists()
        assert isinstance(raised.value, ArchiveDamagedError) or (not known and "session.json" not in now)
        if "session.json" not in bad or known:
            assert {problem.split()[0] for problem in raised.value.problems} == bad - {"session.json"}
    else:
        back = bring_back(logs, "drive", source)
        assert bool(bad) == bool(back.problems)
        assert files(logs / "drive") == files(stored / "before")
    assert not list(logs.glob(".restoring-*"))
    shutil.rmtree(folder)


def test_a_manifest_that_names_files_elsewhere_is_refused(tmp_path: Path) -> None:
    from dataclasses import replace

    from pitwall.log import manifest as manifests

    logs, dest = tmp_path / "logs", tmp_path / "there"
    session(logs)
    put_away(logs, "drive", dest)
    file = dest / "drive" / "session.json"
    made = manifests.decode(file.read_bytes())
    assert made is not None
    entry = replace(made.files[0], name="../../escaped")
    file.write_bytes(manifests.encode(replace(made, files=(entry,))))
    with pytest.raises(ArchiveDamagedError):
        bring_back(tmp_path / "other", "drive", dest)
    with pytest.raises(UsageError, match="can be called so"):
        bring_back(tmp_path / "other", "../drive", dest)
    assert not list(tmp_path.rglob("escaped"))


def test_an_archive_is_read_with_its_key_alone(tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("cryptography")
    monkeypatch.setenv(keys.VARIABLE, str(keys.new(tmp_path / "key").file))
    logs = tmp_path / "logs"
    session(logs)
    put_away(logs, "drive", tmp_path / "there")
    monkeypatch.setenv(keys.VARIABLE, str(keys.new(tmp_path / "other").file))
    with pytest.raises(LogError, match="is encrypted with the key"):
        bring_back(logs, "drive")
    assert not (logs / "drive").exists()
    monkeypatch.setenv(keys.VARIABLE, str(tmp_path / "key"))
    assert bring_back(logs, "drive").rows == 902


def test_fifty_archived_sessions_leave_nothing_but_records(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    for i in range(50):
        session(logs, f"drive-{i:02}", segments=1)
    for i in range(50):
        put_away(logs, f"drive-{i:02}", tmp_path / "there")
    left = [path for path in logs.rglob("*") if path.is_file()]
    assert {path.relative_to(logs).parts[0] for path in left} == {".archived", ".archive.lock", ".lock"}
    assert sum(path.stat().st_size for path in left) < 100_000_000 / 1_000
    assert [one.session for one in records.archived(logs)] == [f"drive-{i:02}" for i in range(50)]
    bring_back(logs, "drive-07")
    assert sum(len(batch) for batch in read(logs / "drive-07")) == 302
