"""What was typed in, one command run, an exit code out: 0 done, 1 failed, 2 bad usage, 3 done but with loss or damage.

The rim: every error becomes one clear line on stderr here, and nowhere else.  A command's module is imported only
when that command is used, so that `--help` answers at once and the recorder carries nothing that it doesn't need.
"""

from __future__ import annotations

import difflib
import errno
import importlib
import logging
import os
import re
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import click
from click.core import ParameterSource

from pitwall import __version__, logger
from pitwall.commands.options import (
    Places,
    Said,
    location_options,
    memory_option,
    option,
    said_options,
    shipped_cars,
    tracks_option,
)
from pitwall.errors import CarError, PitwallError

COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "run": ("run:run", "Record, project and serve a car, until stopped."),
    "record": ("record:record", "Write the frames of a bus into the log, until stopped."),
    "end": ("end:end", "End the session that is being recorded."),
    "hand-over": ("handing:hand_over", "Hand a USB device to the running recorder."),
    "serve": ("serve:serve", "Project the log and serve the page, until stopped."),
    "simulate": ("simulate:simulate", "Drive a simulated car, as fast as it can."),
    "import": ("importing:import_", "Bring recorded captures into a session."),
    "replay": ("replay:replay", "Rebuild the projections that are stale."),
    "sessions": ("sessions:sessions", "List the sessions of the log."),
    "channels": ("channels:channels", "List the channels of a session."),
    "laps": ("laps:laps", "List the laps of a session."),
    "compare": ("compare:compare", "Show where a lap loses time to another."),
    "bests": ("bests:bests", "List the best lap of each car on each track."),
    "tracks": ("track:tracks", "List the tracks that laps are found on."),
    "track": ("track:track", "Save a track under a name."),
    "corners": ("corners:corners", "Show how each corner was driven."),
    "debrief": ("debrief:debrief", "Say what to change next."),
    "why": ("why:why", "Tell what made a channel's value at some time."),
    "query": ("query:query", "Ask a session's projection in SQL."),
    "export": ("export:export", "Write a session's frames or channels to a file."),
    "car": ("car:car", "Check a car's definition, show what it makes."),
    "verify": ("verify:verify", "Check every batch of every segment of the log."),
    "archive": ("archive:archive", "Copy sessions elsewhere, prove it, free the space."),
    "restore": ("restore:restore", "Bring archived sessions back."),
    "retain": ("retain:retain", "Let old sessions go, or free space, once."),
    "pin": ("pin:pin", "Keep sessions on this machine."),
    "unpin": ("pin:unpin", "Take the pin out of sessions."),
    "key": ("key:key", "Make a key for encryption at rest."),
    "token": ("token:token", "Say who may ask the server."),
    "doctor": ("doctor:doctor", "Say what would keep this machine from recording."),
    "play": ("play:play", "Put a session back on a bus, in its own time."),
    "version": ("version:version", "Say which pitwall this is."),
}
"""Every command: `module:function` in `pitwall.commands`, and its line in `pitwall --help`."""

INTERRUPTED: Final = 128 + signal.SIGINT
"""The exit code after Ctrl-C, as every shell has it."""


class Commands(click.Group):
    """The commands of `COMMANDS`, each imported when it is first asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, function = COMMANDS[name][0].split(":")
        command = getattr(importlib.import_module(f"pitwall.commands.{module}"), function)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], COMMANDS, 1)
            ctx.fail(f"No such command '{args[0]}'." + "".join(f" Did you mean '{name}'?" for name in close))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read our output has had enough: nothing failed. What Python flushes on its way out goes nowhere.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return code


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80, "show_default": True},
    epilog="""
    \b
    A first look:
      pitwall run --simulate                    a simulated car, on the page
      pitwall simulate --laps 3                 three laps, into a session
      pitwall sessions                          what there is
      pitwall query latest "FROM channels"      ask it
    """,
)
@location_options("logs", "projections", "cars")
@tracks_option
@memory_option
@said_options
@option("-v", "--verbose", is_flag=True, help="The same as --log-level info.")
@click.version_option(__version__, "--version", message="pitwall %(version)s")
@click.pass_context
def cli(
    ctx: click.Context,
    logs: Path,
    projections: Path,
    cars: Path | None,
    log_level: str | None,
    log_json: bool,
    verbose: bool,
) -> None:
    """Pitwall: race-car telemetry.

    The log of raw CAN frames is the truth; everything else is a replay of it.  Each
    option can be set in the environment too, by the name shown beside it.

    Exit codes: 0 done, 1 failed, 2 bad usage, 3 done but with loss or damage found.
    """
    said = Said(log_level or ("info" if verbose else ""), log_json)
    logger.begin(said.level or "warning", as_json=log_json, process="pitwall")  # until the command knows better
    ctx.obj = Places(logs=logs, projections=projections, cars=cars or shipped_cars(), said=said)


def main() -> None:
    """The program `pitwall`."""
    logger.catch()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; whatever goes wrong is one line on stderr."""
    try:
        code = cli.main(list(arguments), prog_name="pitwall", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.exceptions.Abort:
        return _say("stopped", INTERRUPTED)
    except click.ClickException as error:
        return _say(_usage(error), error.exit_code)
    except CarError as error:
        return _say("\n".join(error.problems), error.exit_code)
    except PitwallError as error:
        return _say(str(error), error.exit_code)
    except OSError as error:
        return _say(_system(error), 1)
    except Exception as error:  # noqa: BLE001  the rim: whatever else comes is a bug of ours, and said to be one
        return _say(_bug(error), 1)
    return code if isinstance(code, int) else 0


def _say(lines: str, code: int) -> int:
    for line in lines.splitlines():
        logger.notice(line, logging.ERROR)
    return code


def _usage(error: click.ClickException) -> str:
    """What click says, without what helps nobody: a variable that wasn't used, --help as what was meant."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        error.possibilities[:] = [name for name in error.possibilities if name != "--help"]
    what = " ".join(error.format_message().split()).rstrip(".")
    parameter = error.param.name if isinstance(error, click.BadParameter) and error.param else None
    source = context.get_parameter_source(parameter) if context and parameter else None
    if source is not ParameterSource.ENVIRONMENT:
        what = re.sub(r" \(env var: '\w+'\)", "", what)
    return f"{what} ({context.command_path} --help tells more)" if context else what


def _system(error: OSError) -> str:
    """A file or a device that would not: said as the system says it, with advice where there is some."""
    hints = {
        errno.ENOSPC: "make room and try again; what was there before is untouched",
        errno.EDQUOT: "make room and try again; what was there before is untouched",
        errno.EACCES: "check who owns it and what its permissions are",
        errno.EROFS: "give a folder that can be written: --logs, --projections",
    }
    if not error.strerror:
        return str(error) or type(error).__name__
    hint = hints.get(error.errno or 0, "")
    return str(PitwallError(error.strerror.lower(), where=error.filename or "", hint=hint))


def _bug(error: Exception) -> str:
    if os.environ.get("PITWALL_DEBUG"):
        logging.getLogger("pitwall.cli").error("where it happened", exc_info=error)
    what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return str(PitwallError(f"a bug in pitwall: {what}", hint="PITWALL_DEBUG=1 shows where; please report it"))
