"""A window of a session's projection in, its messages out, in the order of time: what is played, and what is exported.

Reads through a cursor; writes nothing. A window is half open, so that windows one behind the other give each message
once. It is what is held in memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from pitwall.project.database import quoted
from pitwall.serve.foxglove.topics import Channel, Topic, fix, lap, row, said

if TYPE_CHECKING:
    import duckdb

WINDOW_NS: Final = 5_000_000_000
"""Of one question: some ten thousand messages of a dash logger's stream, a few MB."""

FIX_NS: Final = 1_000_000_000
"""Where latitude and longitude come in two messages, so old may the one be beside the other."""


class Message(NamedTuple):
    """t: ns since the session began.  topic: its place among the topics.  data: JSON."""

    t: int
    topic: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Span:
    """What a session's projection spans: t of its first and of its last row, ns; both 0 where it is empty."""

    first: int
    last: int


def channels(cursor: duckdb.DuckDBPyConnection) -> list[Channel]:
    """The channels that the projection has, in their order."""
    rows = cursor.execute("SELECT name, unit, source, table_name, column_name FROM channels").fetchall()
    return [Channel(name, unit or "", source or "", table, column) for name, unit, source, table, column in rows]


def span(cursor: duckdb.DuckDBPyConnection, known: Sequence[Channel]) -> Span:
    """From the first to the last row of any channel's table."""
    each = [
        f"SELECT min(t) AS first, max(t) AS last FROM {quoted(table)}"  # noqa: S608
        for table in dict.fromkeys(channel.table for channel in known)
    ]
    if not each:
        return Span(0, 0)
    ends = cursor.execute(f"SELECT min(first), max(last) FROM ({' UNION ALL '.join(each)})").fetchone()  # noqa: S608
    return Span(ends[0] or 0, ends[1] or 0) if ends else Span(0, 0)


def windows(begin: int, end: int, step: int = WINDOW_NS) -> Iterator[tuple[int, int]]:
    """[begin, end) in pieces of `step`."""
    for at in range(begin, end, step):
        yield at, min(at + step, end)


def between(
    cursor: duckdb.DuckDBPyConnection, topics: Sequence[Topic], started_at_ns: int, t_from: int, t_to: int
) -> list[Message]:
    """The messages with t_from <= t < t_to, by t; at one t as their topics stand, in one as the log has them."""
    found = [
        Message(t, place, data)
        for place, topic in enumerate(topics)
        for t, data in _READ[topic.kind](cursor, topic, started_at_ns, t_from, t_to)
    ]
    found.sort(key=itemgetter(0))
    return found


def before(cursor: duckdb.DuckDBPyConnection, topics: Sequence[Topic], started_at_ns: int, t: int) -> list[Message]:
    """The last value of every channel before `t`, at the time that it was of: what slow channels show after a seek."""
    found: list[Message] = []
    for place, topic in enumerate(topics):
        if topic.kind == "table":
            found += [Message(at, place, data) for at, data in _last(cursor, topic, t)]
        elif topic.kind == "position":
            found += [Message(at, place, data) for at, data in _fixes(cursor, topic, started_at_ns, t - FIX_NS, t)][-1:]
    found.sort(key=itemgetter(0))
    return found


_Found = Iterator[tuple[int, bytes]]


def _rows(cursor: duckdb.DuckDBPyConnection, topic: Topic, started_at_ns: int, t_from: int, t_to: int) -> _Found:
    names = [channel.name for channel in topic.channels]
    columns = ", ".join(quoted(channel.column) for channel in topic.channels)
    sql = f"SELECT t, {columns} FROM {quoted(topic.channels[0].table)} WHERE t >= ? AND t < ?"  # noqa: S608
    for t, *values in cursor.execute(sql, [t_from, t_to]).fetchall():
        data = row(names, values)
        if data is not None:
            yield t, data


