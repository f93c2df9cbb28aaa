"""The options that commands share: where things live, and an environment variable for each flag.

An option's variable is `PITWALL_` and its long name, whatever command it belongs to.  Where things live may be said
before the command or after it; what stands nearest to the command wins, and the command line over the environment.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import click
from click.core import ParameterSource

from pitwall import logger

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Said:
    """How much is told of what goes on, and in what form.  level: "": by default, as of the command."""

    level: str = ""
    as_json: bool = False

    def arguments(self) -> list[str]:
        """The same, for another process of ours."""
        return [*(["--log-level", self.level] if self.level else []), *(["--log-json"] if self.as_json else [])]


@dataclass(frozen=True, slots=True)
class Places:
    """Where things live, and how much is said about them."""

    logs: Path
    projections: Path
    cars: Path
    said: Said = Said()


def shipped_cars() -> Path:
    """The cars folder to use where none is given: `./cars` where there is one, else what came with pitwall."""
    package = Path(__file__).parents[1]
    # in a wheel the cars lie within the package, in a working tree beside it
    folders = (Path("cars"), package / "cars", package.parent / "cars")
    return next((folder for folder in folders if folder.is_dir()), folders[0])


def option(*declarations: str, **attributes: Any) -> Callable[[Function], Function]:
    """`click.option` with its environment variable: `--some-name` is `PITWALL_SOME_NAME` too."""
    long = next(name for name in declarations if name.startswith("--")).split("/")[0]
    variable = "PITWALL_" + long.removeprefix("--").replace("-", "_").upper()
    return click.option(*declarations, envvar=variable, show_envvar=True, **attributes)


_LOCATIONS: Final[dict[str, dict[str, Any]]] = {
    "logs": {"default": Path("logs"), "help": "The log: one folder a session."},
    "projections": {"default": Path("projections"), "help": "What is built from the log."},
    "cars": {"default": None, "help": "Car definitions: ./cars, or what came with pitwall."},
}


def location_options(*names: str) -> Callable[[Function], Function]:
    """The options that say where `names` (logs, projections, cars) live."""

    def decorate(function: Function) -> Function:
        for name in reversed(names):
            kind = click.Path(file_okay=False, path_type=Path)
            function = option(f"--{name}", type=kind, metavar="DIR", **_LOCATIONS[name])(function)
        return function

    return decorate


def said_options(function: Function) -> Function:
    """How much is told, and in what form: `--log-level`, `--log-json`."""
    as_json = option("--log-json", is_flag=True, help="Say it in JSON, an object a line.")
    level = option(
        "--log-level",
        type=click.Choice(logger.LEVELS),
        default=None,
        help="How much is said: info of what runs until stopped, else warning.",
    )
    return level(as_json(function))


def memory_option(function: Function) -> Function:
    """`--memory`: what DuckDB may take; in the environment, so that every process that we start has it too."""

    def put(context: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            from pitwall.project.memory import VARIABLE, parsed

            parsed(value)
            os.environ[VARIABLE] = value

    text = "Memory for an open projection: 256MB on a phone."
    return option("--memory", metavar="SIZE", expose_value=False, callback=put, help=text)(function)


def tracks_option(function: Function) -> Function:
    """`--tracks`: where a user's own tracks lie; in the environment, so that every process that we start has it too."""

    def put(context: click.Context, _: click.Parameter, value: str | None) -> None:
        if value is not None:
            os.environ["PITWALL_TRACKS"] = value

    text = "Your own tracks, beside those that came with pitwall: ./tracks."
    return option("--tracks", metavar="DIR", expose_value=False, callback=put, help=text)(function)


def places(*names: str, process: str = "") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Gives a command the options `names` and, as its `places`, where things live after all that was said.

    process: of a command that runs until it is stopped, what that is, in a word; it may say how much is told, too.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(**parameters: Any) -> Any:
            context = click.get_current_context()
            said = {name: parameters.pop(name) for name in names}
            here = {
                name: value
                for name, value in said.items()
                if context.get_parameter_source(name) is ParameterSource.COMMANDLINE
            }
            known = replace(context.find_object(Places) or _defaults(), **here)
            if process:
                level, as_json = parameters.pop("log_level"), parameters.pop("log_json")
                known = replace(known, said=Said(level or known.said.level, as_json or known.said.as_json))
            level = known.said.level or ("info" if process else "warning")
            logger.begin(level, as_json=known.said.as_json, process=process or "pitwall")
            return function(places=known, **parameters)

        return location_options(*names)(said_options(call) if process else call)

    return decorate


def _defaults() -> Places:
    return Places(logs=Path("logs"), projections=Path("projections"), cars=shipped_cars())


LEVELS: Final = ("novice", "intermediate", "advanced")


def level_option(function: Function) -> Function:
    """`--level`: whom the coach speaks to, a `Level`'s name."""
    return option("--level", type=click.Choice(LEVELS), default=LEVELS[1], show_default=True, help="Whom it is for.")(
        function
    )


def json_option(function: Function) -> Function:
    """`--json`: data for programs, plain numbers instead of human units."""
    return option("--json", "as_json", is_flag=True, help="Print JSON, with plain numbers.")(function)


def seconds(text: str) -> float:
    """A time into a session, as `90`, `90.5`, `1:30` or `0:01:30.5` say it."""
    try:
        parts = [float(part) for part in str(text).split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(0 <= part < float("inf") for part in parts):
        raise click.BadParameter(f"{text!r} is no time: give seconds (90.5), or 1:30")
    return sum(part * 60.0**power for power, part in enumerate(reversed(parts)))


Line = tuple[tuple[float, float], tuple[float, float]]
"""The two ends of a line, each latitude and longitude."""


def start_line(text: str) -> Line:
    """The two ends of a line across the track, as LAT,LON,LAT,LON in degrees."""
    try:
        a, b, c, d = (float(part) for part in str(text).split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is no line: give LAT,LON,LAT,LON in degrees") from None
    if not (all(abs(lat) <= 90 for lat in (a, c)) and all(abs(lon) <= 180 for lon in (b, d))):
        raise click.BadParameter(f"{text!r} is no line: latitudes are within 90 degrees, longitudes within 180")
    if (a, b) == (c, d):
        raise click.BadParameter(f"{text!r} is a point: give both ends of a line across the track")
    return (a, b), (c, d)
