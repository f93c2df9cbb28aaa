"""Putting pitwall on a Pi or a laptop and taking it off again; what is installed is what systemd and udev take."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from pitwall.bus.usb import GS_USB, SLCAN
from tests.deploy.stubs import ROOT, Stubs

INSTALL, UNINSTALL = "deploy/systemd/install.sh", "deploy/systemd/uninstall.sh"
FOLDER = ROOT / "deploy" / "systemd"

PYTHON3 = """
case "$*" in
  "-m venv "*) for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
esac
"""


@pytest.fixture
def machine(stubs: Stubs) -> Stubs:
    """A laptop or a Pi, whose user is no root."""
    home = stubs.folder / "home"
    home.mkdir()
    stubs.environment |= {"HOME": str(home), "TMPDIR": str(stubs.folder)}
    stubs.add("systemctl", "systemd-sysusers", "udevadm", "ip")
    stubs.does("python3", PYTHON3)
    stubs.does("id", "echo 1000")
    stubs.does("uname", "echo aarch64")
    return stubs


@pytest.fixture
def image(machine: Stubs) -> Path:
    """The root of an image that the system's services go to."""
    return machine.folder / "image"


def install(machine: Stubs, *arguments: object) -> subprocess.CompletedProcess[str]:
    done = machine.run(INSTALL, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def steps(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line[:5] for line in done.stdout.splitlines() if line.startswith("[")]


def test_a_user_gets_services_of_their_own_without_root(machine: Stubs) -> None:
    done = install(machine, "--car", "bmw-e46-m3", "--source", "slcan:/dev/ttyACM0")
    assert steps(done) == ["[1/4]", "[2/4]", "[3/4]", "[4/4]"]
    home = machine.folder / "home"
    unit = (home / ".config/systemd/user/pitwall-recorder.service").read_text()
    assert f"ExecStart={home}/.local/share/pitwall/venv/bin/python -m pitwall record" in unit
    assert f"EnvironmentFile={home}/.config/pitwall/pitwall.env" in unit
    assert "WantedBy=default.target" in unit
    assert not list((home / ".config/systemd/user").glob("*/*.conf")), "what only the system can give"
    settings = (home / ".config/pitwall/pitwall.env").read_text()
    assert "PITWALL_CAR=bmw-e46-m3\n" in settings
    assert "PITWALL_SOURCE=slcan:/dev/ttyACM0\n" in settings
    assert machine.called("systemctl --user daemon-reload")
    assert machine.called("systemctl --user enable pitwall-recorder.service pitwall-server.service")
    assert machine.called("systemctl --user restart pitwall-recorder.service")
    assert all(
        "--only-binary :all:" in call for call in machine.called("python -m pip install") if "-r" in call.split()
    )
    assert "loginctl enable-linger" in done.stdout


def test_the_systems_services_go_below_a_prefix_and_nothing_is_started(machine: Stubs, image: Path) -> None:
    done = install(machine, "--system", "--prefix", image, "--car", "gps-logger", "--can", "can0=500000")
    assert steps(done)[-1] == "[6/6]"
    assert (image / "etc/systemd/system/pitwall-can@.service").exists()
    assert (image / "etc/systemd/system/pitwall-recorder.service.d/10-system.conf").exists()
    assert (image / "etc/udev/rules.d/70-pitwall.rules").exists()
    assert (image / "etc/pitwall/can0.env").read_text() == "BITRATE=500000\n"
    assert (image / "var/lib/pitwall/logs").is_dir()
    assert "@" not in (image / "etc/systemd/system/pitwall-recorder.service").read_text()
    assert str(image) not in (image / "etc/pitwall/pitwall.env").read_text()
    assert machine.called(f"systemd-sysusers --root={image}")
    systemctl = machine.called("systemctl")
    assert systemctl
    assert all(f"--root={image} enable" in call for call in systemctl), systemctl
    assert not machine.called("udevadm")


def test_the_systems_services_need_root(machine: Stubs) -> None:
    for script in (INSTALL, UNINSTALL):
        done = machine.run(script, "--system")
        assert done.returncode == 1
        assert "sudo" in done.stderr
    assert not [call for call in machine.calls if not call.startswith("id")]


def test_to_install_again_changes_nothing_that_somebody_has_set(machine: Stubs, image: Path) -> None:
    first = install(machine, "--system", "--prefix", image)
    assert "Nothing runs yet" in first.stdout
    assert not machine.called("systemctl")
    settings = image / "etc/pitwall/pitwall.env"
    settings.write_text(settings.read_text() + "PITWALL_CAR=mine\nPITWALL_KEEP=30d\n")
    (image / "var/lib/pitwall/cars/mine").mkdir()
    before = settings.read_text()
    install(machine, "--system", "--prefix", image)
    assert settings.read_text() == before
    assert (image / "var/lib/pitwall/cars/mine").is_dir()
    assert len(machine.called("python3 -m venv")) == 1
    install(machine, "--system", "--prefix", image, "--car", "other")
    assert settings.read_text().count("PITWALL_CAR=") == 1
    assert "PITWALL_KEEP=30d\n" in settings.read_text()


def test_only_the_udev_rule_may_be_wanted(machine: Stubs, image: Path) -> None:
    install(machine, "--udev", "--prefix", image)
    assert [path.name for path in image.rglob("*") if path.is_file()] == ["70-pitwall.rules"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--can", "can0=500000"], "--system"),
        (["--user"], "--prefix needs --system"),
        (["--system", "--can", "can0"], "IF=BITRATE"),
        (["--system", "--can", "../x=1"], "IF=BITRATE"),
    ],
)
def test_wrong_wishes_are_told_before_anything_is_done(
    machine: Stubs, image: Path, arguments: list[str], word: str
) -> None:
    done = machine.run(INSTALL, *arguments, "--prefix", image)
    assert done.returncode == 2
    assert word in done.stderr
    assert not image.exists()


