"""Where a session begins, goes on and ends: after a kill, without frames, on request; and what a recorder is asked."""

from __future__ import annotations

import errno
import json
import shutil
import threading
from contextlib import closing

import numpy as np
import pytest

from pitwall import record as recorder
from pitwall.errors import LogError, PitwallError, UsageError
from pitwall.frames import Control, concat, control
from pitwall.log import Writer, lock, requests, sessions, verify
from pitwall.log import outbox as outboxes
from pitwall.log.disk import Disk
from pitwall.log.hold import Hold
from pitwall.log.remarks import remarks
from pitwall.log.writer import Pace
from pitwall.record import recording
from tests.log.drives import NoSealing
from tests.record.drives import FailingDisk, Script, only_frames, recorded, rows_of, some

S = 10**9


def killed(logs, *, car="test", buses=("bus0",), last_s=10, zero_ns=0, name=None):
    """A session whose recorder was killed when its last frame was `last_s` old, by the monotonic clock."""
    with closing(Hold(logs, disk=NoSealing())) as hold:
        writer = Writer.begin(
            hold, car=car, buses=list(buses), started_at_ns=1_700_000_000 * S, zero_ns=zero_ns, session_id=name
        )
        writer.append(some(np.arange(3)))
        writer.append(some(last_s * S))
        writer.close()
    return writer.session


def kinds(facts):
    return [kind for kind, _, _ in facts]


def at(seconds):
    return {"clock": lambda: seconds * S, "wall": lambda: (1_700_000_000 + seconds) * S, "zero": 0}


def test_a_killed_session_is_gone_on_with_and_that_is_said(tmp_path, caplog):
    before = killed(tmp_path)
    result = recorded([Script("one", some([20 * S, 21 * S]))], tmp_path, **at(22))
    session, rows, facts = rows_of(tmp_path)
    assert (result.sessions, session.id, session.state) == ([before], before, "ended")
    assert only_frames(rows).t.tolist() == [0, 1, 2, 10 * S, 20 * S, 21 * S], "t goes on"
    assert kinds(facts) == [
        Control.SESSION_START, Control.RECOVERED, Control.SOURCE, Control.SOURCE, Control.SESSION_END
    ]  # fmt: skip
    assert result.frames == 2
    assert f"{before}, cut off 12.0 s ago, is gone on with: the time between is missing" in caplog.text
    assert not verify(session).damages


@pytest.mark.parametrize("name", [None, "drive"])
def test_a_session_whose_rows_can_not_be_made_durable_is_ended_and_not_tried_again(tmp_path, name):
    class ForgetsOnce(Disk):
        tries = 0

        def sync_file(self, path):
            self.tries += 1
            if self.tries == 1:
                raise OSError(errno.EIO, "Input/output error")
            super().sync_file(path)

    before = killed(tmp_path, name=name)
    result = recorded([Script("one", some([20 * S, 21 * S]))], tmp_path, disk=ForgetsOnce(), session_id=name, **at(22))
    assert before not in result.sessions
    _, rows, _ = rows_of(tmp_path, result.sessions[0])
    assert only_frames(rows).t.tolist() == [0, S]
    left, rows, _ = rows_of(tmp_path, before)
    assert left.state == "ended"
    assert only_frames(rows).t.tolist() == [0, 1, 2, 10 * S]


def test_times_go_on_by_the_sources_own_zero(tmp_path):
    killed(tmp_path)
    recorded([Script("one", some([5 * S]))], tmp_path, clock=lambda: 105 * S, zero=100 * S)
    _, rows, _ = rows_of(tmp_path)
    assert only_frames(rows).t.tolist()[-2:] == [10 * S, 105 * S]


@pytest.mark.parametrize(("gap_s", "goes_on"), [(0, True), (300, True), (301, False), (-1, False)])
def test_it_is_gone_on_with_within_five_minutes(tmp_path, gap_s, goes_on):
    killed(tmp_path)
    recorded([Script("one", some((10 + gap_s) * S))], tmp_path, **at(10 + gap_s))
    found = sessions(tmp_path)
    assert len(found) == (1 if goes_on else 2)
    assert {session.state for session in found} == {"ended"}


@pytest.mark.parametrize("other", [{"car": "other"}, {"buses": ("dash",)}, {"buses": ("bus0", "b")}, {"zero_ns": None}])
def test_another_drive_is_ended_and_not_gone_on_with(tmp_path, other):
    before = killed(tmp_path, **other)
    result = recorded([Script("one", some(20 * S))], tmp_path, **at(20))
    assert before not in result.sessions
    assert [session.state for session in sessions(tmp_path)] == ["ended", "ended"]


def test_a_session_from_before_the_machine_was_restarted_is_ended(tmp_path, monkeypatch):
    before = killed(tmp_path)
    monkeypatch.setattr(outboxes, "boot_id", lambda: "another")
    result = recorded([Script("one", some(20 * S))], tmp_path, **at(20))
    assert before not in result.sessions
    _, _, facts = rows_of(tmp_path, before)
    assert facts[-1][2] == {"reason": "interrupted"}


