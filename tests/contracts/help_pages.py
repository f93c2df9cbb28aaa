"""Every page of `pitwall --help`, as one document: `make docs` writes it to docs/command-line.md.

python -m tests.contracts.help_pages > docs/command-line.md
"""

from __future__ import annotations

from collections.abc import Iterator

import click

from pitwall.cli import COMMANDS, cli

WIDTH = 80


def pages() -> str:
    """The document."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    yield "# The command line"
    yield ""
    yield "Every page of `pitwall --help`; `make docs` writes this file, and a test compares the two."
    yield ""
    top = click.Context(cli, info_name="pitwall", terminal_width=WIDTH, **_settings())
    yield from _page("pitwall", cli.get_help(top))
    for name in COMMANDS:
        command = cli.get_command(top, name)
        assert command is not None
        yield from _pages(f"pitwall {name}", click.Context(command, parent=top, info_name=name))


def _pages(title: str, context: click.Context) -> Iterator[str]:
    """The page of a command, and those of its own commands."""
    yield from _page(title, context.command.get_help(context))
    if isinstance(context.command, click.Group):
        for name, command in context.command.commands.items():
            yield from _pages(f"{title} {name}", click.Context(command, parent=context, info_name=name))


def _page(title: str, help: str) -> Iterator[str]:
    yield from (f"## {title}", "", "```text", *(line.rstrip() for line in help.splitlines()), "```", "")


def _settings() -> dict[str, object]:
    return {key: value for key, value in cli.context_settings.items() if key != "max_content_width"}


if __name__ == "__main__":
    print(pages(), end="")
