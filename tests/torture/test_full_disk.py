"""A real disk that is full for a moment, under a recorder at full rate: a part of `make torture`."""

from __future__ import annotations

import pytest

from tests.torture.mounts import inside, why_not


@pytest.mark.skipif(bool(why_not("tmpfs")), reason=why_not("tmpfs"))
def test_a_full_disk_is_said_counted_and_got_over():
    said = list(inside("full_disk", "ways", 1, 10, 2))
    assert len(said) == 2, said
    assert "are all that came" in said[0]
