"""The link that lets one browser in, as its QR code is read by a program that knows nothing of who drew it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson
import pytest
import zxingcpp

from pitwall.serve.access import Access
from pitwall.serve.tokens import Tokens
from tests.serve.stand import standing

ROOT = Path(__file__).parents[2]
BLOCKS = {" ": (0, 0), "▀": (1, 0), "▄": (0, 1), "█": (1, 1)}
"""What a cell shows in the colour of the text, above and below."""
PIXELS = 4
"""Of a cell's half: as wide as it is high, as in a terminal."""
COLOURS = {"231": 255, "16": 0}
"""Of the 256 that terminals number, as a camera sees them."""


def shown(*arguments: str) -> str:
    """All that `pitwall` writes to a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
    command = [sys.executable, "-m", "pitwall", *arguments]
    with subprocess.Popen(command, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True) as process:
        os.close(theirs)
        said = b""
        try:
            while block := os.read(ours, 65_536):
                said += block
        except OSError:  # Linux tells so that nobody holds the other end any more
            pass
        finally:
            os.close(ours)
    assert process.returncode == 0, said
    return said.decode()


def pixels(said: str, text: int, back: int) -> npt.NDArray[np.uint8]:
    """What a terminal of these two greys shows of blocks."""
    rows: list[list[int]] = []
    for line in re.sub("\r|\x1b\\[K", "", said).splitlines():
        upper, lower, now = [], [], (back, text)
        for part in re.split("(\x1b\\[[0-9;]*m)", line):
            coloured = re.fullmatch("\x1b\\[38;5;(\\d+);48;5;(\\d+)m", part)
            if coloured is not None:
                now = COLOURS[coloured[2]], COLOURS[coloured[1]]
            elif part == "\x1b[0m":
                now = back, text
            else:
                upper += [now[BLOCKS[one][0]] for one in part]
                lower += [now[BLOCKS[one][1]] for one in part]
        if upper:
            rows += [upper, lower]
    width = max(map(len, rows))
    grid = np.array([row + [back] * (width - len(row)) for row in rows], np.uint8)
    return np.kron(grid, np.ones((PIXELS, PIXELS), np.uint8))


@pytest.mark.parametrize(("text", "back"), [(230, 20), (20, 230), (128, 128)], ids=["dark", "light", "of one grey"])
def test_what_a_terminal_shows_is_the_link_and_lets_one_browser_in(tmp_path: Path, text: int, back: int) -> None:
    tokens = tmp_path / "tokens.json"
    with standing(access=Access("a-token-of-more-than-sixteen-characters", tokens=Tokens(tokens))) as stand:
        said = shown("token", "link", "--read-only", "--port", str(stand.port), "--tokens", str(tokens))
        line, _, square = said.partition("\n")
        (read,) = zxingcpp.read_barcodes(pixels(square, text, back), try_invert=False)
        assert read.format == zxingcpp.BarcodeFormat.QRCode
        assert read.text == line.rpartition(" ")[2].strip()
        address, _, code = read.text.partition("/login#")
        assert address == f"http://127.0.0.1:{stand.port}"
        status, headers, body = stand.post("/login", {"code": code})
        assert (status, orjson.loads(body)["read_only"]) == (200, True)
        assert stand.ask("/token", Cookie=headers["set-cookie"].partition(";")[0])[0] == 200
        assert stand.post("/login", {"code": code})[0] == 401, "a link is good once"
