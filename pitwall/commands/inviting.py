"""A link that lets one browser in, and its QR code for a phone's camera."""

from __future__ import annotations

import io
import socket
import sys
from typing import TYPE_CHECKING, Final

from pitwall.commands.output import announce

if TYPE_CHECKING:
    from pitwall.serve.tokens import Tokens

ELSEWHERE: Final = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses that stand in documentation alone: which of ours leads out is asked, and nothing is sent."""

WHITE_ON_BLACK: Final = "\x1b[38;5;231;48;5;16m"
"""Whatever a terminal's own colours are: dark squares on light are what every camera reads."""
USUAL: Final = "\x1b[0m"


def invite(tokens: Tokens, host: str, port: int, *, read_only: bool = False) -> None:
    """Prints a new link to the server on `host`; where it is for all addresses, by the one that leads out."""
    address = reached(host)
    shown = f"[{address}]" if ":" in address else address
    url = f"http://{shown}:{port}/login#{tokens.link(read_only=read_only)}"
    announce(f"pitwall: for one browser, once, within ten minutes: {url}")
    if sys.stdout.isatty():
        import segno

        square = io.StringIO()
        segno.make(url, micro=False).terminal(square, compact=True)
        for line in square.getvalue().splitlines():
            announce(f"{WHITE_ON_BLACK}{line}{USUAL}")


def reached(host: str) -> str:
    """The address by which another machine reaches a server on `host`."""
    families = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}  # noqa: S104  compared, not bound
    if host not in families:
        return host
    try:
        with socket.socket(families[host], socket.SOCK_DGRAM) as probe:
            probe.connect((ELSEWHERE[families[host]], 9))
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()