def test_a_32_bit_system_is_told_that_there_are_no_wheels(machine: Stubs, image: Path) -> None:
    machine.does("uname", "echo armv7l")
    done = machine.run(INSTALL, "--prefix", image, "--system")
    assert done.returncode == 1
    assert "64-bit" in done.stderr


def test_a_step_that_fails_shows_its_own_words(machine: Stubs, image: Path) -> None:
    machine.does("python3", "echo 'No module named venv' >&2; exit 1")
    done = machine.run(INSTALL, "--system", "--prefix", image)
    assert done.returncode == 1
    assert "FAILED" in done.stdout
    assert "No module named venv" in done.stderr
    assert not (image / "etc/systemd").exists()


@pytest.mark.parametrize("who", ["system", "user"])
def test_uninstall_leaves_the_logs_and_says_where_they_are(machine: Stubs, image: Path, who: str) -> None:
    prefix = ["--prefix", image] if who == "system" else []
    can = ["--can", "can0=500000"] if who == "system" else []
    install(machine, f"--{who}", *prefix, "--car", "gps-logger", *can)
    data = image / "var/lib/pitwall" if who == "system" else machine.folder / "home/.local/share/pitwall"
    (data / "logs" / "session").mkdir()
    machine.forget()
    done = machine.run(UNINSTALL, f"--{who}", *prefix)
    assert done.returncode == 0, done.stderr
    assert str(data / "logs") in done.stdout
    assert (data / "logs" / "session").is_dir()
    assert (data / "cars").is_dir()
    assert not (data / "venv").exists()
    left = [path for path in machine.folder.rglob("*pitwall*") if path.is_file() or path.suffix in (".service", ".d")]
    assert not [path for path in left if data not in path.parents and path.parent != machine.folder], left
    if who == "user":
        stops = [call.split()[-1] for call in machine.called("systemctl --user stop")]
        assert stops == ["pitwall-server.service", "pitwall-recorder.service"], "the recorder is the last to stop"
    else:
        assert machine.called(f"systemctl --root={image} disable pitwall-can@can0.service")
    assert machine.run(UNINSTALL, f"--{who}", *prefix).returncode == 0, "twice is no harm"


