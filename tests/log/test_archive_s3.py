"""The archive in an S3 store: moto's server, on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pitwall.errors import LogError, UsageError
from pitwall.log import keys, records, sessions
from pitwall.log.archive import archive
from pitwall.log.restore import ArchiveDamagedError, restore
from tests.log.test_archive import files, nothing, session

moto_server = pytest.importorskip("moto.server", reason="moto[server] is not installed: no S3 server to test against")
boto3 = pytest.importorskip("boto3", reason="boto3 is not installed: nothing to look into the S3 server with")


@dataclass
class Store:
    client: Any
    uri: str

    def objects(self) -> dict[str, bytes]:
        listed = self.client.list_objects_v2(Bucket="races").get("Contents", [])
        return {one["Key"]: self.client.get_object(Bucket="races", Key=one["Key"])["Body"].read() for one in listed}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture
def store(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A bucket `races`, and what opens a folder in it; credentials are in the environment, where they belong."""
    for name, value in {
        "ACCESS_KEY_ID": "driver",
        "SECRET_ACCESS_KEY": "box box box",
        "EC2_METADATA_DISABLED": "1",
    }.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    client = boto3.client("s3", endpoint_url=server, region_name="us-east-1")
    client.create_bucket(Bucket="races")
    yield Store(client, f"s3://races/2026?endpoint_override={server}&region=us-east-1")
    for key in Store(client, "").objects():
        client.delete_object(Bucket="races", Key=key)
    client.delete_bucket(Bucket="races")


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


def test_broken_off_at_every_step_it_goes_on(store: Store, tmp_path: Path) -> None:
    before = session(tmp_path / "model", segments=1)
    seen: list[str] = []
    uri = store.uri.replace("2026", "tried")
    session(tmp_path / "tried", segments=1)
    archive(tmp_path / "tried", "drive", uri, forget=nothing, step=seen.append)
    for i in range(len(seen)):
        logs, uri = tmp_path / f"logs{i}", store.uri.replace("2026", str(i))
        session(logs, segments=1)
        left = iter(range(i))

        def step(name: str, left=left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt(name)

        with pytest.raises(KeyboardInterrupt):
            archive(logs, "drive", uri, forget=nothing, step=step)
        archive(logs, "drive", uri, forget=nothing)
        assert sessions(logs) == []
        restore(logs, "drive", forget=nothing)
        assert files(logs / "drive") == before


def test_damage_in_the_store_is_found(store: Store, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    session(logs)
    archive(logs, "drive", store.uri, forget=nothing)
    first, second, *_ = sorted(key for key in store.objects() if key.endswith(".arrow"))
    store.client.put_object(Bucket="races", Key=first, Body=store.objects()[second])
    store.client.delete_object(Bucket="races", Key=second)
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
