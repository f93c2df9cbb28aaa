"""The AiM stream as the project's facts state it, written down a second time, as a DBC that cantools reads: the judge
of what the simulator sends."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

import cantools
import numpy as np
from cantools.database import Database

from pitwall.frames import Frames, concat, take

FOUR = ("fl", "fr", "rl", "rr")

# id: rate in Hz, name, and its signals as they lie in the 8 bytes: name, sign, bits, scale
_TEXT = """
420 10 SmartyCam01   rpm u16 1, speed_mph u16 0.1, gear u16 1, water_temp_f u16 0.1
421 50 SmartyCam02   water_press_psi u16 0.1, roll_rate_degs s16 0.1, oil_temp_f u16 0.1, oil_press_psi u16 0.1
422 50 SmartyCam03   brake_press_psi u16 1, throttle_pos_pct u16 0.01, brake_switch u16 1, pitch_rate_degs s16 0.1
423 50 SmartyCam04   steer_angle_deg s16 0.1, yaw_rate_degs s16 0.1, lateral_accel_g s16 0.01, inline_accel_g s16 0.01
424 50 SmartyCam05   fuel_level_gal u16 0.01, battery_volt u16 0.1, vertical_accel_g s16 0.01
450 10 AimExtended01 wheel_speed_*_mph u16 0.1
451 10 AimExtended02 ecu_speed_mph u16 0.1, ambient_temp_f u16 0.1, engine_oil_temp_f u16 0.1, dsc_reg u16 1
452 20 AimExtended03 gps_lat s32 1e-7, gps_lon s32 1e-7
453 1  AimExtended04 tpms_press_*_psi u16 0.1
454 1  AimExtended05 tpms_temp_*_f u16 0.1
455 1  AimExtended06 tpms_volt_*_mv u16 1
456 1  AimExtended07 tpms_alm_* u16 1
"""


def _table() -> dict[int, tuple[int, str, list[tuple[str, str, int, float]]]]:
    table = {}
    for line in _TEXT.strip().splitlines():
        id, rate_hz, message, rest = line.split(maxsplit=3)
        signals = []
        for part in rest.split(", "):
            name, kind, scale = part.split()
            names = [name.replace("*", wheel) for wheel in FOUR] if "*" in name else [name]
            signals += [(each, kind[0], int(kind[1:]), float(scale)) for each in names]
        table[int(id, 16)] = (int(rate_hz), message, signals)
    return table


TABLE = _table()


@cache
def database() -> Database:
    lines = ['VERSION ""', "NS_ :", "BS_:", "BU_: dash"]
    for id, (_, message, signals) in TABLE.items():
        lines.append(f"BO_ {id} {message}: 8 dash")
        at = 0
        for name, kind, bits, scale in signals:
            sign = "-" if kind == "s" else "+"
            lines.append(f' SG_ {name} : {at}|{bits}@1{sign} ({scale},0) [0|0] "" Vector__XXX')
            at += bits
        lines.append("")
    return cantools.database.load_string("\n".join(lines), "dbc")


class Decoded:
    """A drive's frames as cantools reads them: `t(signal)` in seconds, `of(signal)` its values."""

    def __init__(self, parts: Iterable[Frames]) -> None:
        self.frames = concat(list(parts))
        self._of_signal = {name: id for id, (_, _, signals) in TABLE.items() for name, _, _, _ in signals}
        self._values: dict[int, list[dict[str, float]]] = {}

    def rows(self, id: int) -> Frames:
        return take(self.frames, np.nonzero(self.frames.id == id)[0])

    def t(self, signal: str) -> np.ndarray:
        return self.rows(self._of_signal[signal]).t / 1e9

    def of(self, signal: str) -> np.ndarray:
        id = self._of_signal[signal]
        if id not in self._values:
            message = database().get_message_by_frame_id(id)
            self._values[id] = [message.decode(row.tobytes()) for row in self.rows(id).data]
        return np.array([values[signal] for values in self._values[id]], np.float64)

    def at(self, signal: str, t_s: np.ndarray) -> np.ndarray:
        """The signal, linear between its frames."""
        return np.interp(t_s, self.t(signal), self.of(signal))
