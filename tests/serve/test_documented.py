"""What docs/api.md, docs/grafana.md and docs/foxglove.md show is what a server does."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

import click
import orjson
import pyarrow.csv
import pyarrow.parquet
import yaml
from mcap.reader import make_reader
from websockets.sync.client import connect

from pitwall.cli import cli
from pitwall.log.published import Recorder, State
from pitwall.project.room import Space
from pitwall.serve.access import Access
from pitwall.serve.foxglove.protocol import SUBPROTOCOLS
from pitwall.serve.newest import Still
from pitwall.serve.problem import TYPES
from tests.serve.stand import SID, FakeGarage, Stand, picture, projection, standing
from tests.serve.test_foxglove import past
from tests.serve.test_metrics import SOURCE
from tests.serve.test_metrics import read as read_metrics
from tests.serve.test_missed import S, garage, still
from tests.serve.test_openapi import DOCUMENT, SESSION, stand, unhurried  # noqa: F401 — fixtures

DOCS = Path(__file__).parents[2] / "docs"
ADDRESS = "http://127.0.0.1:8080"
QUERY = DOCUMENT["paths"]["/session/{sid}/query"]["get"]


def blocks(document: str, language: str, section: str = "") -> list[str]:
    """The code of that language in a section, or anywhere."""
    text = (DOCS / document).read_text()
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)
    assert found
    return found


def test_a_client_of_the_live_stream_that_comes_back_has_what_it_missed_as_the_example_does_it(tmp_path: Path) -> None:
    (example,) = blocks("api.md", "python", "`/live`")
    assert ADDRESS in example
    with standing(Still(picture(6_000, t=60 * S, rpm=60.0)), FakeGarage()) as first:
        code = tmp_path / "example.py"
        code.write_text(example.replace(ADDRESS, f"http://127.0.0.1:{first.port}"))
        client = subprocess.Popen([sys.executable, str(code)], stdout=subprocess.PIPE, text=True)
        assert client.stdout is not None
        assert client.stdout.readline() == "state 1 samples of rpm\n"
    try:
        with standing(still(), garage(), port=first.port):
            while (said := client.stdout.readline()).startswith(("closing 1 ", "away: ")):
                pass
            assert said == "state 2 samples of rpm\n"
            name, count, *_ = client.stdout.readline().split()
            assert name == "missed"
            assert int(count) > 150, "forty seconds, with every peak"
    finally:
        client.kill()
        client.wait(60)
        client.stdout.close()


def urls(text: str) -> list[str]:
    """What is asked of a server in it, path and query, as programs send it: percent-encoded."""
    return [quote(one, safe="/?&=,%") for one in re.findall(rf"{ADDRESS}(/[^'\")\n]*)", text)]


def test_every_url_of_the_api_s_examples_is_answered_with_the_columns_that_they_read(stand: Stand) -> None:  # noqa: F811
    laps, notes, signals = urls(blocks("api.md", "sh", "What is stable")[0])
    rows = list(csv.DictReader(io.StringIO(stand.ask(laps)[2].decode())))
    assert {"number", "time_s"} <= rows[0].keys()
    values = pyarrow.csv.read_csv(io.BytesIO(stand.ask(signals)[2]))
    assert max(values["value"].to_pylist()) > 1000, "as its max(value) says"
    (said,) = re.findall(r"-d '(\{.*?\})' http", blocks("api.md", "sh", "What is stable")[0])
    status, _, body = stand.post(notes, said.encode())
    assert (status, orjson.loads(body)["type"]) == (409, f"{TYPES}not-recording"), "and nothing else is wrong with it"
    (pandas,) = blocks("api.md", "python", "Formats, and what has not changed")
    (start,) = urls(pandas)
    assert set(re.findall(r'url \+ "(\w+)"', pandas)) == {"csv", "parquet"}
    read = pyarrow.parquet.read_table(io.BytesIO(stand.ask(f"{start}parquet")[2]))
    assert read.column_names == pyarrow.csv.read_csv(io.BytesIO(stand.ask(f"{start}csv")[2])).column_names


def test_the_questions_that_are_shown_are_answered(stand: Stand) -> None:  # noqa: F811
    (shown,) = re.findall(r"query\?sql=(SELECT [^`]+)`", (DOCS / "api.md").read_text())
    (parameter,) = [one for one in QUERY["parameters"] if one["name"] == "sql"]
    for sql in (shown, *parameter["schema"]["examples"]):
        assert stand.json(f"/session/{SESSION}/query?sql={quote(sql)}")["rows"]


def test_each_panel_of_the_grafana_page_is_answered_as_its_parser_has_it(stand: Stand) -> None:  # noqa: F811
    text = (DOCS / "grafana.md").read_text()
    panels = dict(re.findall(r"^\| ([a-z ]+) \| (?:JSON|CSV), backend \| `([^`]+)` \|$", text, re.MULTILINE))
    assert list(panels) == ["time series", "table of laps", "table of incidents", "anything else"]
    rows = stand.json(panels["time series"])
    assert isinstance(rows, list), "the Infinity source reads an array at the root"
    columns = re.findall(r"`(\w+)` \(as (time|number|string)\)", text)
    assert [name for name, _ in columns] == ["time", "value", "channel"]
    for row in rows[:: len(rows) // 50]:
        assert datetime.fromisoformat(row["time"]).tzinfo is not None
        assert isinstance(row["value"], float)
        assert row["channel"] in ("rpm", "speed")
    for name in ("table of laps", "table of incidents"):
        status, headers, body = stand.ask(panels[name])
        assert (status, headers["content-type"]) == (200, "text/csv; charset=utf-8")
        assert b"," in body.splitlines()[0]
    anything = panels["anything else"].replace("SELECT …", quote("SELECT number AS lap, time_s FROM laps"))
    assert stand.ask(anything)[2].splitlines()[0].replace(b'"', b"") == b"lap,time_s"
    windows = re.findall(r"`(lap=best|t_from=\d+&t_to=\d+)`", text)
    assert len(windows) == 2
    for window in windows:
        assert len(stand.json(f"{panels['time series']}&{window}".replace("_live", SESSION))) > 100


def test_prometheus_gets_in_and_finds_every_metric_that_an_alarm_asks_for() -> None:
    scrape, rules = map(yaml.safe_load, blocks("grafana.md", "yaml"))
    (job,) = scrape["scrape_configs"]
    assert ADDRESS.endswith(job["static_configs"][0]["targets"][0])
    token = job["authorization"]["credentials"]
    live = Still(picture(7, rpm=900.0))
    live.shown_recorder = Recorder(1, State(sources=(replace(SOURCE, lost={"adapter": 3}),)))
    live.shown_space = replace(Space(), free=10**10, lasts_s=1e4)
    with standing(live, FakeGarage({SID: projection({})}), access=Access(token)) as one:
        # the path that Prometheus asks unless it is told another one, and a bearer is what `authorization` is then
        assert "metrics_path" not in job
        assert one.ask("/metrics")[0] == 401
        status, _, body = one.ask("/metrics", Authorization=f"Bearer {token}")
    assert status == 200
    there = read_metrics(body.decode())
    alarms = rules["groups"][0]["rules"]
    assert len({alarm["alert"] for alarm in alarms}) == len(alarms) == 5
    for alarm in alarms:
        named = re.findall(r"pitwall_\w+", alarm["expr"])
        assert named
        assert set(named) <= there.keys(), alarm


def test_what_the_foxglove_page_opens_and_downloads_is_there(tmp_path: Path) -> None:
    text = (DOCS / "foxglove.md").read_text()
    addresses = re.findall(r"^\| `ws://localhost:8080(/[^`]+)` \|", text, re.MULTILINE)
    assert addresses == ["/foxglove", "/foxglove/<session>"]
    (parameter,) = re.findall(r"`(\?speed=\d+)`", text)
    export, download = blocks("foxglove.md", "")[0].splitlines()
    with standing(Still(picture(1, rpm=900.0)), past()) as one:
        for address in (addresses[0], addresses[1].replace("<session>", SID) + parameter):
            for name in SUBPROTOCOLS:
                assert f"`{name}`" in text
                url = f"ws://localhost:{one.port}{address}"
                with connect(url, subprotocols=[name], open_timeout=60) as client:
                    assert orjson.loads(client.recv(60))["op"] == "serverInfo"
        (file,) = re.findall(r"'http://localhost:8080(/[^']+)'", download)
        _, headers, body = one.ask(file)
    assert headers["content-disposition"].endswith('.mcap"'), "what curl -OJ calls it"
    with io.BytesIO(body) as opened:
        assert make_reader(opened).get_summary() is not None
    command = cli.get_command(click.Context(cli), export.split()[1])
    assert command is not None
    assert command.make_context("export", export.split()[2:]).params["output"] == Path("drive.mcap")
