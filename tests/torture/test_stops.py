"""Recorders stopped by SIGTERM at random instants: a moment of `make torture ARGS=stops`."""

from __future__ import annotations

from tests.torture.stops import stop, stop_commands, stop_runs


def test_a_recorder_that_is_stopped_keeps_all_that_it_heard_and_leaves_nothing_to_recover(tmp_path):
    done = stop(15, 1, tmp_path)
    assert len(done.end_s) == 15
    assert done.sessions > 5
    assert done.frames > 1000


def test_so_does_the_command_line(tmp_path):
    done = stop_commands(1, 2, tmp_path)
    assert done.sessions == 1
    assert done.frames > 0


def test_a_whole_run_ends_its_session_and_leaves_its_projection_whole(tmp_path):
    done = stop_runs(5, 3, tmp_path)
    assert len(done.end_s) == 5
    assert done.projected > 0
