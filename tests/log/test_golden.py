"""Sessions that earlier versions of pitwall wrote: what was recorded once can be read for ever.

`golden/v<format>/<session>` holds a session as it was written then, with open and sealed segments, and never changes;
`rows.json` beside it what it must give.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from pitwall.log import find, read, verify
from tests.log.drives import joined, rows_of

GOLDEN = Path(__file__).parent / "golden"


def expected(version: Path) -> list[tuple]:
    """What a golden session holds."""
    rows = json.loads((version / "rows.json").read_text())
    return [(*row[:5], base64.b64decode(row[5]), base64.b64decode(row[6])) for row in rows]


@pytest.mark.parametrize("version", sorted(GOLDEN.glob("v*")), ids=lambda path: path.name)
def test_a_session_of_every_version_reads_as_it_was_written(version):
    session = find(version, "latest")
    assert rows_of(joined(read(session.path))) == expected(version)
    assert not verify(session).damages
    assert {path.suffix for path in session.path.iterdir()} == {".arrow", ".arrows"}
    assert (session.header.car, session.header.buses, session.state) == ("golden", ("dash", "chassis"), "interrupted")


def test_the_version_that_is_written_has_a_golden_session():
    from pitwall.log.opening import VERSION

    assert (GOLDEN / f"v{VERSION}").is_dir()
