"""Environment variables in, where the language model is out. Nothing is asked of any machine but the one named here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from pitwall.errors import UsageError

URL: Final = "PITWALL_LLM_URL"
MODEL: Final = "PITWALL_LLM_MODEL"
KEY: Final = "PITWALL_LLM_KEY"
RESTART: Final = "PITWALL_LLM_RESTART"
AGENTS: Final = "PITWALL_LLM_AGENTS"

DEFAULT_URL: Final = "http://127.0.0.1:8099/v1"
OFF: Final = "off"

SHIPPED: Final = Path(__file__).parents[1] / "agents"
"""The agents that pitwall comes with."""


@dataclass(frozen=True, slots=True)
class Settings:
    """url: of an OpenAI-compatible server, up to `/v1`; empty: no model is asked.  model: its name; empty: the first.

    key: sent as a bearer token; empty: none.  restart: a command and its words, run without a shell; empty: none.
    agents: the folder of their definitions.
    """

    url: str = DEFAULT_URL
    model: str = ""
    key: str = ""
    restart: tuple[str, ...] = ()
    agents: Path = SHIPPED

    @property
    def parts(self) -> SplitResult:
        """The URL, taken apart."""
        return urlsplit(self.url)

    @property
    def shown_url(self) -> str:
        """The URL without a password that may stand in it."""
        parts = self.parts
        return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


NONE: Final = Settings(url="")
"""No model."""


def settings(environment: Mapping[str, str]) -> Settings:
    """What the variables say.  UsageError: one of them makes no sense."""
    url = environment.get(URL, DEFAULT_URL).strip().rstrip("/")
    if url.lower() in ("", OFF):
        return NONE
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment or not url.isascii() or any(c.isspace() for c in url):
        raise UsageError(f"{url[:80]!r} is no address of a server", where=URL, hint=f"{DEFAULT_URL}, or {OFF} for none")
    return Settings(
        url,
        _header_safe(environment, MODEL),
        _header_safe(environment, KEY),
        _command(environment.get(RESTART, "")),
        Path(environment.get(AGENTS, "").strip() or SHIPPED),
    )


def _header_safe(environment: Mapping[str, str], name: str) -> str:
    text = environment.get(name, "").strip()
    if not (text.isascii() and (text.isprintable() or not text)):
        raise UsageError("holds characters that can't be sent", where=name, hint="plain ASCII, on one line")
    return text


def _command(line: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(line))
    except ValueError as error:
        raise UsageError(f"is no command line: {error}", where=RESTART, hint="quotes as in a shell") from error
