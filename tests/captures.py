"""Where the real recordings are, for the tests that use them; without them those tests skip, and say so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

CAPTURES = Path(os.environ.get("PITWALL_CAPTURES", Path(__file__).parents[2] / "shared" / "captures"))

needs_captures = pytest.mark.skipif(not CAPTURES.is_dir(), reason=f"the real recordings are not in {CAPTURES}")
