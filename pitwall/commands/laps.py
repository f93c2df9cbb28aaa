"""`pitwall laps`: a session in, its laps out."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

from pitwall.commands.asking import asking
from pitwall.commands.options import Places, json_option, places
from pitwall.commands.output import WIDTH, print_json, print_table
from pitwall.commands.referring import named, reference_option

if TYPE_CHECKING:
    import duckdb


@click.command
@click.argument("session")
@reference_option
@places("logs", "projections", "cars")
@json_option
def laps(places: Places, session: str, reference: str | None, as_json: bool) -> None:
    """List the laps of SESSION: times, sectors, what is best, and what can't be trusted.

    A * marks a best of the session, of laps and of each sector, a ? a time that can't be
    trusted.  The theoretical best is the sum of the best sectors; the rolling best is
    the best lap from any point of the track to the same point again.  docs/laps.md
    tells how laps are found.

    \b
    Examples:
      pitwall laps latest
      pitwall laps latest --reference ever
      pitwall query latest "FROM laps"
    """
    from pitwall.log.session import find
    from pitwall.project.lap_answers import TIMED, lap_facts, rounded

    asked = find(places.logs, session)
    with asking(asked, places) as connection:
        found = lap_facts(connection)
        against = None
        if reference is not None and found:
            against = _against(places, named(connection, asked, places, reference))
            for lap in found:
                timed = lap["kind"] in TIMED
                lap["reference_delta_s"] = rounded(lap["time_s"] - against["time_s"]) if timed else None
        if as_json:
            print_json(found)
            return
        if not found:
            click.echo(f"pitwall: no laps: {_lapless(connection)}", err=True)
            return
        _print(found, None if against is None else against["time_s"])
        compared = [] if against is None else [
            f"DELTA is to lap {against['number']} of {against['session']}, {clock(against['time_s'])}"
        ]  # fmt: skip
        for line in [*_untrusted(found), *compared, *_summary(connection)]:
            click.echo(fill(line, WIDTH, subsequent_indent="  "))


def _against(places: Places, which: tuple[str, str]) -> dict[str, Any]:
    """The lap that is compared with, and its session."""
    from pitwall.log.session import find
    from pitwall.project.lap_answers import chosen, lap_facts

    session = find(places.logs, which[0])
    with asking(session, places) as connection:
        return {**chosen(lap_facts(connection), session.id, which[1]), "session": session.id}


def _lapless(connection: duckdb.DuckDBPyConnection) -> str:
    """Why there is no lap, and what to do."""
    if not connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = 'laptime'").fetchone():
        return "the car has no position (give car.yaml the roles lat and lon, or import its GPS logger's file with it)"
    track = connection.execute("SELECT name FROM track").fetchone()
    if track is not None:
        return f"the start line of {track[0] or 'the track'} was not crossed (docs/laps.md tells how to set another)"
    return "no known start line was crossed, and no way came round to itself (docs/laps.md tells how to set a line)"


def clock(seconds: float | None) -> str:
    """`55.604`, `1:39.546`, `1:02:05.250`; nothing for none."""
    if seconds is None:
        return ""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    if not minutes:
        return f"{rest / 1000:.3f}"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest / 1000:06.3f}" if hours else f"{minutes}:{rest / 1000:06.3f}"


def _print(found: list[dict[str, Any]], against_s: float | None = None) -> None:
    from pitwall.project.lap_answers import TIMED

    good = [lap for lap in found if lap["flying"] and lap["valid"]]
    best_s = min((lap["time_s"] for lap in good), default=None)
    count = max((len(lap["sectors_s"]) for lap in found), default=0)
    shown = count if count <= MOST_SECTORS else 0
    best_of = [
        min((lap["sectors_s"][i] for lap in good if len(lap["sectors_s"]) > i and lap["sectors_s"][i]), default=None)
        for i in range(shown)
    ]
    columns = ("LAP", "KIND", "TIME", "DELTA", *(f"S{i + 1}" for i in range(shown)), "KM/H")
    rows = []
    for lap in found:
        counts = lap["flying"] and lap["valid"]
        times = [*lap["sectors_s"], *([None] * shown)][:shown]
        rows.append(
            (
                str(lap["number"]),
                lap["kind"],
                _marked(
                    lap["time_s"],
                    best_s if counts else None,
                    "?" if lap["kind"] in TIMED and not lap["valid"] else " ",
                ),
                _delta(lap["time_s"], best_s if against_s is None else against_s)
                if lap["time_s"] is not None and counts
                else "",
                *(_marked(time_s, best if counts else None) for time_s, best in zip(times, best_of, strict=True)),
                f"{lap['top_speed_mps'] * 3.6:.0f}" if lap["top_speed_mps"] is not None else "",
            )
        )
    print_table(columns, rows, right=tuple(name for name in columns if name != "KIND"))


MOST_SECTORS = 4
"""More do not fit a terminal; `--json` has all."""


def _untrusted(found: list[dict[str, Any]]) -> list[str]:
    from pitwall.project.lap_answers import TIMED

    untrusted = [lap for lap in found if lap["kind"] in TIMED and not lap["valid"]]
    return [f"? lap {lap['number']} is not to be trusted: {lap['why']}" for lap in untrusted]


def _summary(connection: duckdb.DuckDBPyConnection) -> list[str]:
    from pitwall.project.lap_answers import rolling_best

    row = connection.execute("FROM bests").fetchone()
    if row is None or row[1] is None:
        return []
    lap, time_s, theoretical_s, _ = row
    name = connection.execute("SELECT name, learned FROM track").fetchone()
    rolling = rolling_best(connection)
    parts = [f"best {clock(time_s)} (lap {lap})"]
    parts += [f"theoretical {clock(theoretical_s)}"] if theoretical_s is not None else []
    parts += [f"rolling {clock(rolling)}"] if rolling is not None else []
    called = "an unknown track, its line learned" if name is None or name[1] else name[0] or "a line set by hand"
    return ["", called, ", ".join(parts)]


def _marked(time_s: float | None, best: float | None, otherwise: str = " ") -> str:
    return clock(time_s) + ("*" if time_s is not None and time_s == best else otherwise)


def _delta(time_s: float, best_s: float | None) -> str:
    return "" if best_s is None or time_s == best_s else f"{time_s - best_s:+.3f}"
