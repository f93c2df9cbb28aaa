"""`pitwall why`: the frame, the bits, the lines of the files and the steps that made a value."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pitwall.commands.moment import moment_ns
from pitwall.errors import UsageError
from tests.cli.conftest import Pitwall

DBC = """VERSION ""
BU_: ECU
BO_ 256 Engine: 8 ECU
 SG_ rpm : 0|16@1+ (0.25,0) [0|0] "rpm" ECU
 SG_ temp : 19|5@1- (1,40) [0|0] "degF" ECU
"""
YAML = """car: {make: Mine}
buses: {can: {dbc: my.dbc}}
channels:
  water_temp:
    from: temp
    unit: degC
    offset: 0.5
    limits: [0, 8]
derived:
  both: {expr: rpm + water_temp, unit: none}
"""
CANDUMP = "".join(
    f"(1600000000.{ms:03}000) can0 100#{data}\n"
    for ms, data in [(0, "10270A0000000000"), (10, "1127500000000000"), (20, "122728"), (30, "13"), (40, "14")]
)


@pytest.fixture
def mine(pitwall: Pitwall, car: Callable[[str, str], Path], tmp_path: Path) -> Pitwall:
    """The command line, beside a session of five frames."""
    car(YAML, DBC)
    (tmp_path / "in.log").write_text(CANDUMP)
    assert pitwall("import", "in.log", "--car", "mine", "--session", "one").code == 0
    return pitwall


def test_it_shows_the_frame_its_bits_and_every_step(mine: Pitwall) -> None:
    answer = mine("why", "one", "water_temp", "0.02")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.splitlines() == [
        "water_temp at 0.02 s: 7.72222222222 degC, 0 ms old",
        "  frame    offset 4 at 0.02 s, can0 0x100",
        "  payload  12 27 28",
        "                 ^^",
        "  bits     2:00101...",
        "  raw      5",
        '  DBC      my.dbc:5  SG_ temp : 19|5@1- (1,40) [0|0] "degF" ECU',
        "  signal   Engine.temp = 5 + 40 = 45.0 degF",
        "  YAML     car.yaml:4  water_temp:",
        "  step     degF to degC: 7.22222222222 degC",
        "  step     offset 0.5: 7.72222222222 degC",
        "  step     limits 0 to 8: 7.72222222222 degC",
    ]


def test_it_says_which_step_removed_a_value_and_what_newer_frames_lack(mine: Pitwall) -> None:
    gone = mine("why", "one", "water_temp", "15").out
    assert "water_temp at 15 s: 7.72222222222 degC, 15.0 s old" in gone
    assert "newer frames of Engine did not hold it: the frame has 1 byte, and temp needs 3" in " ".join(gone.split())
    gone = mine("why", "one", "water_temp", "0.015s").out
    assert "water_temp at 0.015 s: missing, 5 ms old" in gone
    assert "limits 0 to 8: missing (10.5 is above" in " ".join(gone.split())
    (told,) = mine("why", "one", "water_temp", "0.015", "--json").json["channels"]
    assert told["value"] is None
    assert told["steps"][-1]["step"] == "limits 0 to 8"
    assert told["steps"][-1]["removed"] in told["missing"]


def test_a_derived_value_is_told_with_what_it_saw_and_deep_down_to_the_frames(mine: Pitwall) -> None:
    out = mine("why", "one", "both", "0.04").out
    assert out.startswith("both at 0.04 s: 2508.22222222, 20 ms old\n")
    assert "  formula  rpm + water_temp" in out
    assert "  input    water_temp = 7.72222222222 degC, 0 ms old" in out
    deep = mine("why", "one", "both", "0.04", "--deep")
    assert [line.split()[0] for line in deep.out.splitlines() if line[:1].strip()] == ["both", "rpm", "water_temp"]
    told = mine("why", "one", "both", "0.04", "--deep", "--json").json["channels"]
    assert [one["channel"] for one in told] == ["both", "rpm", "water_temp"]
    assert told[1]["frame"]["payload"] == "122728"
    assert told[1]["frame"]["mask"] == "ffff00"
    assert told[0]["value"] == told[1]["value"] + told[2]["value"]


def test_every_channel_of_a_drive_is_told_in_eighty_columns(pitwall: Pitwall, driven: Path) -> None:
    for channel in ("combo_g", "gear", "wheel_slip", "brake_pressure", "tyre_alarm_rl"):
        answer = pitwall("why", "drive", channel, "0:20.5", "--deep")
        assert answer.code == 0, answer.err
        assert max(map(len, answer.out.splitlines())) <= 80
        assert "…" not in answer.out
        sql = f"SELECT arg_max({channel}, t) AS held FROM {table(pitwall, channel)} WHERE t <= 20_500_000_000"
        (row,) = pitwall("query", "drive", sql, "--json").json
        assert pitwall("why", "drive", channel, "20.5", "--json").json["channels"][0]["value"] == row["held"]


def table(pitwall: Pitwall, channel: str) -> str:
    """The table that holds it."""
    rows = pitwall("channels", "drive", "--json").json
    return next(f'"{row["table_name"]}"' for row in rows if row["name"] == channel)


def test_what_makes_no_sense_is_one_line(mine: Pitwall) -> None:
    assert "there is no channel 'bot' (did you mean 'both'?)" in mine("why", "one", "bot", "1").line()
    answer = mine("why", "one", "both", "soon")
    assert answer.code == 2
    assert "'soon' is no time" in answer.line()
    assert "was before the session began" in mine("why", "one", "both", "2020-01-01").line()
    early = mine("why", "one", "both", "2020-09-13T12:26:40.000000Z")
    assert early.code == 0
    assert "both at 0 s" in early.out


def test_times_are_understood_to_the_nanosecond() -> None:
    began = 1_600_000_000_000_000_000
    for text, ns in [
        ("12.5", 12_500_000_000),
        ("12.5s", 12_500_000_000),
        ("0.000000001", 1),
        ("1:23.4", 83_400_000_000),
        ("1:01:00 s", 3_660_000_000_000),
        (".25", 250_000_000),
        ("2020-09-13T12:26:41.000001Z", 1_000_001_000),
        ("2020-09-13T14:26:41+02:00", 1_000_000_000),
        ("2020-09-13 12:26:41", 1_000_000_000),
    ]:
        assert moment_ns(text, began) == ns, text
    for text in ("", "-1", "1:2:3:4", "nan", "1e3", "12.5 m"):
        with pytest.raises(UsageError, match="is no time"):
            moment_ns(text, began)


def test_a_delta_is_told_with_its_fix_and_the_lap_that_it_is_held_against(pitwall: Pitwall) -> None:
    assert pitwall("simulate", "--laps", 3, "--session", "laps").code == 0
    laps = {lap["number"]: lap for lap in pitwall("laps", "laps", "--json").json}
    t = laps[2]["t_start"] / 1e9 + 40
    told = pitwall("why", "laps", "delta", f"{t:.6f}")
    assert told.code == 0, told.err
    words = " ".join(told.out.split())
    assert "track: Larkholm (invented)" in words
    assert f"lap 2, since {laps[2]['t_start'] / 1e9:.3f} s" in words
    assert f"best lap so far: lap 1, {laps[1]['time_s']:.3f} s" in words
    assert max(map(len, told.out.splitlines())) <= 80
    (one,) = pitwall("why", "laps", "delta", f"{t:.6f}", "--json").json["channels"]
    (row,) = pitwall(
        "query", "laps", f"SELECT arg_max(delta, t) AS held FROM laptime WHERE t <= {round(t * 1e9)}", "--json"
    ).json
    assert one["value"] == row["held"]
    assert [each["channel"] for each in one["inputs"]][:3] == ["lat", "lon", "speed"]
    deep = pitwall("why", "laps", "delta", f"{t:.6f}", "--deep", "--json").json["channels"]
    assert deep[1]["frame"]["payload"]
    early = pitwall("why", "laps", "predicted_lap", "0.01").out
    assert "has no value" in early or "missing" in early
