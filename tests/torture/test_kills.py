"""Recorders killed by kill -9, and again: a moment of `make torture ARGS=kills`."""

from __future__ import annotations

from tests.torture import kills
from tests.torture.kills import kill, kill_commands, spread


def test_nothing_reported_written_is_missing_after_200_kills_at_random_instants(tmp_path, monkeypatch):
    monkeypatch.setattr(kills, "INSTANTS_S", 0.03)
    done = kill(200, 1, tmp_path)
    assert done.kills == 200
    assert done.frames > 1000
    assert len(done.again_s) > 50
    print("from a kill to the next frame written:", spread(done.again_s))


def test_nothing_reported_written_is_missing_after_kills_at_calls_of_the_disk(tmp_path):
    done = kill(25, 2, tmp_path, at_calls=True)
    assert done.kills == 25
    assert done.frames > 100


def test_a_real_command_line_that_is_killed_is_gone_on_with(tmp_path):
    done = kill_commands(3, 3, tmp_path)
    assert (done.kills, done.sessions) == (3, 1)
    assert done.frames > 0
