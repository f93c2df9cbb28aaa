"""A server's own address and its tokens in, a link that lets one browser in and its QR code out."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from pitwall.serve.access import bracketed

if TYPE_CHECKING:
    import segno

    from pitwall.serve.tokens import Tokens

ELSEWHERE: Final = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}
"""Addresses that stand in documentation alone: which of ours leads out is asked, and nothing is sent."""


def link(tokens: Tokens, address: str, *, read_only: bool = False) -> str:
    """A new one, good once and for ten minutes.  address: `HOST:PORT`, as another device reaches the server."""
    return f"http://{address}/login#{tokens.link(read_only=read_only)}"


def code(url: str) -> segno.QRCode:
    """Its QR code."""
    import segno

    return segno.make(url, micro=False)


def reached(host: str, port: int) -> str:
    """`HOST:PORT` by which another machine reaches a server on `host`; where that is all addresses, the one that leads
    out."""
    return f"{bracketed(_leading_out(host))}:{port}"


def _leading_out(host: str) -> str:
    families = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}  # noqa: S104  compared, not bound
    if host not in families:
        return host
    try:
        with socket.socket(families[host], socket.SOCK_DGRAM) as probe:
            probe.connect((ELSEWHERE[families[host]], 9))
            return str(probe.getsockname()[0])
    except OSError:
        return socket.gethostname()