def test_the_session_that_is_asked_for_is_the_only_one_to_go_on_with(tmp_path):
    killed(tmp_path, name="a")
    assert recorded([Script("one", some(20 * S))], tmp_path, session_id="b", **at(20)).sessions == ["b"]
    with pytest.raises(UsageError, match="there is a session 'a' already"):
        recorded([Script("one", some(20 * S))], tmp_path, session_id="a", **at(20))


def test_a_killed_session_of_the_name_that_is_asked_for_is_gone_on_with(tmp_path):
    killed(tmp_path, name="a")
    assert recorded([Script("one", some(20 * S))], tmp_path, session_id="a", **at(20)).sessions == ["a"]


def test_one_that_is_gone_on_with_has_its_end_though_no_frame_comes(tmp_path):
    killed(tmp_path)
    recorded([Script("one")], tmp_path, **at(20))
    session, _, facts = rows_of(tmp_path)
    assert session.state == "ended"
    assert kinds(facts)[-2:] == [Control.SOURCE, Control.SESSION_END]


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    monkeypatch.setattr(recording, "TEND_S", 0)
    monkeypatch.setattr(recorder, "REPORT_S", 0)
    monkeypatch.setattr(recorder, "TAKE_S", 0.01)
    monkeypatch.setattr(recorder, "AGAIN_S", 0.005)


def test_a_session_ends_at_its_last_row_when_no_frame_has_come_for_long_and_another_begins_with_the_next(tmp_path):
    now = [0]
    seen = []

    def later():
        now[0] = 100 * S
        return True

    source = Script(
        "one",
        some([0, 1]),
        lambda: seen and seen[-1].frames == 2,
        later,
        lambda: lock.recorder(tmp_path).state.session == "",
        some([100 * S]),
    )
    result = recorded([source], tmp_path, idle_s=60, clock=lambda: now[0], report=seen.append)
    assert len(result.sessions) == 2
    first, second = (rows_of(tmp_path, name) for name in result.sessions)
    assert first[2][-1] == (Control.SESSION_END, 1, {"reason": "no frame for 60 s"})
    assert second[2][0][0] is Control.SESSION_START
    assert only_frames(second[1]).t.tolist() == [0]


def test_what_a_bus_is_sent_is_said_at_the_begin_of_each_session_until_its_source_is_lost(tmp_path):
    asks = {"source": "one", "state": "polling", "sends": "OBD-II", "unlogged": 3}
    polled = concat([some(0), control(Control.SOURCE, 0, json.dumps(asks).encode())])
    ends = [Asking(tmp_path, {"end": True}) for _ in range(3)]
    gone = PitwallError("is unplugged", where="one")
    begun = lambda: lock.recorder(tmp_path).state.session  # noqa: E731
    first, second, third = ((begun, end, lambda: not begun()) for end in ends)
    source = Script("one", polled, *first, some(10), *second, gone, some(20), *third, some(30))
    sessions = recorded([source], tmp_path).sessions
    assert [end.said for end in ends] == ["", "", ""]
    sends = [[fact for _, _, fact in rows_of(tmp_path, name)[2] if "sends" in fact] for name in sessions]
    assert len(sends) == 4
    assert sends[0] == [asks]
    assert sends[1] == [asks | {"unlogged": 0}]
    assert sends[2] == sends[3] == [], "a source that was opened anew says itself what it sends"


class Asking:
    """A step of a script: ask, in a thread, and go on once there is an answer."""

    def __init__(self, logs, request):
        self.said = None
        self._thread = threading.Thread(target=self._ask, args=(logs, request))

    def _ask(self, logs, request):
        try:
            requests.ask(logs, request)
        except LogError as error:
            self.said = error.what
        else:
            self.said = ""

    def __call__(self):
        if self._thread.ident is None:
            self._thread.start()
        return self.said is not None


def heard(seen, frames):
    return lambda: seen and seen[-1].frames == frames


def note(text="fast", **session):
    return {"control": int(Control.NOTE), "fact": {"text": text}} | session


def test_a_session_ends_when_it_is_asked_to_and_another_begins_with_the_next_frame(tmp_path):
    seen, asking = [], Asking(tmp_path, {"end": True})
    source = Script("one", some([0, 1]), heard(seen, 2), asking, some([5, 6]), heard(seen, 4))
    result = recorded([source], tmp_path, report=seen.append)
    assert asking.said == ""
    assert len(result.sessions) == 2
    _, rows, facts = rows_of(tmp_path, result.sessions[0])
    assert only_frames(rows).t.tolist() == [0, 1]
    assert facts[-1][0] is Control.SESSION_END
    assert facts[-1][2] == {"reason": "asked"}


def test_a_note_goes_into_the_session_that_is_being_recorded(tmp_path):
    seen, asking = [], Asking(tmp_path, note())
    recorded([Script("one", some([0, 7]), heard(seen, 2), asking, some(9))], tmp_path, report=seen.append)
    _, _, facts = rows_of(tmp_path)
    assert asking.said == ""
    assert (Control.NOTE, 7, {"text": "fast"}) in facts


