"""A projection harmed in every way, once each; opened by a process of its own."""

from __future__ import annotations

from tests.torture.projections import harm, held


def test_whatever_is_done_to_a_projection_it_is_there_again_and_the_same(tmp_path):
    harm(tmp_path, 1, 5)


def test_a_projection_that_another_process_holds_is_answered_all_the_same(tmp_path):
    assert "into memory" in held(tmp_path)[1]
