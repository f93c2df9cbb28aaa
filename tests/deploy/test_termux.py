"""Putting pitwall on a phone and taking it off again, among stub commands that write down what they were asked."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.deploy.stubs import ROOT, Stubs

INSTALL, UNINSTALL = "deploy/termux/install.sh", "deploy/termux/uninstall.sh"

PYTHON = """
case "$*" in
  "-m venv "*) for last; do :; done; mkdir -p "$last/bin"; cp "$0" "$last/bin/python" ;;
  "-c import duckdb, orjson, watchfiles") exit {duckdb} ;;
esac
"""


@pytest.fixture
def phone(stubs: Stubs) -> Stubs:
    """A phone whose Python has no duckdb and that has no Debian yet."""
    home, prefix = stubs.folder / "home", stubs.folder / "usr"
    home.mkdir()
    (prefix / "var" / "service").mkdir(parents=True)
    stubs.environment |= {"HOME": str(home), "PREFIX": str(prefix), "TERMUX_VERSION": "0.119"}
    stubs.add("pkg", "service-daemon", "sv-enable", "termux-wake-lock", "termux-wake-unlock", "svlogd")
    stubs.add("termux-notification-remove", "sv")
    stubs.does("python", PYTHON.format(duckdb=1))
    debian = stubs.folder / "debian"
    stubs.does(
        "proot-distro",
        f'case "$1 $2" in "install debian") touch {debian} ;; "login debian") [ -e {debian} ] ;; esac',
    )
    return stubs


def home(phone: Stubs, *parts: str) -> Path:
    return Path(phone.environment["HOME"], *parts)


def service(phone: Stubs, *parts: str) -> Path:
    return Path(phone.environment["PREFIX"], "var", "service", *parts)


def test_install_tells_each_step_and_compiles_nothing_long(phone: Stubs) -> None:
    done = phone.run(INSTALL, "--car", "bmw-e46-m3")
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert [line[:5] for line in steps] == ["[1/6]", "[2/6]", "[3/6]", "[4/7]", "[5/7]", "[6/7]", "[7/7]"]
    assert all("done" in line for line in steps)
    (packages,) = phone.called("pkg install -y -o")
    assert {"python-numpy", "python-pyarrow", "libusb", "termux-api", "termux-services"} <= set(packages.split())
    assert not {"clang", "rust", "duckdb"} & {word for call in phone.called("pkg") for word in call.split()}
    (installed,) = phone.called("python -m pip install")
    assert "--only-binary numpy,pyarrow,duckdb,orjson" in installed
    assert installed.endswith(f"{ROOT}[usb]")
    assert phone.called("proot-distro install debian")
    assert phone.called(f"proot-distro login debian -- sh {ROOT}/deploy/termux/in-debian.sh {ROOT}")
    assert [call.split()[1] for call in phone.called("sv-enable")] == [
        "pitwall-recorder",
        "pitwall-usb",
        "pitwall-server",
    ], "the recorder is the first to start"


def test_what_is_installed_is_whole_and_runs_with_termuxs_own_shell(phone: Stubs) -> None:
    phone.run(INSTALL, "--car", "gps-logger", "--source", "socket://127.0.0.1:3333")
    for name in ("pitwall-recorder", "pitwall-server", "pitwall-usb"):
        for script in ("run", "log/run"):
            path = service(phone, name, script)
            assert os.access(path, os.X_OK), path
            assert path.read_text().startswith(f"#!{phone.environment['PREFIX']}/bin/sh\n")
    assert os.access(service(phone, "pitwall-server", "control", "t"), os.X_OK)
    boot = home(phone, ".termux", "boot", "pitwall").read_text().splitlines()
    assert boot[1] == "termux-wake-lock", "before anything else"
    settings = home(phone, ".pitwall", "env").read_text()
    assert "PITWALL_CAR=gps-logger\n" in settings
    assert "PITWALL_SOURCE=socket://127.0.0.1:3333\n" in settings
    assert settings.count("PITWALL_SOURCE=") == 1
    assert home(phone, "pitwall", "cars", "bmw-e46-m3", "car.yaml").exists()


def test_to_install_again_changes_nothing_that_somebody_has_set(phone: Stubs) -> None:
    phone.run(INSTALL)
    settings, car = home(phone, ".pitwall", "env"), home(phone, "pitwall", "cars", "bmw-e46-m3", "car.yaml")
    settings.write_text(settings.read_text() + "PITWALL_CAR=bmw-e46-m3\nPITWALL_KEEP=30d\n")
    car.write_text("car: {make: mine}\n")
    log = home(phone, "pitwall", "logs", "session")
    log.mkdir()
    before = settings.read_text()
    phone.forget()
    done = phone.run(INSTALL)
    assert done.returncode == 0, done.stderr
    assert settings.read_text() == before
    assert car.read_text() == "car: {make: mine}\n"
    assert log.is_dir()
    assert not phone.called("proot-distro install")
    assert not phone.called("python -m venv")
    assert phone.called("sv-enable pitwall-recorder"), "it was told which car, meanwhile"


def test_nothing_is_started_before_a_car_is_named(phone: Stubs) -> None:
    done = phone.run(INSTALL)
    assert done.returncode == 0
    assert "Nothing runs yet" in done.stdout
    assert not phone.called("sv-enable")
    assert service(phone, "pitwall-recorder", "down").exists()


def test_where_the_phones_python_has_duckdb_all_is_in_one_place(phone: Stubs) -> None:
    phone.does("python", PYTHON.format(duckdb=0))
    done = phone.run(INSTALL, "--car", "bmw-e46-m3")
    assert done.returncode == 0, done.stderr
    assert not phone.called("proot-distro")
    assert any("[server,usb]" in call for call in phone.called("python -m pip install"))
    assert home(phone, ".pitwall", "server").read_text() == "native\n"


def test_a_phone_may_only_record(phone: Stubs) -> None:
    done = phone.run(INSTALL, "--server", "none", "--no-boot", "--car", "bmw-e46-m3")
    assert done.returncode == 0
    assert "[4/4]" in done.stdout
    assert not service(phone, "pitwall-server").exists()
    assert not home(phone, ".termux", "boot", "pitwall").exists()
    assert phone.run(INSTALL, "--server", "cloud").returncode == 2


def test_a_step_that_fails_ends_it_with_its_own_words_and_is_made_good_by_a_second_run(phone: Stubs) -> None:
    phone.does("pkg", "echo 'E: Unable to locate package python-pyarrow' >&2; exit 100")
    done = phone.run(INSTALL, "--car", "bmw-e46-m3")
    assert done.returncode == 1
    assert "[1/6]" in done.stdout
    assert "FAILED" in done.stdout
    assert "Unable to locate package python-pyarrow" in done.stderr
    assert not phone.called("python -m venv"), "nothing is done behind it"
    phone.add("pkg")
    assert phone.run(INSTALL, "--car", "bmw-e46-m3").returncode == 0


def test_the_first_failure_within_a_step_ends_it(phone: Stubs) -> None:
    phone.does("proot-distro", '[ "$1" != install ]; exit $?')
    phone.does("python", PYTHON.format(duckdb=1) + 'case "$*" in *"pip install"*) exit 1 ;; esac')
    done = phone.run(INSTALL, "--car", "bmw-e46-m3")
    assert done.returncode == 1
    assert "[2/6]" in done.stdout
    assert not phone.called("proot-distro")


def test_elsewhere_it_says_where_it_belongs(phone: Stubs) -> None:
    del phone.environment["TERMUX_VERSION"]
    for script in (INSTALL, UNINSTALL):
        done = phone.run(script)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "not Termux" in done.stderr


def test_uninstall_leaves_the_logs_and_says_where_they_are(phone: Stubs) -> None:
    phone.run(INSTALL, "--car", "bmw-e46-m3")
    log = home(phone, "pitwall", "logs", "session")
    log.mkdir()
    phone.forget()
    done = phone.run(UNINSTALL)
    assert done.returncode == 0, done.stderr
    assert str(home(phone, "pitwall", "logs")) in done.stdout
    assert log.is_dir()
    assert not home(phone, ".pitwall").exists()
    assert not home(phone, ".termux", "boot", "pitwall").exists()
    assert list(service(phone).iterdir()) == []
    downs = [Path(call.split()[-1]).name for call in phone.called("sv -w 60 down")]
    assert downs == ["pitwall-usb", "pitwall-server", "pitwall-recorder"], "the recorder is the last to stop"
    assert phone.called("termux-wake-unlock")
    assert phone.called("proot-distro login debian -- rm -rf /opt/pitwall")
    assert phone.run(UNINSTALL).returncode == 0, "twice is no harm"


def test_uninstall_gets_through_whatever_hangs_or_fails(phone: Stubs) -> None:
    phone.run(INSTALL, "--car", "bmw-e46-m3")
    home(phone, ".pitwall", "env").write_text("PITWALL_LOGS=/sdcard/elsewhere\n")
    for name in ("sv", "proot-distro", "termux-notification-remove"):
        phone.does(name, "exit 1")
    phone.does("termux-wake-unlock", "exec sleep 600")
    done = phone.run(UNINSTALL)
    assert done.returncode == 0, done.stderr
    assert "/sdcard/elsewhere" in done.stdout
    assert not home(phone, ".pitwall").exists()


# --- the services' own scripts


def started(phone: Stubs, name: str, script: str = "run", *arguments: str) -> subprocess.CompletedProcess[str]:
    return phone.run(f"deploy/termux/services/{name}/{script}", *arguments)


def test_the_recorder_runs_with_the_settings(phone: Stubs) -> None:
    phone.run(INSTALL, "--car", "gps-logger")
    python = home(phone, ".pitwall", "venv", "bin", "python")
    python.write_text('#!/bin/sh\necho "$* $PITWALL_CAR $PITWALL_SOURCE $PITWALL_LOGS"\n')
    said = started(phone, "pitwall-recorder").stdout
    assert said == f"-m pitwall record gps-logger usb:handed {home(phone, 'pitwall', 'logs')}\n"


def line_with(process: subprocess.Popen[str], word: str) -> str:
    """The first line that holds the word, of all that the process says."""
    assert process.stdout is not None
    return next((line for line in process.stdout if word in line), "")


def test_the_services_record_and_serve_one_log_as_runit_runs_them(phone: Stubs) -> None:
    phone.run(INSTALL, "--server", "none")
    settings = home(phone, ".pitwall", "env")
    settings.write_text(settings.read_text().replace("PITWALL_SOURCE", "#") + "PITWALL_SIMULATE=1\nPITWALL_PORT=0\n")
    home(phone, ".pitwall", "server").write_text("native\n")
    python = home(phone, ".pitwall", "venv", "bin", "python")
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    running = []
    try:
        recorder = phone.start("deploy/termux/services/pitwall-recorder/run")
        running.append(recorder)
        assert line_with(recorder, "recording ")
        server = phone.start("deploy/termux/services/pitwall-server/run")
        running.append(server)
        address = re.search(r"http://[\d.:]+/", line_with(server, "the page is at"))
        assert address
        with urllib.request.urlopen(f"{address[0]}health", timeout=30) as answer:
            health = json.loads(answer.read())
        assert health["recorder"]["pid"] == recorder.pid
        for process in (server, recorder):
            process.terminate()  # as runit does
            said, _ = process.communicate(timeout=60)
            assert process.returncode == 0, said
    finally:
        for process in running:
            process.kill()
            process.communicate()
    assert [call.strip() for call in phone.calls if "wake" in call] == ["termux-wake-lock", "termux-wake-unlock"]
    assert len(list(home(phone, "pitwall", "logs").glob("*/*.arrow"))) == 1, "sealed"


def test_what_a_service_says_is_kept_under_its_own_name(phone: Stubs) -> None:
    phone.run(INSTALL, "--car", "gps-logger")
    log = service(phone, "pitwall-usb", "log")
    subprocess.run(["sh", "run"], cwd=log, env=phone.env, check=True)
    kept = Path(phone.environment["PREFIX"], "var", "log", "sv", "pitwall-usb")
    assert kept.is_dir()
    assert phone.called(f"svlogd -tt {kept}")


def test_the_server_runs_where_duckdb_is(phone: Stubs) -> None:
    phone.run(INSTALL, "--car", "gps-logger")
    phone.forget()
    assert started(phone, "pitwall-server").returncode == 0
    (call,) = phone.called("proot-distro login debian -- /usr/bin/env")
    assert f"PITWALL_LOGS={home(phone, 'pitwall', 'logs')}" in call
    assert "pitwall serve" in call
    home(phone, ".pitwall", "server").write_text("native\n")
    phone.forget()
    assert started(phone, "pitwall-server").returncode == 0
    assert phone.calls == ["python -m pitwall serve"]


def test_the_server_itself_is_asked_to_end_and_not_its_container(phone: Stubs) -> None:
    phone.run(INSTALL, "--car", "gps-logger")
    pid = home(phone, ".pitwall", "server.pid")
    assert started(phone, "pitwall-server", "control/t").returncode != 0, "runit does it, where we can't"
    pid.write_text(f"{os.getpid()}\n")
    server = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "pitwall"])
    try:
        pid.write_text(f"{server.pid}\n")
        assert started(phone, "pitwall-server", "control/t").returncode == 0
        assert server.wait(30) == -15
    finally:
        server.kill()
        server.wait()


def test_a_descriptor_is_handed_over_with_the_settings_and_nothing_on_stdout(phone: Stubs) -> None:
    phone.run(INSTALL, "--car", "gps-logger")
    python = home(phone, ".pitwall", "venv", "bin", "python")
    python.write_text('#!/bin/sh\necho "$* $PITWALL_SOCKET $TERMUX_USB_FD"\nexit 3\n')
    phone.environment["TERMUX_USB_FD"] = "7"
    done = phone.run("deploy/termux/hand-over.sh")
    assert (done.returncode, done.stdout) == (3, "")
    said = home(phone, ".pitwall", "hand-over.log").read_text()
    assert said == f"-m pitwall hand-over {home(phone, '.pitwall', 'usb.sock')} 7\n"
