"""The archive in an S3 store: moto's server, on this machine, in an environment of its own (`make setup-s3`)."""

from __future__ import annotations

import http.client
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote
from xml.etree import ElementTree

import pytest

from pitwall.errors import LogError, UsageError
from pitwall.log import keys, records, sessions
from pitwall.log.archive import archive
from pitwall.log.restore import ArchiveDamagedError, restore
from tests.log.drives import Watched
from tests.log.test_archive import StopError, broken_off_at, files, nothing, session

SERVER = Path(sys.prefix) / "s3" / "bin" / "moto_server"  # its libraries do not go with the other tests' own

pytestmark = pytest.mark.skipif(not SERVER.exists(), reason="no S3 server to test against: `make setup-s3` sets it up")


@dataclass
class Store:
    """A bucket `races`, seen past pitwall, by plain requests.  uri: a folder in it, as pitwall is told."""

    address: str
    uri: str

    def ask(self, method: str, path: str = "", data: bytes = b"") -> bytes:
        connection = http.client.HTTPConnection(self.address, timeout=20)
        connection.request(method, f"/races{path}", data, {"x-amz-acl": "public-read"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        assert answer.status < 300, body
        return body

    def objects(self) -> dict[str, bytes]:
        listed = ElementTree.fromstring(self.ask("GET", "?list-type=2"))
        keys = [str(key.text) for key in listed.iter("{http://s3.amazonaws.com/doc/2006-03-01/}Key")]
        return {key: self.ask("GET", f"/{quote(key)}") for key in keys}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running server."""
    said = tmp_path_factory.mktemp("s3") / "said"
    with said.open("w") as output:
        running = subprocess.Popen([str(SERVER), "-H", "127.0.0.1", "-p", "0"], stdout=output, stderr=output)
    try:
        while not (found := re.search(r"http://([\d.]+:\d+)", said.read_text())):
            assert running.poll() is None, said.read_text()
            time.sleep(0.05)
        yield found[1]
    finally:
        running.kill()
        running.wait()


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """An empty bucket; credentials are in the environment, where they belong."""
    for name, value in {
        "ACCESS_KEY_ID": "driver",
        "SECRET_ACCESS_KEY": "box box box",
        "EC2_METADATA_DISABLED": "1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    made = Store(server, f"s3://races/2026?endpoint_override=http://{server}&region=us-east-1")
    made.ask("PUT")
    yield made
    for key in made.objects():
        made.ask("DELETE", f"/{quote(key)}")
    made.ask("DELETE")


def test_a_session_goes_to_s3_and_comes_back_byte_for_byte(store: Store, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    before = session(logs)
    done = archive(logs, "drive", store.uri, forget=nothing)
    assert (done.at, done.sent) == (store.uri, len(before))
    assert sessions(logs) == []
    stored = store.objects()
    assert {f"2026/drive/{name}": data for name, data in before.items()}.items() <= stored.items()
    assert stored.keys() - {f"2026/drive/{name}" for name in before} == {"2026/drive/session.json"}
    assert restore(logs, "drive", forget=nothing).rows == 902
    assert files(logs / "drive") == before
    assert archive(logs, "drive", store.uri, forget=nothing).sent == 0
    assert restore(tmp_path / "other", "drive", store.uri, forget=nothing).rows == 902


def test_what_an_encrypted_archive_gives_to_the_store_tells_no_frame(store: Store, tmp_path: Path, monkeypatch) -> None:
    pytest.importorskip("cryptography")
    monkeypatch.setenv(keys.VARIABLE, str(keys.new(tmp_path / "key").file))
    logs = tmp_path / "logs"
    before = session(logs)
    archive(logs, "drive", store.uri, forget=nothing)
    stored = store.objects()
    assert {key for key in stored if not key.endswith(".enc")} == {"2026/drive/session.json"}
    assert not any(b"ARROW" in data for data in stored.values())
    restore(logs, "drive", forget=nothing)
    assert files(logs / "drive") == before


def test_broken_off_at_every_call_of_the_disk_it_goes_on(store: Store, tmp_path: Path) -> None:
    before = session(tmp_path / "model", segments=1)
    seen: list[str] = []
    session(tmp_path / "tried", segments=1)
    archive(tmp_path / "tried", "drive", store.uri.replace("2026", "tried"), forget=nothing, disk=Watched(seen.append))
    assert len(seen) > 10
    for i in range(len(seen)):
        logs, uri = tmp_path / f"logs{i}", store.uri.replace("2026", str(i))
        session(logs, segments=1)
        with pytest.raises(StopError):
            archive(logs, "drive", uri, forget=nothing, disk=broken_off_at(i))
        archive(logs, "drive", uri, forget=nothing)
        assert sessions(logs) == []
        restore(logs, "drive", forget=nothing)
        assert files(logs / "drive") == before


def test_damage_in_the_store_is_found(store: Store, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    session(logs)
    archive(logs, "drive", store.uri, forget=nothing)
    first, second, *_ = sorted(key for key in store.objects() if key.endswith(".arrow"))
    store.ask("PUT", f"/{quote(first)}", store.objects()[second])
    store.ask("DELETE", f"/{quote(second)}")
    with pytest.raises(ArchiveDamagedError) as raised:
        restore(logs, "drive", forget=nothing)
    assert len(raised.value.problems) == 2
    assert sessions(logs) == []


def test_credentials_in_a_uri_are_neither_kept_nor_shown(store: Store, tmp_path: Path, monkeypatch) -> None:
    logs = tmp_path / "logs"
    session(logs)
    with_secret = store.uri.replace("s3://", "s3://driver:letmein@")
    done = archive(logs, "drive", with_secret, forget=nothing)
    assert "letmein" not in str(done)
    assert records.find(logs, "drive").at == store.uri
    assert not [path for path in logs.rglob("*") if path.is_file() and b"letmein" in path.read_bytes()]
    session(logs, "next")
    with pytest.raises(LogError) as raised:
        archive(logs, "next", with_secret.replace("races", "no-such-bucket"), forget=nothing)
    assert "letmein" not in str(raised.value)
    with pytest.raises(UsageError) as refused:
        restore(logs, "x", "s3://driver:letmein@races/2026?nonsense=1", forget=nothing)
    assert "letmein" not in str(refused.value)


def test_a_bucket_that_is_not_there_is_a_clear_line_and_costs_nothing(store: Store, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    before = session(logs)
    with pytest.raises(LogError, match="can't be written"):
        archive(logs, "drive", store.uri.replace("races", "elsewhere"), forget=nothing)
    assert files(logs / "drive") == before
