"""A server without what is only nice to have: it says so once, and all of it works."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import numpy as np
import orjson
import pytest

from pitwall.serve import encoding
from tests.project.sessions import CARS, driven, written

PROGRAM = """
import sys
class Hidden:
    def find_spec(self, name, *_):
        if name.split(".")[0] in {hidden}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
from pitwall.cli import main
main()
"""

BODIES = [
    {"a": float("nan"), "b": [1, 2.5, None, float("inf")], "c": (1, 'ä\u2028"')},
    {"t": np.arange(3), "v": np.array([1.0, np.nan, 3.0])},
    {"n": np.float64(2.5), "m": np.int64(3), "deep": [{"x": np.array([[1, 2]])}]},
    [],
    {"at": datetime(2026, 11, 25, 2, 3, 4, 500_000, tzinfo=UTC), "on": date(2026, 11, 25), "of": time(1, 2, 3)},
]


@pytest.mark.parametrize("body", BODIES, ids=lambda body: str(body)[:20])
def test_python_encodes_as_orjson_does(body: object, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = encoding.dumps(body)
    monkeypatch.setattr(encoding, "orjson", None)
    assert orjson.loads(encoding.dumps(body)) == orjson.loads(fast)


@pytest.mark.parametrize("fast", [True, False])
def test_what_json_cannot_say_is_said_by_what_it_can(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not fast:
        monkeypatch.setattr(encoding, "orjson", None)
    body = {"sum": Decimal(12), 7: {"raw": b"\x01"}}
    assert orjson.loads(encoding.dumps(body, lambda value: str(value))) == {"sum": "12", "7": {"raw": "b'\\x01'"}}
    with pytest.raises(TypeError):
        encoding.dumps({"sum": Decimal(12)})


def test_without_orjson_and_watchfiles_it_serves_and_sees_an_edit(tmp_path: Path) -> None:
    session = written(tmp_path / "logs", driven(2_000))
    cars = tmp_path / "cars" / "bmw-e46-m3"
    cars.mkdir(parents=True)
    for file in (CARS / "bmw-e46-m3").iterdir():
        (cars / file.name).write_bytes(file.read_bytes())
    words = ["serve", "--logs", tmp_path / "logs", "--projections", tmp_path / "p", "--cars", cars.parent, "--port", 0]
    errors = (tmp_path / "errors.txt").open("w+")
    server = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(hidden={"orjson", "watchfiles"}), *(str(word) for word in words)],
        stdout=subprocess.PIPE,
        stderr=errors,
        stdin=subprocess.DEVNULL,
        env={name: value for name, value in os.environ.items() if not name.startswith("PITWALL_")},
        text=True,
    )
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found is not None, (tmp_path / "errors.txt").read_text()

        def get(path: str) -> dict:
            with urllib.request.urlopen(f"{found[0]}{path}", timeout=60) as answer:
                return orjson.loads(answer.read())

        assert get("session/_live/channels")["session"] == session.id
        assert get("session/_live/signals?channels=rpm&points=50")["session"] == session.id
        yaml = cars / "car.yaml"
        yaml.write_text(yaml.read_text() + "\nnonsense: [\n")
        while not get("health")["cars"]:
            pass
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    errors.seek(0)
    said = errors.read()
    errors.close()
    assert said.count("orjson is not installed") == 1
    assert said.count("watchfiles is not installed") == 1
    assert "Traceback" not in said
