"""What each command does on a simulated session, as a person or a script sees it."""

from __future__ import annotations

import csv
import io
import re
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest

from pitwall.log import Writer
from tests.cli.conftest import Pitwall

FRAME = re.compile(r"\((\d+\.\d+)\) (\S+) (\S+)")


def test_sessions_are_objects_with_what_scripts_ask_for(pitwall: Pitwall, driven: Path) -> None:
    (session,) = pitwall("sessions", "--json").json
    assert session["id"] == "drive"
    assert session["car"] == "bmw-e46-m3"
    assert datetime.fromisoformat(session["started_at"]).utcoffset() is not None
    assert session["frames"] > 10_000
    assert session["duration_s"] == pytest.approx(36, abs=1)
    assert session["state"] == "ended"


def test_no_sessions_are_no_failure(pitwall: Pitwall) -> None:
    assert pitwall("sessions", "--json").json == []
    assert pitwall("sessions").code == 0


def test_where_things_live_is_said_before_or_after_the_command_or_in_the_environment(
    pitwall: Pitwall, drive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = drive / "logs"
    assert len(pitwall("--logs", logs, "sessions", "--json").json) == 1
    assert len(pitwall("sessions", "--logs", logs, "--json").json) == 1
    assert len(pitwall("--logs", "elsewhere", "sessions", "--logs", logs, "--json").json) == 1
    monkeypatch.setenv("PITWALL_LOGS", str(logs))
    assert len(pitwall("sessions", "--json").json) == 1
    assert pitwall("--logs", "elsewhere", "sessions", "--json").json == []
    monkeypatch.setenv("PITWALL_JSON", "1")
    assert len(pitwall("sessions").json) == 1


def test_channels_have_units_and_places_that_can_be_asked(pitwall: Pitwall, driven: Path) -> None:
    channels = {channel["name"]: channel for channel in pitwall("channels", "latest", "--json").json}
    assert channels["speed"]["unit"] == "m/s"
    place = channels["speed"]
    sql = f'SELECT count("{place["column_name"]}") AS n FROM "{place["table_name"]}"'
    assert pitwall("query", "drive", sql, "--format", "json").json == [{"n": place["rows"]}]
    assert "speed" in pitwall("channels", "dri").out


def test_every_format_of_an_answer_says_the_same(pitwall: Pitwall, driven: Path) -> None:
    sql = "SELECT channel, count(*) AS n, max(value) AS top FROM signals GROUP BY channel ORDER BY channel"
    rows = pitwall("query", "drive", sql, "--json").json
    assert len(rows) > 40
    read = csv.DictReader(io.StringIO(pitwall("query", "drive", sql, "--format", "csv").out))
    assert [(row["channel"], int(row["n"]), float(row["top"])) for row in read] == [tuple(row.values()) for row in rows]
    for form, reader in (("arrow", pa.ipc.open_stream), ("parquet", pyarrow.parquet.ParquetFile)):
        assert pitwall("query", "drive", sql, "--format", form, "-o", f"answer.{form}").code == 0
        with (driven / f"answer.{form}").open("rb") as file:
            found = reader(file)
            table = found.read_all() if form == "arrow" else found.read()
        assert table.to_pylist() == rows
    table_lines = pitwall("query", "drive", sql).out.splitlines()
    assert len(table_lines) == len(rows) + 1


def test_an_answer_without_rows_is_still_an_answer(pitwall: Pitwall, driven: Path) -> None:
    sql = "SELECT * FROM signals WHERE channel = 'none'"
    assert pitwall("query", "drive", sql, "--json").json == []
    assert pitwall("query", "drive", sql, "--format", "csv").out.splitlines() == ['"t","channel","value"']
    assert len(pitwall("query", "drive", sql).out.splitlines()) == 1


def test_whole_sums_are_whole_numbers_and_missing_values_are_null(pitwall: Pitwall, driven: Path) -> None:
    sql = "SELECT sum(frames) AS whole, NULL AS missing, 'nan'::DOUBLE AS nothing FROM ids"
    (row,) = pitwall("query", "drive", sql, "--json").json
    assert isinstance(row["whole"], int)
    assert row["missing"] is None
    assert row["nothing"] is None


def test_unknown_ids_are_counted_and_listed(pitwall: Pitwall, driven: Path) -> None:
    (row,) = pitwall("query", "drive", "SELECT count(*) AS n FROM ids WHERE name IS NULL", "--json").json
    assert row["n"] == 13


def test_several_sessions_are_replayed_in_processes_and_one_that_fails_keeps_none_from_it(
    pitwall: Pitwall, driven: Path, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    for name in ("one", "two"):
        Writer.create(logs, car="bmw-e46-m3", buses=["dash"], started_at_ns=10**18, session_id=name).end(1)
    assert pitwall("replay", "--all", "--force").code == 0
    reports = pitwall("replay", "--json").json
    assert {report["session"] for report in reports} >= {"one", "two"}
    assert not any(report["rebuilt"] for report in reports)
    Writer.create(logs, car="nobodys", buses=["dash"], started_at_ns=10**18, session_id="three").end(1)
    answer = pitwall("replay", "--force", "--json")
    assert answer.code == 1
    assert all(report["rebuilt"] for report in answer.json)
    assert len(answer.json) == len(reports)
    assert "nobodys" in answer.err
    assert "1 session could not be replayed" in answer.err


def test_a_replay_is_done_once_and_says_so(pitwall: Pitwall, driven: Path) -> None:
    (report,) = pitwall("replay", "--json").json
    assert not report["rebuilt"]
    for file in (driven / "projections").glob("drive*"):
        file.unlink()
    (report,) = pitwall("replay", "drive", "--json").json
    assert report["rebuilt"]
    assert report["frames"] > 10_000
    assert "current" in pitwall("replay", "--all").out
    assert "current" not in pitwall("replay", "--force").out


def test_a_missing_projection_is_built_when_it_is_asked(pitwall: Pitwall, drive: Path) -> None:
    answer = pitwall("--logs", drive / "logs", "query", "drive", "SELECT count(*) AS n FROM signals", "--json")
    assert answer.json[0]["n"] > 10_000


@pytest.mark.parametrize("suffix", ["log", "asc", "blf", "mf4", "log.gz"])
def test_frames_exported_and_imported_again_are_the_same_frames(pitwall: Pitwall, driven: Path, suffix: str) -> None:
    pytest.importorskip("asammdf") if suffix == "mf4" else None
    assert pitwall("export", "drive", "-o", f"out.{suffix}").code == 0
    again = pitwall("import", f"out.{suffix}", "--car", "bmw-e46-m3", "--session", "again", "--json")
    assert again.code == 0, again.err
    for name in ("drive", "again"):
        assert pitwall("export", name, "-o", f"{name}.log").code == 0
    before, after = ((driven / f"{name}.log").read_text().splitlines() for name in ("drive", "again"))
    assert len(before) == len(after) > 10_000
    frames = [[FRAME.match(line) for line in lines] for lines in (before, after)]
    for old, new in zip(*frames, strict=True):
        assert old is not None
        assert new is not None
        assert float(old[1]) == pytest.approx(float(new[1]), abs=1.5e-6)
        assert old[3] == new[3]


def test_a_part_of_a_session_is_exported_from_one_time_to_another(pitwall: Pitwall, driven: Path) -> None:
    whole = pitwall("export", "drive", "-o", "whole.log", "--json").json["frames"]
    first = pitwall("export", "drive", "-o", "first.log", "--to", "0:20", "--json").json["frames"]
    rest = pitwall("export", "drive", "-o", "rest.log", "--from", "20", "--json").json["frames"]
    assert first + rest == whole
    assert 0 < first < whole


def test_channels_are_exported_in_the_order_of_time(pitwall: Pitwall, driven: Path) -> None:
    said = pitwall("export", "drive", "-o", "some.parquet", "--only", "rpm", "--only", "speed", "--from", "5", "--json")
    table = pyarrow.parquet.read_table(driven / "some.parquet")
    assert said.json["values"] == table.num_rows > 0
    assert set(table["channel"].to_pylist()) == {"rpm", "speed"}
    times = table["t"].to_pylist()
    assert times == sorted(times)
    assert times[0] >= 5_000_000_000


def test_a_whole_log_verifies(pitwall: Pitwall, driven: Path) -> None:
    (session,) = pitwall("sessions", "--json").json
    (report,) = pitwall("verify", "--json").json
    assert report["damages"] == []
    assert report["rows"] == session["rows"]
    assert pitwall("verify", "drive").out.splitlines()[1].endswith("whole")


def test_the_same_seed_simulates_the_same_frames(pitwall: Pitwall, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert pitwall("simulate", "--hours", "0.003", "--seed", "7", "-o", f"{name}.log").code == 0
    a, b = ([line.split()[2] for line in (tmp_path / f"{name}.log").read_text().splitlines()] for name in "ab")
    assert a == b


def test_the_truth_names_the_mistakes_and_their_cost(pitwall: Pitwall, tmp_path: Path) -> None:
    import json

    said = pitwall("simulate", "--laps", "1", "--mistake", "brake-early@T1", "--truth", "truth.json", "-o", "d.log")
    assert said.code == 0, said.err
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert len(truth["mistakes"]) == 1
    assert not pitwall("sessions", "--json").json


def test_a_session_is_played_onto_a_bus_in_its_order(pitwall: Pitwall, driven: Path) -> None:
    import can

    assert pitwall("export", "drive", "-o", "drive.log", "--from", "30").code == 0
    with can.Bus("pit", "virtual", receive_own_messages=False) as heard:
        said = pitwall(
            "play", "drive", "--interface", "virtual", "--channel", "pit", "--speed", "50", "--from", "30", "--json"
        )
        got = []
        while (message := heard.recv(0)) is not None:
            got.append(f"{message.arbitration_id:03X}#{bytes(message.data).hex().upper()}")
    frames = [line.split()[2] for line in (driven / "drive.log").read_text().splitlines()]
    assert got == frames
    assert said.json["frames"] == len(frames) > 1000


def test_help_and_version_are_there(pitwall: Pitwall) -> None:
    assert pitwall("version", "--json").json["pitwall"] in pitwall("--version").out
    assert "Usage: pitwall query" in pitwall("query", "-h").out


@pytest.mark.parametrize("command", [["sessions"], ["channels", "drive"], ["verify"], ["replay", "--force"]])
def test_tables_fit_eighty_columns(pitwall: Pitwall, driven: Path, command: list[str]) -> None:
    assert max(map(len, pitwall(*command).out.splitlines())) <= 80


def test_an_import_says_when_latest_is_another_session(pitwall: Pitwall, driven: Path) -> None:
    (driven / "old.log").write_text("(1600000000.000000) can0 420#0000000000000000\n")
    answer = pitwall("import", "old.log", "--car", "bmw-e46-m3")
    assert answer.code == 0
    assert f"`latest` is drive, driven later: ask for {answer.out.strip()}" in answer.err
    (driven / "new.log").write_text("(9000000000.000000) can0 420#0000000000000000\n")
    assert "`latest`" not in pitwall("import", "new.log", "--car", "bmw-e46-m3").err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sesions"], "No such command 'sesions'. Did you mean 'sessions'? (pitwall --help tells more)"),
        (["export", "drive", "--channel", "x"], "No such option '--channel' (pitwall export --help tells more)"),
        (["car", "new", "x"], "Missing option '--from' (pitwall car new --help tells more)"),
        (["export", "drive", "-o", "x.mp3"], "x.mp3: its name ends in no format that is written (.log,"),
        (["export", "drive", "-o", "x.log", "--from", "2:00", "--to", "60"], "--to 60 s is not after --from 120 s"),
        (["query", "drive", "FROM channel"], "Catalog Error: Table with name channel does not exist! (Did "),
        (["query", "drive", "SELECT nam FROM channels"], 'Binder Error: Referenced column "nam" not found in FROM'),
        (["export", "drive", "-o", "x.mp3.gz"], "x.mp3.gz: its name ends in no format that is written (.log,"),
    ],
)
def test_what_was_mistyped_is_said_without_what_helps_nobody(
    driven: Path, pitwall: Pitwall, arguments: list[str], said: str
) -> None:
    assert pitwall(*arguments).line().startswith(f"pitwall: {said}")


def test_a_wrong_setting_is_said_to_be_one(pitwall: Pitwall, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PITWALL_PORT", "many")
    assert "(env var: 'PITWALL_PORT')" in pitwall("serve").line()
    assert "env var" not in pitwall("serve", "--port", "more").line()


def test_every_line_of_help_fits_its_place(pitwall: Pitwall) -> None:
    for group in ([], ["car"], ["key"]):
        commands = pitwall(*group, "--help").out.partition("Commands:\n")[2]
        assert "..." not in commands
