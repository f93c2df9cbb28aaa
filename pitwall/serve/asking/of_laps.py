"""Questions about laps and sectors: how fast, how many, how alike, one against another."""

from __future__ import annotations

from typing import Final

from pitwall.serve.advising import lap_time
from pitwall.serve.asking.reply import NO_LAPS, Answer, Asked, Fact, start, told
from pitwall.serve.model.ground import Ground
from pitwall.serve.model.rows import has

MOST_LAPS: Final = 12
"""That one answer speaks of."""


def fastest(asked: Asked) -> Answer:
    laps = sorted(asked.good_laps(), key=lambda lap: (lap["time_s"], lap["number"]))
    if not laps:
        return told(NO_LAPS, ())
    best = laps[0]
    facts = [Fact("lap_time", best["time_s"], "s", best["number"])]
    words = f"Your fastest lap was lap {best['number']}: {lap_time(best['time_s'])}."
    if len(laps) > 1:
        gap = round(laps[1]["time_s"] - best["time_s"], 3)
        facts += [Fact("lap_time", laps[1]["time_s"], "s", laps[1]["number"]), Fact("gap", gap, "s")]
        words += f" Next is lap {laps[1]['number']}, {gap:.3f} s behind."
    return told(words, facts, [start(best["number"])])


def times(asked: Asked) -> Answer:
    laps = asked.good_laps()
    if not laps:
        return told(NO_LAPS, ())
    shown = laps[-MOST_LAPS:]
    words = (
        f"{len(laps)} laps count. "
        + "; ".join(f"lap {lap['number']}: {lap_time(lap['time_s'])}" for lap in shown)
        + "."
    )
    facts = [Fact("lap_time", lap["time_s"], "s", lap["number"]) for lap in shown]
    return told(words, facts, [start(lap["number"]) for lap in shown], Ground(counts=frozenset({len(laps)})))


def compare(asked: Asked) -> Answer | None:
    pair = list(dict.fromkeys(asked.laps()))[:2]
    if len(pair) < 2:
        return None
    if not has(asked.cursor, "laps"):
        return told(NO_LAPS, ())
    times = {
        row["number"]: row["time_s"]
        for row in asked.rows("SELECT number, time_s FROM laps WHERE number IN (?, ?)", pair)
        if row["time_s"] is not None
    }
    missing = [lap for lap in pair if lap not in times]
    if missing:
        return told("One of those laps is not in this session, or has no time.", ())
    a, b = pair
    gap = round(times[b] - times[a], 3) + 0.0  # no -0
    facts = [Fact("lap_time", times[a], "s", a), Fact("lap_time", times[b], "s", b), Fact("difference", gap, "s", b)]
    how = f"{abs(gap):.3f} s {'slower' if gap > 0 else 'faster'}" if gap else "as fast"
    words = f"Lap {a}: {lap_time(times[a])}; lap {b}: {lap_time(times[b])}, {how}."
    sectors = asked.rows(
        "SELECT a.number AS sector, b.time_s - a.time_s AS lost_s FROM sectors a JOIN sectors b ON a.number = b.number "
        "WHERE a.lap = ? AND b.lap = ? AND lost_s IS NOT NULL ORDER BY sector",
        pair,
    )
    most = max(sectors, key=lambda row: abs(row["lost_s"]), default=None)
    if most and (lost := round(most["lost_s"], 3)):
        facts.append(Fact(f"sector_{most['sector']}_difference", lost, "s", b))
        where, what = "Most of it is" if gap else "They differ most", "lost" if lost > 0 else "gained"
        words += f" {where} in sector {most['sector']}: {abs(lost):.3f} s {what}."
    numbers = frozenset(row["sector"] for row in sectors)
    return told(words, facts, [start(a), start(b)], Ground(sectors=numbers))


def lap(asked: Asked) -> Answer | None:
    numbers = asked.laps()
    if len(numbers) != 1 or not has(asked.cursor, "laps"):
        return None
    rows = asked.rows("SELECT number, kind, time_s, valid, why, top_speed_mps FROM laps WHERE number = ?", numbers)
    if not rows:
        return told("That lap is not in this session.", ())
    lap = rows[0]
    number, facts = lap["number"], []
    words = f"Lap {number} is a {lap['kind']} lap"
    if lap["time_s"] is not None:
        facts.append(Fact("lap_time", lap["time_s"], "s", number))
        words += f": {lap_time(lap['time_s'])}"
    best = min((each["time_s"] for each in asked.good_laps()), default=None)
    if best is not None and lap["time_s"] is not None and lap["valid"]:
        gap = round(lap["time_s"] - best, 3)
        facts.append(Fact("behind_best", gap, "s", number))
        words += f", {gap:.3f} s behind the fastest" if gap > 0 else ", the fastest"
    words += "." if lap["valid"] else "; its time can't be trusted."
    if lap["top_speed_mps"] is not None:
        speed = round(lap["top_speed_mps"] * 3.6, 1)
        facts.append(Fact("top_speed", speed, "km/h", number))
        words += f" Its top speed was {speed:g} km/h."
    return told(words, facts, [start(number)])


