"""docs/language-model.md and docs/api.md know every variable, agent, tool, key, route and problem of the coach."""

from __future__ import annotations

from pathlib import Path

import pytest

from pitwall.serve.model import settings
from pitwall.serve.model.agents import FIGURES, KEYS, Agents
from pitwall.serve.model.tools import TOOLS
from pitwall.serve.problem import PROBLEMS

DOCS = Path(__file__).parents[2] / "docs"
PAGE, API = (DOCS / "language-model.md").read_text(), (DOCS / "api.md").read_text()
VARIABLES = (settings.URL, settings.MODEL, settings.KEY, settings.RESTART, settings.AGENTS)


@pytest.mark.parametrize("name", [*VARIABLES, *KEYS, *TOOLS])
def test_every_variable_key_and_tool_has_its_row(name: str) -> None:
    assert f"\n| `{name}` |" in PAGE


def test_agents_figures_and_the_address_are_told() -> None:
    for name in (*Agents(settings.SHIPPED).names(), *FIGURES, settings.DEFAULT_URL):
        assert f"`{name}`" in PAGE


@pytest.mark.parametrize("route", ["/coach/brief", "/coach/debrief", "POST /coach/ask", "/coach/agents"])
def test_every_route_has_its_row(route: str) -> None:
    assert f"\n| `{route}` |" in API


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_is_told(name: str) -> None:
    assert f"`{name}`" in API
