"""What car.yaml may say: for each section its keys, what each takes, and what it does.

Law: this is the one place that lists a section's keys.  Reading refuses every other, and `pitwall.car.schema` is made
of the same tables; what a derived channel takes stands in `pitwall.car.derived`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pitwall.car.kinds import (
    BITRATE,
    DESPIKE,
    FILES,
    LIMITS,
    NUMBER,
    POSITIVE,
    SCALE,
    SIGN,
    TABLE,
    TEXT,
    TRUTH,
    UNIT,
    Key,
    quantity,
)
from pitwall.car.messages import MESSAGES, PROTOCOL
from pitwall.car.steps import MAX_ZERO_S

BUS: Final[Mapping[str, Key]] = {
    "dbc": Key(FILES, "a DBC file, or a list of them"),
    "protocol": Key(PROTOCOL, "what its frames are, beyond what the DBC says"),
    "messages": Key(MESSAGES, "which messages have a counter, and which a checksum"),
    "source": Key(TEXT, "where it is heard, as an address: slcan:/dev/ttyACM0, socketcan:can0, …"),
    "interface": Key(TEXT, "how python-can opens it: socketcan, slcan, …"),
    "channel": Key(TEXT, "what python-can opens: can0, /dev/ttyACM0, …"),
    "bitrate": Key(BITRATE, "bits a second"),
    "data_bitrate": Key(BITRATE, "bits a second of CAN FD's data phase; needs fd: true"),
    "fd": Key(TRUTH, "whether it is CAN FD"),
}
"""What `buses:` may say of each bus."""

CHANNEL: Final[Mapping[str, Key]] = {
    "from": Key(TEXT, "the signal: name, Message.name or bus.Message.name"),
    "signal_unit": Key(UNIT, "the unit that the signal has, where its DBC says none or a wrong one"),
    "table": Key(
        TABLE,
        "calibration: [[raw, value], …], linear between, constant beyond its ends",
    ),
    "unit": Key(UNIT, "the unit that is wanted, or none"),
    "sign": Key(SIGN, "1 or -1"),
    "scale": Key(SCALE, "a factor"),
    "offset": Key(NUMBER, "added, in the channel's unit"),
    "limits": Key(LIMITS, "[low, high]: a value outside is missing"),
    "despike": Key(DESPIKE, "{by: x, of: n}: a value more than x from the median of the n before it is missing"),
    "zero": Key(quantity("s", MAX_ZERO_S), "seconds of standstill whose mean is taken off"),
    "low_pass": Key(quantity("Hz"), "the cut-off of a first-order low pass, in Hz"),
    "hold": Key(quantity("s"), "seconds after which a value is stale"),
}
"""What `channels:` may say of each channel, in the order in which it is done."""


def alarm(unit: str) -> Mapping[str, Key]:
    """What `alarms:` may say of a channel that has this unit."""
    limit = quantity(unit) if unit else POSITIVE
    return {
        "below": Key(limit, "out of limits below this; in the channel's unit, or in the unit that it says"),
        "above": Key(limit, "out of limits above this"),
        "over_rpm": Key(
            quantity("rpm"), "counts only while the engine turns faster: an idling one has little pressure"
        ),
        "for": Key(quantity("s", MAX_ALARM_S), "seconds that it has to last, 1 unless said"),
    }


MAX_ALARM_S: Final = 60.0
"""What may last longer without being said is no alarm."""

ABOUT: Final = ("name", "make", "model", "chassis", "engine", "year", "about", "number", "driver", "team")
"""What `car:` usually says; it may say other things."""

SECTIONS: Final[Mapping[str, str]] = {
    "car": "free words about it",
    "buses": "the CAN buses of the car, and what they carry",
    "channels": "signals under better names, in better units",
    "derived": "channels computed from others",
    "roles": "which channel is what to those who analyse laps",
    "alarms": "the limits that a channel must stay within: beyond them is an incident, and said to the driver",
}

ROLES: Final = (
    "altitude",
    "ambient_temp",
    "battery",
    "brake",
    "brake_switch",
    "clutch",
    "distance",
    "fuel",
    "g_lat",
    "g_long",
    "g_vert",
    "gear",
    "heading",
    "lat",
    "lon",
    "oil_press",
    "oil_temp",
    "pitch_rate",
    "roll_rate",
    "rpm",
    "satellites",
    "speed",
    "steering",
    "throttle",
    "water_temp",
    "wheel_speed_fl",
    "wheel_speed_fr",
    "wheel_speed_rl",
    "wheel_speed_rr",
    "yaw_rate",
)
"""What a channel may be to those who analyse: `roles:` says which channel plays which."""
