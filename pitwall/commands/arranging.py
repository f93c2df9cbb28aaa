"""A time line of captures and a car in, the time line with its buses where the car's definition looks for them out.

Tools number the buses of a capture as they like; which one is which of the car's is told by the ids that are heard on
it.  A bus whose name the car knows (by the bus's own name, or as its channel) stays what it is called.  The names in
the capture are kept wherever the order of the buses can say the same.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pitwall.commands.output import plural
from pitwall.decode.plan import matched, plan
from pitwall.frames import Flag, take, without_control

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pitwall.bus.capture import Timeline
    from pitwall.car import Car
    from pitwall.car.definition import Bus
    from pitwall.frames import Frames, Int64


def arranged(car: Car, timeline: Timeline) -> Timeline:
    """The time line with its buses in the order in which `car` takes them; a note says what was found out."""
    found = _found(car, timeline)
    if all(taken is not None and taken.name == found[i] for i, taken in _taken(car, timeline.buses) if i in found):
        return timeline
    order = _order(car, timeline.buses, found)
    names = [timeline.buses[i] for i in order]
    if any(taken is None or taken.name != found[order[i]] for i, taken in _taken(car, names) if order[i] in found):
        names = [found.get(i, timeline.buses[i]) for i in order]
    place = np.empty(len(order), np.uint8)
    place[order] = np.arange(len(order), dtype=np.uint8)
    said = ", ".join(f"{timeline.buses[i]} is {name}" for i, name in sorted(found.items()))
    note = f"told by their ids, of the captures' buses {said} of {car.name}"
    return replace(
        timeline,
        buses=tuple(names),
        frames=replace(timeline.frames, bus=place[timeline.frames.bus]),
        notes=(*timeline.notes, note),
    )


def remarked(car: Car, timeline: Timeline) -> Timeline:
    """The same time line; a note says of which buses `car` knows no id at all: another car's, most likely."""
    frames = without_control(timeline.frames)
    keys = np.stack([frames.bus, frames.id, frames.flags & np.uint8(Flag.EXTENDED)], axis=1, dtype=np.int64)
    _, firsts = np.unique(keys, axis=0, return_index=True)
    seen = plan(car, timeline.buses).decode(take(frames, np.sort(firsts))).ids
    notes = list(timeline.notes)
    for bus, name in enumerate(timeline.buses):
        heard = [one for one in seen if one.bus == bus]
        if heard and all(one.message is None for one in heard):
            what = f"{car.name} knows none of the {plural(len(heard), 'id')} on {name}: kept, and not decoded"
            notes.append(f"{what} (is it another car? `pitwall car new NAME --from CAPTURE` begins one)")
    return replace(timeline, notes=tuple(notes))


def _found(car: Car, timeline: Timeline) -> dict[int, str]:
    """The car's bus of each bus of the captures, as far as the ids tell: the one with the most known frames first."""
    sure = {name for bus in car.buses for name in (bus.name, bus.channel) if name in timeline.buses}
    free = [bus for bus in car.buses if bus.name not in sure and bus.channel not in sure]
    known = {
        (count, -i, bus.name)
        for bus in free
        for i, count in enumerate(_heard(bus, timeline.frames, len(timeline.buses)).tolist())
        if count and timeline.buses[i] not in sure
    }
    found: dict[int, str] = {}
    for _, i, name in sorted(known, reverse=True):
        if -i not in found and name not in found.values():
            found[-i] = name
    return found


def _heard(bus: Bus, frames: Frames, buses: int) -> Int64:
    """int64 (buses,): how many frames of each bus are of a message that the car's `bus` knows."""
    frames = without_control(frames)
    extended = np.uint8(Flag.EXTENDED)
    keys = [message.id | (message.extended << 32) for message in bus.messages]
    heard = frames.id.astype(np.int64) | ((frames.flags & extended).astype(np.int64) << 32)
    return np.bincount(frames.bus[np.isin(heard, keys)], minlength=buses).astype(np.int64)


def _taken(car: Car, names: Sequence[str]) -> list[tuple[int, Bus | None]]:
    return list(enumerate(matched(car, names)))


def _order(car: Car, names: Sequence[str], found: dict[int, str]) -> list[int]:
    """The captures' buses as the car's own order has them; those that nobody knows fill the gaps, and come last."""
    rest = [i for i in range(len(names)) if i not in found]
    sure = {name for bus in car.buses for name in (bus.name, bus.channel)}
    spare = [i for i in rest if names[i] not in sure]
    order = []
    by_name = {name: i for i, name in found.items()}
    for bus in car.buses:
        if bus.name in by_name:
            order.append(by_name[bus.name])
        elif spare and bus.name not in names and bus.channel not in names:
            order.append(spare.pop(0))
    return order + [i for i in range(len(names)) if i not in order]
