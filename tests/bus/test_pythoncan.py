"""python-can without what it drags in: a recorder starts on a small machine, in its second."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import pitwall.record, pitwall.bus.capture, pitwall.bus.interface, pitwall.bus.play
print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""


def test_recording_and_reading_captures_import_neither_pandas_nor_the_server_side():
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "can" in loaded
    heavy = {"asammdf", "pandas", "duckdb", "sanic", "cantools", "orjson", "watchfiles", "pint"}
    assert loaded & heavy == set()


def test_mf4_is_read_all_the_same(tmp_path):
    program = """
import sys, pathlib
import numpy as np
from pitwall.bus.capture import read_capture, write_capture
from pitwall.frames import frames
path = pathlib.Path(sys.argv[1])
rows = frames(0, t=[0, 1000], id=[1, 2], data=np.zeros((2, 8), np.uint8))
write_capture(path, None, [rows], started_at_ns=10**18, buses=["can0"])
assert "asammdf" in sys.modules
assert read_capture(path).frames.id.tolist() == [1, 2]
"""
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "x.mf4"], check=True, capture_output=True, text=True
    )
    assert done.stderr == ""


def test_a_damaged_mf4_says_what_is_wrong_and_nothing_more(tmp_path):
    program = """
import sys, pathlib
from pitwall.bus.capture import read_capture
from pitwall.errors import UsageError
try:
    read_capture(pathlib.Path(sys.argv[1]))
except UsageError as error:
    print(error)
"""
    path = tmp_path / "x.mf4"
    path.write_bytes(b"MDF     4.10    asammdf " + bytes(range(256)) * 4)
    done = subprocess.run([sys.executable, "-c", program, path], check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith(f"{path}: holds no CAN frame")
