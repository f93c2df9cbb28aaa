"""Questions about channels: speeds, temperatures, pressures, fuel, or any by its name."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from pitwall.coach.finding import Link
from pitwall.project.database import quoted
from pitwall.serve.asking.reply import Answer, Asked, Fact, start, told
from pitwall.serve.model.ground import Ground
from pitwall.serve.model.rows import has

MOST_CHANNELS: Final = 6
"""That one answer speaks of."""
MOST_INCIDENTS: Final = 8


def speed(asked: Asked) -> Answer:
    laps = [lap for lap in asked.good_laps() if lap["top_speed_mps"] is not None]
    if not laps:
        return channels(asked, "speed") or told("No speed is known in this session.", ())
    slow = re.search(r"slowest|minimum|lowest", asked.text) is not None
    column = "min_speed_mps" if slow else "top_speed_mps"
    laps = [lap for lap in laps if lap[column] is not None] or laps
    lap = (min if slow else max)(laps, key=lambda each: each[column])
    speed = round(lap[column] * 3.6, 1)
    name = "minimum" if slow else "top"
    words = f"Your {name} speed on a lap that counts was {speed:g} km/h, on lap {lap['number']}."
    return told(words, [Fact(f"{name}_speed", speed, "km/h", lap["number"])], [start(lap["number"])])


def of_unit(*units: str) -> Callable[[Asked], Answer | None]:
    def answered(asked: Asked) -> Answer | None:
        return channels(asked, "", units) or told("No channel of that kind was recorded in this session.", ())

    return answered


def channels(asked: Asked, word: str, units: Sequence[str] = ()) -> Answer | None:
    """What channels came to: of these units, or that the question names, or whose name has `word` in it."""
    if not has(asked.cursor, "channels"):
        return None
    every = asked.rows("SELECT name, unit, table_name, column_name, rows FROM channels WHERE rows > 0 ORDER BY name")
    # the longest names first: `wheel_speed_rear` before `speed`
    named = [
        row
        for row in every
        if re.search(rf"\b{re.escape(row['name'].lower().replace('_', ' '))}\b", _spaced(asked.text))
    ]
    named = [row for row in named if not any(row is not each and row["name"] in each["name"] for each in named)]
    if units:
        of_unit = [row for row in every if (row["unit"] or "").lower() in units]
        named = [row for row in of_unit if set(_spaced(row["name"].lower()).split()) & _subjects(asked.text)] or of_unit
    elif word and not named:
        named = [row for row in every if word in row["name"]]
    facts, parts = [], []
    for row in named[:MOST_CHANNELS]:
        column, table = quoted(row["column_name"]), quoted(row["table_name"])
        sql = f"SELECT min({column}), max({column}), arg_max({column}, t) FROM {table}"  # noqa: S608
        ((least, most, last),) = asked.cursor.execute(sql).fetchall()
        if least is None:
            continue
        unit = _shown_unit(row["unit"] or "")
        values = [float(f"{value:.4g}") for value in (least, most, last)]
        facts += [
            Fact(f"{row['name']} {what}", value, row["unit"] or "")
            for what, value in zip(("least", "most", "last"), values, strict=True)
        ]
        words = [f"{value:g}{unit}" for value in values]
        parts.append(f"{row['name'].replace('_', ' ')}: {words[0]} to {words[1]}, {words[2]} at last")
    if not parts:
        return None
    names = frozenset(name for row in named for name in (row["name"], row["name"].replace("_", " ")))
    return told("; ".join(parts)[:1].upper() + "; ".join(parts)[1:] + ".", facts, (), Ground(names=names))


_GENERAL: Final = frozenset(
    [
        "temp",
        "temps",
        "temperature",
        "temperatures",
        "pressure",
        "pressures",
        "the",
        "my",
        "how",
        "what",
        "was",
        "is",
        "were",
    ]
)


def _subjects(text: str) -> set[str]:
    """The words of a question that may be of a channel's name, and of no kind of them."""
    return set(re.findall(r"[a-z]+", text)) - _GENERAL


def _spaced(text: str) -> str:
    return text.replace("_", " ")


def _shown_unit(unit: str) -> str:
    return {"": "", "degC": " °C", "degF": " °F", "%": " %"}.get(unit, f" {unit}")


def incidents(asked: Asked) -> Answer:
    """What went wrong, in its order."""
    if not has(asked.cursor, "incidents"):
        return told("Nothing is known of incidents in this session.", ())
    rows = asked.rows("SELECT kind, what, lap, distance_m FROM incidents ORDER BY t")
    if not rows:
        return told("Nothing went wrong in this session that the data would show.", ())
    facts, links, parts = [], [], []
    for row in rows[:MOST_INCIDENTS]:
        what = f"{row['kind'].replace('-', ' ')}{' of ' + _spaced(row['what']) if row['what'] else ''}"
        if row["lap"] is not None and row["distance_m"] is not None:
            distance = round(row["distance_m"])
            facts.append(Fact(row["kind"], distance, "m", row["lap"]))
            links.append(Link(row["lap"], "", float(distance)))
            what += f" on lap {row['lap']} at {distance} m"
        parts.append(what)
    more = f"; the first {len(parts)} are told" if len(rows) > len(parts) else ""
    names = frozenset(_spaced(row["what"]) for row in rows if row["what"])
    ground = Ground(counts=frozenset({len(rows), len(parts)}), names=names)
    return told(f"{len(rows)} incidents{more}: {'; '.join(parts)}.", facts, links, ground)


def fuel(asked: Asked) -> Answer | None:
    return channels(asked, "fuel") or told("No fuel was measured in this session.", ())
