"""The documents say what the program does: every command, option, environment variable and make target."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from pitwall.cli import COMMANDS, cli
from tests.contracts.help_pages import pages

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def options() -> list[tuple[str, click.Option]]:
    top = click.Context(cli, info_name="pitwall")
    named = [cli.get_command(top, name) for name in COMMANDS]
    groups = [command for command in named if isinstance(command, click.Group)]
    commands = [cli, *named, *(command for group in groups for command in group.commands.values())]
    return [
        (str(command.name), parameter)
        for command in commands
        if command is not None
        for parameter in command.params
        if isinstance(parameter, click.Option)
    ]


def test_the_commands_document_is_what_help_says() -> None:
    assert (ROOT / "docs" / "command-line.md").read_text() == pages(), "run: make docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_readme_names_every_command(name: str) -> None:
    assert f"`pitwall {name}" in README


def test_readme_opens_with_the_two_commands() -> None:
    first = re.search(r"```sh\n(.*?)```", README, re.DOTALL)
    assert first is not None
    assert [line.split("#")[0].strip() for line in first[1].splitlines()] == ["make run", "make test"]
    assert README.index("```sh") < 20


def test_every_flag_has_its_environment_variable_and_its_words() -> None:
    for command, parameter in options():
        if parameter.name in ("version", "help"):
            continue
        long = next(name for name in parameter.opts if name.startswith("--"))
        assert parameter.envvar == "PITWALL_" + long[2:].replace("-", "_").upper(), f"{command} {long}"
        assert parameter.help, f"{command} {long}"


def test_no_help_page_is_wider_than_a_terminal() -> None:
    assert not [line for line in pages().splitlines() if len(line) > 80 and not line.startswith("Every page")]


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=str)
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    assert phony is not None
    described = re.findall(r"^([a-z0-9-]+):.*## ", text, re.MULTILINE)
    assert sorted(phony[1].split()) == sorted(described)