def by_sector(asked: Asked) -> Answer | None:
    """Where the laps lose to the best sectors, where no corners are known."""
    if not (asked.good_laps() and has(asked.cursor, "sectors")):
        return None
    rows = asked.rows(
        "SELECT sectors.number AS sector, median(sectors.time_s) - min(sectors.time_s) AS lost_s FROM sectors "
        "JOIN laps ON laps.number = sectors.lap WHERE laps.valid AND laps.flying AND sectors.time_s IS NOT NULL "
        "GROUP BY sectors.number ORDER BY lost_s DESC, sector"
    )
    if not rows or round(rows[0]["lost_s"], 3) <= 0:
        return None
    facts = [Fact(f"sector_{row['sector']}_lost", round(row["lost_s"], 3), "s") for row in rows]
    words = f"You lose the most in sector {rows[0]['sector']}: {facts[0].value:.3f} s a lap to your best one there."
    return told(words, facts, (), Ground(sectors=frozenset(row["sector"] for row in rows)))


def sectors(asked: Asked) -> Answer:
    if not (asked.good_laps() and has(asked.cursor, "sectors")):
        return told(NO_LAPS, ())
    rows = asked.rows(
        "SELECT sectors.number AS sector, min(sectors.time_s) AS best_s, arg_min(sectors.lap, sectors.time_s) AS lap "
        "FROM sectors JOIN laps ON laps.number = sectors.lap WHERE laps.valid AND laps.flying "
        "AND sectors.time_s IS NOT NULL GROUP BY sectors.number ORDER BY sector"
    )
    facts = [Fact(f"sector_{row['sector']}_best", round(row["best_s"], 3), "s", row["lap"]) for row in rows]
    each = (f"sector {row['sector']} {lap_time(row['best_s'])} on lap {row['lap']}" for row in rows)
    words = f"Your best sectors: {'; '.join(each)}." if rows else "No sector has a time in this session."
    return told(words, facts, (), Ground(sectors=frozenset(row["sector"] for row in rows)))


def theoretical(asked: Asked) -> Answer:
    rows = asked.rows("SELECT lap, time_s, theoretical_s, rolling_s FROM bests") if has(asked.cursor, "bests") else []
    best = rows[0] if rows else {}
    if best.get("theoretical_s") is None or best.get("time_s") is None:
        return told(NO_LAPS, ())
    gap = max(0.0, round(best["time_s"] - best["theoretical_s"], 3))  # sectors that were rounded may add up to more
    facts = [
        Fact("theoretical_best", round(best["theoretical_s"], 3), "s"),
        Fact("lap_time", round(best["time_s"], 3), "s", best["lap"]),
        Fact("gap", gap, "s"),
    ]
    less = f"{gap:.3f} s less than your fastest lap" if gap > 0 else "those of your fastest lap"
    words = f"Your best sectors together make {lap_time(best['theoretical_s'])}: {less}, lap {best['lap']}."
    if best.get("rolling_s") is not None:
        facts.append(Fact("rolling_best", round(best["rolling_s"], 3), "s"))
        words += f" The best lap from any sector on took {lap_time(best['rolling_s'])}."
    return told(words, facts, [start(best["lap"])])


def consistency(asked: Asked) -> Answer:
    laps = asked.good_laps()
    if len(laps) < 2:
        return told("Two laps that count are needed to tell how consistent you are.", ())
    times = sorted(lap["time_s"] for lap in laps)
    spread, middle = round(times[-1] - times[0], 3), times[len(times) // 2]
    facts = [Fact("spread", spread, "s"), Fact("median_lap_time", middle, "s")]
    words = f"Your {len(laps)} laps that count lie within {spread:.3f} s; the middle one took {lap_time(middle)}."
    return told(words, facts, (), Ground(counts=frozenset({len(laps)})))


def count(asked: Asked) -> Answer:
    if not has(asked.cursor, "laps"):
        return told("No laps are known in this session.", ())
    ((every, good),) = asked.cursor.execute("SELECT count(*), count(*) FILTER (valid AND flying) FROM laps").fetchall()
    words = f"You drove {every} laps; {good} of them count as flying laps."
    return told(words, [Fact("laps", every), Fact("flying_laps", good)], (), Ground(counts=frozenset({every, good})))
