"""A lap's motion in, its frames on the bus out: who sends when, and what the wire makes of it.

Law: every message is sampled on the ticks of its rate, all of one rate at the same instant, and sent a little later;
the bus carries one frame at a time, so that times grow strictly from frame to frame.  The rate belongs to the id: slow
quantities just repeat.  Laps follow each other without a gap or a tick lost.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from pitwall.bus.simulator.aim import MESSAGES, UNKNOWN, Message, encode, unknown
from pitwall.bus.simulator.gps import GpsError
from pitwall.bus.simulator.motion import SECOND_NS, Motion
from pitwall.bus.simulator.sensors import Moment, reading
from pitwall.bus.simulator.slow import Slow
from pitwall.bus.simulator.track import Float64, latitude_longitude
from pitwall.frames import Frames, Int64, UInt8, frames

FRAME_NS: Final = 125_000  # 8 bytes at 1 Mbit/s, with stuff bits and the gap between frames
SLOT_NS: Final = 200_000  # the logger sends its messages one after another
JITTER_NS: Final = 300_000
LATE_NS: Final = 2_500_000  # now and then the logger is busy
LATE_SHARE: Final = 0.01
PHASE_NS: Final = {50: 0, 20: 6_300_000, 10: 3_100_000, 5: 13_700_000, 2: 8_900_000, 1: 16_100_000}
GPS_HZ: Final = 20
SENSOR_STREAM: Final = 3  # keys of the random streams that a seed splits into
GPS_STREAM: Final = 4


class Traffic:
    """The bus of one drive, lap after lap."""

    def __init__(self, seed: int, *, unknown_ids: bool) -> None:
        self._messages = [m.id for m in MESSAGES] + (list(UNKNOWN) if unknown_ids else [])
        self._known: dict[int, Message] = {message.id: message for message in MESSAGES}
        self._rates = {m.id: m.rate_hz for m in MESSAGES} | UNKNOWN
        self._rngs = {id: np.random.default_rng([seed, SENSOR_STREAM, id]) for id in self._messages}
        self._gps = GpsError(np.random.default_rng([seed, GPS_STREAM]), 1 / GPS_HZ)
        self._next_tick = dict.fromkeys(PHASE_NS, 0)
        self._row = 0
        self._free_ns = 0  # when the wire is free again

    def lap(self, motion: Motion, slow: Slow, start_ns: int, end_ns: int) -> Frames:
        """The frames sampled from `start_ns` to before `end_ns`, in the order of the wire."""
        ticks = {rate: self._ticks(rate, end_ns) for rate in PHASE_NS}
        moments = {
            rate: Moment(motion, slow, (self._tick_ns(rate, tick) - start_ns) / SECOND_NS)
            for rate, tick in ticks.items()
        }
        sent, ids, payloads = [], [], []
        for slot, id in enumerate(self._messages):
            rate, rng = self._rates[id], self._rngs[id]
            tick = ticks[rate]
            late = np.where(rng.random(tick.shape[0]) < LATE_SHARE, LATE_NS, 0)
            delay = slot * SLOT_NS + rng.integers(0, JITTER_NS, tick.shape[0]) + late
            sent.append(self._tick_ns(rate, tick) + delay)
            ids.append(np.full(tick.shape[0], id, np.uint32))
            payloads.append(self._payload(id, tick, moments[rate], rng))
        if not sum(part.shape[0] for part in sent):
            return frames(self._row, t=[], id=[], data=np.empty((0, 8), np.uint8))
        return self._on_the_wire(np.concatenate(sent), np.concatenate(ids), np.concatenate(payloads))

    def _ticks(self, rate: int, end_ns: int) -> Int64:
        first = self._next_tick[rate]
        period = SECOND_NS // rate
        self._next_tick[rate] = max(first, -((PHASE_NS[rate] - end_ns) // period))
        return np.arange(first, self._next_tick[rate])

    def _tick_ns(self, rate: int, tick: Int64) -> Int64:
        return PHASE_NS[rate] + tick * (SECOND_NS // rate)

    def _payload(self, id: int, tick: Int64, moment: Moment, rng: np.random.Generator) -> UInt8:
        message = self._known.get(id)
        if message is None:
            return unknown(id, tick, rng)
        if message.rate_hz == GPS_HZ:
            return encode(message, self._fixes(moment))
        return encode(message, {field.name: reading(field.name, moment, rng) for field in message.fields})

    def _fixes(self, moment: Moment) -> dict[str, Float64]:
        x, y = moment.position
        error = self._gps.next(x.shape[0])
        lat, lon = latitude_longitude(x + error[:, 0], y + error[:, 1])
        return {"gps_lat": lat, "gps_lon": lon}

    def _on_the_wire(self, sent: Int64, id: npt.NDArray[np.uint32], payload: UInt8) -> Frames:
        order = np.argsort(sent, kind="stable")
        turn = np.arange(order.shape[0]) * FRAME_NS
        t = np.maximum.accumulate(np.maximum(sent[order], self._free_ns) - turn) + turn
        if self._row == 0:
            t[0] = 0  # a session's time begins with its first frame
        rows = frames(self._row, t=t, id=id[order], data=payload[order])
        self._row += len(rows)
        self._free_ns = int(t[-1]) + FRAME_NS
        return rows
