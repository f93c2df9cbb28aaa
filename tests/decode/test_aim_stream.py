"""The AiM database in full: what cantools makes of it, and what the table of the stream's layout says."""

from __future__ import annotations

from pathlib import Path

import cantools
import numpy as np
import pytest

from pitwall.car import load
from pitwall.decode import plan
from pitwall.frames import clustered
from tests.strategies import log

CARS = Path(__file__).parents[2] / "cars"
CAR = load(CARS, "bmw-e46-m3")
DATABASE = cantools.database.load_file(CARS / "bmw-e46-m3" / "aim-mxp.dbc", strict=True)

LAYOUT = """
420 rpm:u:1 speed_mph:u:0.1 gear:u:1 water_temp_f:u:0.1
421 water_press_psi:u:0.1 roll_rate_degs:s:0.1 oil_temp_f:u:0.1 oil_press_psi:u:0.1
422 brake_press_psi:u:1 throttle_pos_pct:u:0.01 brake_switch:u:1 pitch_rate_degs:s:0.1
423 steer_angle_deg:s:0.1 yaw_rate_degs:s:0.1 lateral_accel_g:s:0.01 inline_accel_g:s:0.01
424 fuel_level_gal:u:0.01 battery_volt:u:0.1 vertical_accel_g:s:0.01
450 wheel_speed_fl_mph:u:0.1 wheel_speed_fr_mph:u:0.1 wheel_speed_rl_mph:u:0.1 wheel_speed_rr_mph:u:0.1
451 ecu_speed_mph:u:0.1 ambient_temp_f:u:0.1 engine_oil_temp_f:u:0.1 dsc_reg:u:1
452 gps_lat:s:1e-07 gps_lon:s:1e-07
453 tpms_press_fl_psi:u:0.1 tpms_press_fr_psi:u:0.1 tpms_press_rl_psi:u:0.1 tpms_press_rr_psi:u:0.1
454 tpms_temp_fl_f:u:0.1 tpms_temp_fr_f:u:0.1 tpms_temp_rl_f:u:0.1 tpms_temp_rr_f:u:0.1
455 tpms_volt_fl_mv:u:1 tpms_volt_fr_mv:u:1 tpms_volt_rl_mv:u:1 tpms_volt_rr_mv:u:1
456 tpms_alm_fl:u:1 tpms_alm_fr:u:1 tpms_alm_rl:u:1 tpms_alm_rr:u:1
"""
"""Per id: signal:signed or unsigned:scale, one behind the other, 16 bits each (those of 0x452: 32), little endian."""


def test_the_database_is_the_documented_layout_and_nothing_else() -> None:
    (bus,) = CAR.buses
    found = "\n"
    for message in bus.messages:
        assert (message.length, message.extended) == (8, False)
        bits = 32 if message.id == 0x452 else 16
        for place, signal in enumerate(message.signals):
            assert (signal.start, signal.length, signal.big_endian) == (place * bits, bits, False)
            assert signal.signal_offset == 0
        words = [f"{s.name}:{'s' if s.signed else 'u'}:{s.scale}" for s in message.signals]
        found += f"{message.id:x} {' '.join(words)}\n"
    assert found == LAYOUT


@pytest.mark.parametrize("message", DATABASE.messages, ids=lambda message: message.name)
def test_every_signal_has_the_value_that_cantools_gives(message: cantools.database.Message) -> None:
    edges = np.array([0, 1, 0x7F, 0x80, 0xFF], np.uint8)
    rng = np.random.default_rng(message.frame_id)
    payloads = np.concatenate([rng.choice(edges, (200, 8)), rng.integers(0, 256, (800, 8), dtype=np.uint8)])
    frames = log([(0, message.frame_id, 0, payload.tobytes()) for payload in payloads])
    (ours,) = plan(CAR, ["dash"]).decode(clustered(frames)).messages
    expected = [message.decode(payload.tobytes()) for payload in payloads]
    for signal in message.signals:
        assert ours.values[signal.name].tolist() == [float(row[signal.name]) for row in expected]
