"""A loss of power at every instant of a few lives: a moment of `make torture ARGS=crash_states`."""

from __future__ import annotations

import pytest

from tests.torture.crash_states import Workload, examine, random_workload, small_workloads
from tests.torture.crash_states_disk import Created, Synced, SyncedFolder, Volume, Wrote
from tests.torture.crash_states_lives import Life

ROTATED = [Life(("append 3", "append 3", "sync", "append 3"), segment_bytes=1)]


def test_all_states_of_a_small_life_keep_the_logs_word():
    small = [one for one in small_workloads() if one.lives == [Life(("append 3", "sync"))]]
    assert len(small) == 1
    done = examine(small[0])
    assert done.whole == done.instants > 5
    assert done.distinct > 100


def test_some_states_of_random_lives_keep_the_logs_word():
    assert sum(examine(random_workload(1, number, 1_500)).distinct for number in range(4)) > 700


@pytest.mark.parametrize("lies", ["sync", "sync_folder"])
def test_a_disk_that_does_not_do_what_it_says_is_caught(lies):
    with pytest.raises(AssertionError, match=r"were durable|gave up"):
        examine(Workload("lies", 1, ROTATED, 500, frozenset({lies})))


def test_the_model_leaves_what_was_synced_and_may_lose_all_else():
    volume = Volume()
    for event in (Created(1, "a"), Wrote(1, b"kept"), Synced(1, 4), SyncedFolder(".", 1), Wrote(1, b"lost")):
        volume.apply(event)
    assert volume.least().files == {"a": b"kept"}
    assert {state.files["a"] for state in volume.every()} == {b"kept", b"keptlost", b"kept\0\0\0\0"}


def test_what_a_killed_writer_left_is_durable_once_its_session_has_its_end():
    lives = [Life(("append 40", "append 3")), Life(("append 3",))]
    assert examine(Workload("killed", 1, lives, 1_500)).distinct > 100
