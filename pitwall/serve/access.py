"""A request's headers in, who asks out: by which names the server is known, which pages may ask, whose token it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Final

from pitwall.errors import UsageError
from pitwall.serve.tokens import SHORTEST, Tokens, same

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
COOKIE: Final = "pitwall"
HEADER: Final = "x-pitwall-token"
BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True)
class Who:
    """Who asks.  name: of its token; empty: none is demanded."""

    name: str = ""
    read_only: bool = False


NOBODY: Final = Who()
OWNER: Final = Who("PITWALL_TOKEN")


@dataclass(frozen=True, slots=True)
class Access:
    """What a server demands.  token: PITWALL_TOKEN; empty: nobody is asked for one.

    hosts: names that it is known by, in lower case, besides loopback's and the address that a connection came to.
    origins: pages from elsewhere that may ask, as browsers name them.  tokens: further ones.
    """

    token: str = ""
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()
    tokens: Tokens | None = None

    def knows_host(self, host: str, address: str) -> bool:
        """Whether a Host header names this server.  address: of ours, that the connection came to.

        An address in the header can't be somebody else's name that was made to lead here.
        """
        name = host_name(host)
        return name is not None and (
            name in LOOPBACK_NAMES
            or name.endswith(".localhost")
            or name in self.hosts
            or name == bracketed(address.removeprefix("::ffff:"))
        )

    def who(self, headers: Mapping[str, str]) -> Who | None:
        """Whose request that is; None: nobody's that is known."""
        if not self.token:
            return NOBODY
        secret = presented(headers)
        if secret is None:
            return None
        return self.holder(secret)

    def holder(self, secret: bytes) -> Who | None:
        """Whose secret that is."""
        if same(secret, self.token.encode()):
            return OWNER
        token = self.tokens.who(secret) if self.tokens is not None else None
        return Who(token.name, token.read_only) if token is not None else None


def access(
    host: str, token: str, *, hosts: tuple[str, ...] = (), origins: tuple[str, ...] = (), tokens: Tokens | None = None
) -> Access:
    """What a server on `host` demands.  UsageError: it is no address of this machine alone, and there is no token."""
    make = "export PITWALL_TOKEN=$(pitwall token make)"
    if not is_loopback(host) and not token:
        raise UsageError("whoever reaches this address could read everything: it needs a token", where=host, hint=make)
    if token and len(token) < SHORTEST:
        raise UsageError(f"it has fewer than {SHORTEST} characters", where="PITWALL_TOKEN", hint=make)
    named = {host, *hosts}
    if host in ("0.0.0.0", "::"):  # noqa: S104  compared, not bound
        named |= _own_names()
    return Access(token, frozenset(bracketed(name.lower()) for name in named), _origins(origins), tokens)


def presented(headers: Mapping[str, str]) -> bytes | None:
    """The secret that a request carries, in whichever of the three ways."""
    given = headers.get(HEADER, "")
    if not given:
        said = headers.get("authorization", "")
        given = said[len(BEARER) :].strip() if said.lower().startswith(BEARER) else ""
    if not given:
        try:
            morsel = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            morsel = None
        given = morsel.value if morsel is not None else ""
    return given.encode("utf-8", "surrogateescape") or None


def host_name(host: str) -> str | None:
    """A Host header's name without its port, in lower case; None: it is none."""
    name, colon, port = host.lower().rpartition(":")
    if not colon or name.count(":") != host.count(":") - 1 or host.endswith("]"):
        name, port = host.lower(), "0"
    return name if name and port.isascii() and port.isdigit() else None


def is_loopback(host: str) -> bool:
    """Whether nobody but this machine reaches that address."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def bracketed(address: str) -> str:
    """An address as it stands in a URL."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


def _own_names() -> set[str]:
    import socket

    name = socket.gethostname()
    return {name, f"{name.split('.')[0]}.local"}


def _origins(said: tuple[str, ...]) -> frozenset[str]:
    for origin in said:
        scheme, _, rest = origin.partition("://")
        if scheme not in ("http", "https") or not rest or any(letter in rest for letter in "/?#@* ,"):
            hint = "as browsers say it: https://app.foxglove.dev"
            raise UsageError(f"{origin!r} is no origin", where="--allow-origin", hint=hint)
    return frozenset(origin.lower() for origin in said)