def test_tags_go_into_a_session_that_has_ended(tmp_path):
    (before,) = recorded([Script("one", some([0, 1]))], tmp_path).sessions
    seen = []
    asking = Asking(tmp_path, {"control": int(Control.TAGS), "fact": {"tags": ["wet"]}, "session": before})
    recorded([Script("one", some(0), heard(seen, 1), asking)], tmp_path, report=seen.append)
    session, _, _ = rows_of(tmp_path, before)
    assert asking.said == ""
    assert remarks(session.path).tags == ("wet",)


def test_a_note_goes_behind_a_session_that_has_ended(tmp_path):
    (before,) = recorded([Script("one", some([0, 1]))], tmp_path).sessions
    seen, asking = [], Asking(tmp_path, note(session=before))
    recorded([Script("one", some(0), heard(seen, 1), asking)], tmp_path, report=seen.append)
    session, _, facts = rows_of(tmp_path, before)
    assert asking.said == ""
    assert kinds(facts)[-2:] == [Control.SESSION_END, Control.NOTE]
    assert not verify(session).damages


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"end": "another"}, "another is not being recorded"),
        (note(session="another"), "there is no session 'another'"),
        ({"control": int(Control.SESSION_END), "fact": {}}, "can't be asked"),
        ({"control": int(Control.NOTE), "fact": "text"}, "can't be asked"),
        ({"control": [], "fact": {}}, "can't be asked"),
        ({"control": int(Control.NOTE), "fact": {}, "session": []}, "there is no session"),
        ({"control": int(Control.NOTE), "fact": {}, "session": "../x"}, "there is no session"),
        ({}, "can't be asked"),
    ],
)
def test_what_can_not_be_done_is_refused_and_recording_goes_on(tmp_path, request_, why):
    seen, asking = [], Asking(tmp_path, request_)
    result = recorded([Script("one", some(0), heard(seen, 1), asking, some(1))], tmp_path, report=seen.append)
    assert why in asking.said
    assert result.frames == 2


def test_no_session_can_not_be_ended(tmp_path):
    asking = Asking(tmp_path, {"end": True})
    recorded([Script("one", asking)], tmp_path)
    assert asking.said == "no session is being recorded"


def test_a_request_that_the_disk_does_not_take_away_is_done_once(tmp_path):
    class Keeps(Disk):
        keeps = 3

        def unlink(self, path):
            if path.suffix == requests.SUFFIX and self.keeps:
                self.keeps -= 1
                raise OSError(5, "Input/output error")
            super().unlink(path)

    seen, asking = [], Asking(tmp_path, note())
    source = Script("one", some(0), heard(seen, 1), asking, some(1))
    recorded([source], tmp_path, report=seen.append, disk=Keeps())
    _, _, facts = rows_of(tmp_path)
    assert kinds(facts).count(Control.NOTE) == 1


def test_what_was_heard_behind_an_end_that_the_disk_refused_is_another_session(tmp_path):
    disk, seen, stop = FailingDisk(), [], threading.Event()

    def end():
        disk.failing = frozenset({"sync"})
        folder = tmp_path / requests.FOLDER
        folder.mkdir()
        (folder / "one.json").write_text(json.dumps({"end": True}))
        return True

    def watch(status):
        seen.append(status)
        if status.problem and status.waiting:
            stop.set()
            disk.failing = frozenset()

    source = Script("one", some([0, 1]), heard(seen, 2), end, lambda: seen[-1].problem, some([2, 3]), stop)
    result = recorded([source], tmp_path, disk=disk, stop=stop, report=watch, pace=Pace(sync_interval_s=3600))
    assert (result.frames, result.lost, len(result.sessions)) == (4, 0, 2)
    for name, frames in zip(result.sessions, (2, 2), strict=True):
        session, rows, facts = rows_of(tmp_path, name)
        assert (session.state, session.frames) == ("ended", frames)
        assert facts[-1][0] is Control.SESSION_END
        assert rows.id[-1] == Control.SESSION_END


@pytest.mark.parametrize("gone", ["lock", "logs"])
def test_a_recorder_whose_logs_folder_or_lock_is_removed_makes_it_again_and_goes_on(tmp_path, gone):
    logs, seen = tmp_path / "logs", []

    def remove():
        if gone == "lock":
            (logs / lock.NAME).unlink()
        else:
            shutil.rmtree(logs)
        return True

    source = Script(
        "one",
        some([0, 1]),
        heard(seen, 2),
        remove,
        lambda: lock.recorder(logs),
        some([2, 3]),
        heard(seen, 4),
    )
    result = recorded([source], logs, report=seen.append, pace=Pace(sync_interval_s=3600))
    assert (result.frames, result.lost) == (4, 0)
    (session,) = sessions(logs)
    assert session.state == "ended"
    assert session.rows == seen[-1].written
