"""A recorder gives back what it does not need: it may run for a day on a phone."""

from __future__ import annotations

import subprocess
import sys

CODE = """
from pitwall.resident import lean
lean()
import pyarrow
print(pyarrow.default_memory_pool().backend_name)
"""


def test_arrow_takes_its_memory_from_malloc_in_a_process_that_is_to_be_lean() -> None:
    said = subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
    assert said.stdout.split() == ["system"]


def test_the_recorder_is_lean_before_it_imports_arrow() -> None:
    code = "import sys, pitwall.commands.record; print('pyarrow' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout.split() == ["False"]