def _last(cursor: duckdb.DuckDBPyConnection, topic: Topic, t: int) -> _Found:
    columns = [quoted(channel.column) for channel in topic.channels]
    each = ", ".join(f"max(t) FILTER ({c} IS NOT NULL), arg_max({c}, t)" for c in columns)
    found = cursor.execute(f"SELECT {each} FROM {quoted(topic.channels[0].table)} WHERE t < ?", [t]).fetchone()  # noqa: S608
    by_time: dict[int, dict[str, float]] = {}
    for channel, at, value in zip(topic.channels, (found or ())[::2], (found or ())[1::2], strict=False):
        if at is not None:
            by_time.setdefault(at, {})[channel.name] = value
    for at, values in sorted(by_time.items()):
        data = row(list(values), list(values.values()))
        if data is not None:
            yield at, data


def _fixes(cursor: duckdb.DuckDBPyConnection, topic: Topic, started_at_ns: int, t_from: int, t_to: int) -> _Found:
    latitude, longitude = topic.channels
    lat, lon = quoted(latitude.column), quoted(longitude.column)
    if latitude.table == longitude.table:
        sql = f"SELECT t, {lat}, {lon} FROM {quoted(latitude.table)} WHERE t >= $from AND t < $to"  # noqa: S608
        asked = {"from": t_from, "to": t_to}
    else:
        sql = (
            f"SELECT a.t, a.{lat}, b.{lon} FROM (FROM {quoted(latitude.table)} WHERE t >= $from AND t < $to) a "  # noqa: S608
            f"ASOF JOIN (FROM {quoted(longitude.table)} WHERE t >= $from - $old AND {lon} IS NOT NULL) b "
            "ON a.t >= b.t WHERE a.t - b.t <= $old ORDER BY a.t"
        )
        asked = {"from": t_from, "to": t_to, "old": FIX_NS}
    for t, latitude_deg, longitude_deg in cursor.execute(sql, asked).fetchall():
        data = fix(started_at_ns + t, latitude_deg, longitude_deg)
        if data is not None:
            yield t, data


def _log(cursor: duckdb.DuckDBPyConnection, topic: Topic, started_at_ns: int, t_from: int, t_to: int) -> _Found:
    sql = "SELECT t, priority, advanced FROM cues WHERE t >= ? AND t < ? ORDER BY t"
    for t, priority, words in cursor.execute(sql, [t_from, t_to]).fetchall():
        yield t, said(started_at_ns + t, "cue", priority, words or "")
    sql = "SELECT told_t, priority, kind, what, figures FROM incidents WHERE told_t >= ? AND told_t < ? ORDER BY told_t"
    for t, priority, kind, what, figures in cursor.execute(sql, [t_from, t_to]).fetchall():
        yield t, said(started_at_ns + t, "incident", priority, _incident(kind, what, figures))


def _incident(kind: str, what: str | None, figures: str | None) -> str:
    numbers = json.loads(figures) if figures else {}
    rows = numbers.items() if isinstance(numbers, dict) else ()
    return " ".join(filter(None, (kind, what, *(f"{name}={value}" for name, value in rows))))


_LAP: Final = ("number", "kind", "time_s", "valid", "best", "delta_s")


def _laps(cursor: duckdb.DuckDBPyConnection, topic: Topic, started_at_ns: int, t_from: int, t_to: int) -> _Found:
    sql = f"SELECT t_end, {', '.join(_LAP)} FROM laps WHERE t_end >= ? AND t_end < ? ORDER BY t_end"  # noqa: S608
    for t, *values in cursor.execute(sql, [t_from, t_to]).fetchall():
        yield t, lap(dict(zip(_LAP, values, strict=True)))


_READ: Final[dict[str, Callable[[duckdb.DuckDBPyConnection, Topic, int, int, int], _Found]]] = {
    "table": _rows,
    "position": _fixes,
    "log": _log,
    "laps": _laps,
}
"""Each kind of topic, and what reads its messages."""
