"""A link that lets one browser in, and its QR code for a phone's camera, at the terminal."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING, Final

from pitwall.commands.output import announce

if TYPE_CHECKING:
    from pitwall.serve.tokens import Tokens

WHITE_ON_BLACK: Final = "\x1b[38;5;231;48;5;16m"
"""Whatever a terminal's own colours are: dark squares on light are what every camera reads."""
USUAL: Final = "\x1b[0m"


def invite(tokens: Tokens, host: str, port: int, *, read_only: bool = False) -> None:
    """Prints a new link to the server on `host`."""
    from pitwall.serve.inviting import code, link, reached

    url = link(tokens, reached(host, port), read_only=read_only)
    announce(f"pitwall: for one browser, once, within ten minutes: {url}")
    if sys.stdout.isatty():
        square = io.StringIO()
        code(url).terminal(square, compact=True)
        for line in square.getvalue().splitlines():
            announce(f"{WHITE_ON_BLACK}{line}{USUAL}")
