"""YAML files in, agents out: what a model is told, at which level, with which figures and tools, within which limits.

Laws: a definition is read when it is first used, and again when its file has changed; one that nobody used for IDLE_S
is let go of; whatever is wrong with one is said at once, each problem `file:line:column: what (hint)`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pitwall.car.document import Entry, Problems, read, suggestion
from pitwall.coach.finding import Level
from pitwall.errors import UsageError
from pitwall.serve.model.sense import MAX_CHARS
from pitwall.serve.model.tools import TOOLS

IDLE_S: Final = 300.0
MOST: Final = 32
"""Definitions in a folder."""
MAX_FILE_BYTES: Final = 1 << 16

FIGURES: Final = ("brief", "debrief", "question")
"""What an agent is given: the rules' brief, their debrief, or what they answer to a question."""

MAX_ROUNDS: Final = 6
"""Of tools: each costs a turn of the model."""
MAX_TOKENS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Limits:
    """rounds: turns in which it may call tools.  tokens: of each turn.  chars: of an answer."""

    rounds: int
    tokens: int
    chars: int


@dataclass(frozen=True, slots=True)
class Agent:
    """does: what it is for, in a line.  system: what it is told.  levels: and at each level.  tools: it may call."""

    name: str
    does: str
    figures: str
    system: str
    levels: Mapping[Level, str]
    tools: tuple[str, ...]
    limits: Limits

    def facts(self) -> dict[str, Any]:
        """As `/coach/agents` has it."""
        limits = {"rounds": self.limits.rounds, "tokens": self.limits.tokens, "chars": self.limits.chars}
        return {
            "name": self.name,
            "does": self.does,
            "figures": self.figures,
            "levels": [str(level) for level in self.levels],
            "tools": list(self.tools),
            "limits": limits,
        }


@dataclass(slots=True)
class _Held:
    agent: Agent
    stamp: tuple[int, int]
    used_s: float


class Agents:
    """Those of a folder."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._held: dict[str, _Held] = {}

    def names(self) -> list[str]:
        """That there are files for, at most MOST."""
        try:
            return sorted(file.stem for file in self._folder.glob("*.yaml"))[:MOST]
        except OSError:
            return []

    def get(self, name: str) -> Agent:
        """The agent of that name.  UsageError: there is none, or it is wrong: all that is wrong with it."""
        self.let_go()
        if name not in self.names():
            raise UsageError(f"there is no agent {name[:80]!r}", hint=suggestion(name, self.names()))
        file = self._folder / f"{name}.yaml"
        held = self._held.get(name)
        if held is None or held.stamp != _stamp(file):
            held = _Held(load(file), _stamp(file), 0.0)
            self._held[name] = held
        held.used_s = self._clock()
        return held.agent

    def let_go(self) -> None:
        """Forgets those that nobody used for long."""
        now = self._clock()
        self._held = {name: held for name, held in self._held.items() if now - held.used_s < IDLE_S}

    def report(self) -> list[dict[str, Any]]:
        """Every one of them, with whether it is loaded; one that is wrong with what is wrong."""
        return [self._facts(name) | {"loaded": name in self._held} for name in self.names()]

    def _facts(self, name: str) -> dict[str, Any]:
        try:
            return load(self._folder / f"{name}.yaml").facts() | {"error": None}
        except UsageError as error:
            return {"name": name, "error": error.what}


def load(file: Path) -> Agent:
    """The agent in `file`.  UsageError: what is wrong with it, all of it."""
    problems = Problems()
    agent = _agent(file, problems)
    if agent is None or problems:
        raise UsageError("; ".join(problems.lines()), hint="docs/language-model.md tells what an agent's file holds")
    return agent


KEYS: Final = ("agent", "does", "figures", "system", "levels", "tools", "limits")


def _agent(file: Path, problems: Problems) -> Agent | None:
    if _stamp(file)[1] > MAX_FILE_BYTES:
        problems.add((file.name, 1), f"is longer than {MAX_FILE_BYTES:,} bytes")
        return None
    document = read(file, file.name, problems, holds="agent", begins="agent: and does:")
    if document is None:
        return None
    found = document.mapping(KEYS)
    for key in KEYS:
        if key not in found:
            document.problem(f"{key}: is missing")
    if problems:
        return None
    name, does, system = (found[key].text() or "" for key in ("agent", "does", "system"))
    if name != file.stem:
        found["agent"].problem(f"the file is called {file.stem!r}, and the agent {name!r}")
    figures = _one_of(found["figures"], FIGURES)
    levels = found["levels"].mapping(list(Level))
    words = {level: (levels[level].text() or "") if level in levels else "" for level in Level}
    for level in Level:
        if level not in levels:
            found["levels"].problem(f"{level}: is missing")
    tools = tuple(_one_of(entry, TOOLS) for entry in found["tools"].items())
    limits = _limits(found["limits"])
    if problems or limits is None:
        return None
    return Agent(name, does, figures, " ".join(system.split()), words, tools, limits)


def _limits(entry: Entry) -> Limits | None:
    most = {"rounds": MAX_ROUNDS, "tokens": MAX_TOKENS, "chars": MAX_CHARS}
    found = entry.mapping(most)
    values: dict[str, int] = {}
    for key, limit in most.items():
        if key not in found:
            entry.problem(f"{key}: is missing")
            continue
        value = found[key].whole(above=-1 if key == "rounds" else 0)
        if value is not None and value > limit:
            found[key].problem(f"{value:,} is more than {limit:,}, the most that can be")
        values[key] = value or 0
    return Limits(**values) if len(values) == len(most) else None


def _one_of(entry: Entry, known: Any) -> str:
    text = entry.text() or ""
    if text and text not in known:
        entry.problem(f"{text!r} is not known", suggestion(text, known))
    return text


def _stamp(file: Path) -> tuple[int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0
    return found.st_mtime_ns, found.st_size
