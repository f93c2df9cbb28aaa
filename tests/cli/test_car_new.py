"""`pitwall car new`: from a capture that nobody knows to a car that shows what moves in it."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import ROOT, Pitwall

CAPTURE = "".join(
    f"({n / 100:.6f}) can0 0D2#{n % 16:02X}80{n * 7 % 256:02X}\n({n / 100:.6f}) can1 18FEF100#00{n // 7 % 3:02X}\n"
    for n in range(1000, 1100)
)


def begun(pitwall: Pitwall, tmp_path: Path) -> None:
    (tmp_path / "drive.log").write_text(CAPTURE)
    answer = pitwall("car", "new", "mine", "--from", "drive.log")
    assert (answer.code, answer.out) == (0, "cars/mine\n")
    assert answer.err.splitlines()[-1] == (
        "pitwall: 2 ids on 2 buses, 3 bytes that changed; it looks as if there were 1 counter and 0 checksums"
    )


def test_a_capture_becomes_a_car_that_checks_imports_and_shows_what_moves(pitwall: Pitwall, tmp_path: Path) -> None:
    begun(pitwall, tmp_path)
    assert (
        pitwall("car", "check", "mine").out
        == "mine: 3 channels, 0 of them derived, from 2 messages on 2 buses; 0 roles\n"
    )
    shown = pitwall("car", "show", "mine", "--json").json["channels"]
    assert {one["name"]: one["rate_hz"] for one in shown} == {"x0D2_counter": 100, "x0D2_b2": 100, "x18FEF100_b1": 100}
    assert pitwall("import", "drive.log", "--car", "mine", "--session", "s").code == 0
    rows = pitwall("query", "s", "SELECT bus, id, frames FROM ids ORDER BY id", "--json").json
    assert [(row["bus"], row["id"], row["frames"]) for row in rows] == [("can0", 0xD2, 100), ("can1", 0x18FEF100, 100)]
    bytes_ = pitwall("query", "s", "SELECT value FROM signals WHERE channel = 'x0D2_b2' ORDER BY t", "--json").json
    assert [row["value"] for row in bytes_] == [n * 7 % 256 for n in range(1000, 1100)]


def test_its_files_say_what_was_seen(pitwall: Pitwall, tmp_path: Path) -> None:
    begun(pitwall, tmp_path)
    folder = tmp_path / "cars" / "mine"
    assert sorted(path.name for path in folder.iterdir()) == ["can0.dbc", "can1.dbc", "car.yaml"]
    dbc = (folder / "can0.dbc").read_text()
    assert (
        'CM_ BO_ 210 "100 frames, every 10 ms, 3 bytes. Never changed: b1 0x80. '
        'b0 from bit 0 on, 4 bits, looks like a counter: 0 to 15.";' in dbc
    )
    assert "group 65265 (0xFEF1) from 0x00, priority 6" in (folder / "can1.dbc").read_text()
    assert "drive.log" in (folder / "car.yaml").read_text()
    # the schema's line leads somewhere, or is not there
    assert "yaml-language-server" not in (folder / "car.yaml").read_text()
    (tmp_path / "cars" / "car.schema.json").write_text("{}")
    assert pitwall("car", "new", "other", "--from", "drive.log").code == 0
    assert (
        (tmp_path / "cars" / "other" / "car.yaml").read_text().startswith("# yaml-language-server: $schema=../car.sch")
    )


def test_json_says_of_each_id_what_was_seen(pitwall: Pitwall, tmp_path: Path) -> None:
    (tmp_path / "drive.log").write_text(CAPTURE)
    said = pitwall("car", "new", "mine", "--from", "drive.log", "--json").json
    assert (said["car"], said["folder"], said["problems"]) == ("mine", "cars/mine", [])
    first, second = said["buses"]
    assert (first["name"], first["dbc"], second["ids"][0]["id"]) == ("can0", "can0.dbc", 0x18FEF100)
    (id,) = first["ids"]
    assert (id["message"], id["extended"], id["frames"], id["lengths"], id["cycle_ms"]) == ("x0D2", False, 100, [3], 10)
    assert id["counters"] == [{"byte": 0, "first_bit": 0, "bits": 4, "modulo": 16}]
    assert id["bytes"][1] == {"lowest": 128, "highest": 128, "values": 1, "moved": 0}


def test_nothing_is_written_over_and_nothing_half_is_left(pitwall: Pitwall, tmp_path: Path) -> None:
    begun(pitwall, tmp_path)
    before = (tmp_path / "cars" / "mine" / "car.yaml").read_text()
    again = pitwall("car", "new", "mine", "--from", "drive.log")
    assert again.code == 2
    assert again.line() == "pitwall: cars/mine: is there already (choose another name, or remove it first)"
    assert (tmp_path / "cars" / "mine" / "car.yaml").read_text() == before
    (tmp_path / "sent.log").write_text("(1.0) can0 0D2#01 T\n")
    for capture, words in (("gone.log", "no such file"), ("sent.log", "no frame was heard"), ("x.pdf", "known:")):
        answer = pitwall("car", "new", "next", "--from", capture)
        assert answer.code == 2
        assert words in answer.line()
    assert sorted(path.name for path in (tmp_path / "cars").iterdir()) == ["mine"]


def test_a_name_that_is_none_and_a_capture_that_is_not_named_are_bad_usage(pitwall: Pitwall, tmp_path: Path) -> None:
    (tmp_path / "drive.log").write_text(CAPTURE)
    for name in ("../up", "a b", ".hidden"):
        answer = pitwall("car", "new", name, "--from", "drive.log")
        assert answer.code == 2
        assert "can't name a car" in answer.line()
    assert pitwall("car", "new", "mine").code == 2
    assert not (tmp_path / "cars").exists()


def test_what_a_damaged_capture_still_holds_is_enough_and_the_loss_is_told(pitwall: Pitwall, tmp_path: Path) -> None:
    (tmp_path / "cut.log").write_text(CAPTURE + "(11.0) can0 0D2#0")
    answer = pitwall("car", "new", "mine", "--from", "cut.log")
    assert answer.code == 3
    assert "made of what could be read" in answer.err
    assert pitwall("car", "check", "mine").code == 0


def test_a_new_car_never_lands_among_those_that_came_with_pitwall_unless_said(pitwall: Pitwall, tmp_path: Path) -> None:
    (tmp_path / "drive.log").write_text(CAPTURE)
    assert pitwall("car", "check", "bmw-e46-m3").code == 0  # no ./cars: those that came with pitwall
    assert pitwall("car", "new", "mine", "--from", "drive.log").out == "cars/mine\n"
    assert not (ROOT / "cars" / "mine").exists()
    assert pitwall("--cars", "garage", "car", "new", "mine", "--from", "drive.log").out == "garage/mine\n"
    said = pitwall("car", "new", "bmw-e46-m3", "--from", "drive.log", "--cars", ROOT / "cars")
    assert "is there already" in said.line()