# --- what is installed


def test_the_recorder_starts_first_stops_last_and_never_gives_up() -> None:
    recorder, server = ((FOLDER / f"pitwall-{name}.service").read_text() for name in ("recorder", "server"))
    for unit in (recorder, server):
        assert "\nRestart=always\n" in unit
        assert "\nStartLimitIntervalSec=0\n" in unit
        assert not re.search(r"^(Requires|BindsTo|PartOf)=", unit, re.MULTILINE), "neither takes the other with it"
    assert "\nAfter=pitwall-recorder.service\n" in server
    assert "pitwall-server" not in recorder
    scores = [int(re.findall(r"^OOMScoreAdjust=(-?\d+)$", unit, re.MULTILINE)[0]) for unit in (recorder, server)]
    assert scores[0] < 0 < scores[1]


def test_an_interface_only_listens() -> None:
    unit = (FOLDER / "pitwall-can@.service").read_text()
    assert "type can bitrate ${BITRATE} listen-only on" in unit


ABOUT_AN_EMPTY_ROOT = (
    "is not executable: No such file",
    "Unit sysinit.target not found",
    "Unit basic.target not found",
)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_takes_the_units_as_they_are_installed(machine: Stubs, image: Path) -> None:
    install(machine, "--system", "--prefix", image, "--can", "can0=500000")
    analyze = ["systemd-analyze", f"--root={image}", "--man=no"]
    units = ["pitwall-recorder.service", "pitwall-server.service", "pitwall-can@can0.service"]

    def complaints() -> list[str]:
        done = subprocess.run([*analyze, "verify", *units], capture_output=True, text=True, check=False)
        said = (done.stdout + done.stderr).splitlines()
        return [line for line in said if not any(known in line for known in ABOUT_AN_EMPTY_ROOT)]

    assert complaints() == []
    unit = image / "etc/systemd/system/pitwall-recorder.service"
    unit.write_text(unit.read_text().replace("Restart=always", "Restart=sometimes"))
    assert complaints(), "it does look"


@pytest.mark.skipif(shutil.which("udevadm") is None, reason="no udevadm here")
def test_udev_takes_the_rule() -> None:
    rule = FOLDER / "70-pitwall.rules"
    done = subprocess.run(["udevadm", "verify", str(rule)], capture_output=True, text=True, check=False)
    if "Unknown command" in done.stderr:
        pytest.skip("this udevadm is older than `verify`")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_adapter_that_the_rule_names_gets_a_name_and_a_group() -> None:
    lines = [line for line in (FOLDER / "70-pitwall.rules").read_text().splitlines() if line and line[0] != "#"]
    named = [line for line in lines if "idVendor" in line]
    pairs = [re.findall(r'ATTRS?\{id(?:Vendor|Product)\}=="([0-9a-f]{4})"', line) for line in named]
    assert all(len(pair) == 2 for pair in pairs)
    known = {(f"{vendor:04x}", f"{product:04x}") for vendor, product in (*GS_USB, *SLCAN)}
    assert {tuple(pair) for pair in pairs} == known, "those that pitwall knows by their ids, and no other"
    assert all(re.search(r'ENV\{PITWALL\}="[a-z0-9-]+"$', line) for line in named)
    (rights,) = [line for line in lines if "MODE=" in line]
    assert 'GROUP="dialout"' in rights
    assert 'SYMLINK+="pitwall-$env{PITWALL}"' in rights
    assert not [line for line in lines if "RUN+=" in line or "PROGRAM" in line]
    assert os.access(FOLDER / "install.sh", os.X_OK)
