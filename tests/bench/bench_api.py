"""What the API holds under load: windows of the live session beside the bare query, and streams, ten of them stalled.

Two drives of a real `pitwall run`, at 8,000 frames a second each. On the first, which records from a fake slcan
adapter and keeps the soak's laws (every frame that was given is in the log, once), 100 requests a second of `/signals`,
no two alike: of ten other channels each, and half of them of a minute that ended some seconds ago; then the same
queries run on the projection that the drive left. Both loads are open: a request is sent when it is due, and its time
counts from then, whether or not those before it are answered. On the second, whose source stamps its frames, a hundred
clients listen to `/live`.

API_S: how long each takes, in seconds; 300 is the full length.
"""

from __future__ import annotations

import http.client
import itertools
import os
import re
import selectors
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import duckdb
import numpy as np

from pitwall.project.database import quoted
from tests.bench.bench_latency import WARM_S, address, ages, bodies, running
from tests.bench.result import Result
from tests.bench.stamped import since_ns
from tests.soak.load import Where, ask
from tests.soak.processes import cost, family
from tests.soak.rig import Plan, Sample, soak

SECONDS: Final = float(os.environ.get("API_S", "20"))
LASTS_S: Final = SECONDS + 2 * WARM_S
FRAMES: Final = 8_000
REQUESTS: Final = 100
"""A second, from one address: half of what `rates` lets one client have."""
THREADS: Final = 16
CHANNELS: Final = 10
POINTS: Final = 1_000
WINDOW_NS: Final = 60_000_000_000
AGO_NS: Final = 10_000_000_000
"""That the window of every other request ended at most; the rest say no ends, and mean the last minute."""
STREAMS: Final = 100
STALLED: Final = 10
SHOWN: Final = re.compile(rb'"rpm":\[[^,\]]*,([-\d.e+]+)')


def bench() -> Iterator[Result]:
    """Of windows, then of streams."""
    with tempfile.TemporaryDirectory() as folder:
        yield from _windows(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from _streams(Path(folder))


@dataclass
class Took:
    """waits_ms: of each request, from when it was due.  failed: what was no answer."""

    waits_ms: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def ms(self, share: float) -> float:
        return float(np.percentile(self.waits_ms, share))


def drive(seconds: float, client: Callable[[], Callable[[float], None]]) -> Took:
    """REQUESTS a second on schedule.  client: makes, in its thread, what asks once, told which share has passed."""
    took, numbers, begun, count = Took(), itertools.count(), time.monotonic(), round(seconds * REQUESTS)

    def work() -> None:
        once = client()
        while (i := next(numbers)) < count:
            due = begun + i / REQUESTS
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                once(i / count)
            except (OSError, http.client.HTTPException, duckdb.Error, AssertionError) as error:
                took.failed.append(f"{type(error).__name__}: {error}"[:80])
                once = client()
            else:
                took.waits_ms.append((time.monotonic() - due) * 1e3)

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took


def _windows(folder: Path) -> Iterator[Result]:
    found: list[tuple[Took, list[str]]] = []

    def load(where: Where) -> None:
        time.sleep(WARM_S)
        names = _heard(where)
        found.append((drive(SECONDS, lambda: _over_http(where, names)), names))

    threads: list[threading.Thread] = []

    def begun(where: Where) -> None:
        threads.append(threading.Thread(target=load, args=(where,)))
        threads[0].start()

    def tell(sample: Sample) -> None:
        if sample.at_s >= LASTS_S - 0.5:  # the last one: the drive goes on until all are answered
            threads[0].join()

    outcome = soak(Plan(LASTS_S, rate=FRAMES, loaded=False, sample_s=LASTS_S), folder, tell, begun)
    ((ours, names),) = found
    bare = drive(SECONDS, _bare(folder, names))
    assert not bare.failed, bare.failed[:3]
    peer = "the bare query on the finished projection, in this process, nothing else at work"
    note = f"{CHANNELS} channels, {POINTS} points, {REQUESTS} requests/s, {outcome.sent:,} frames recorded meanwhile"
    for share in (50, 99):
        yield Result(
            f"window, p{share}", ours.ms(share), "ms", peer, bare.ms(share), 1 / 3, True, less_is_better=True, note=note
        )
        peer, note = "the same", ""
    yield Result("window, p99 in ms", ours.ms(99), "ms", goal=50.0, less_is_better=True)
    yield Result("cores that the server took", outcome.cores("serve"), "cores", less_is_better=True)
    why = "; ".join(sorted(set(ours.failed))[:3])
    yield Result("requests with no answer", len(ours.failed), "requests", goal=0.0, less_is_better=True, note=why)
    lost = outcome.sent + outcome.refused - outcome.kept
    yield Result("frames lost", lost, "frames", goal=0.0, less_is_better=True)


def _heard(where: Where) -> list[str]:
    """The channels that have samples."""
    channels = ask(where, "/session/_live/channels")[1]["channels"]
    names = [one["name"] for one in channels if one["rows"]]
    assert len(names) >= 2 * CHANNELS, channels
    return names


def _wishes(names: list[str]) -> Iterator[tuple[list[str], int]]:
    """What one client asks for, again and again: channels, and how long ago the window ended, in ns."""
    draw = np.random.default_rng()
    while True:
        ago = int(draw.integers(1, AGO_NS)) if draw.random() < 0.5 else 0
        yield draw.choice(names, CHANNELS, replace=False).tolist(), ago


def _over_http(where: Where, names: list[str]) -> Callable[[float], None]:
    connection, wishes = http.client.HTTPConnection(*where, timeout=60), _wishes(names)
    started_at_ns = ask(where, f"/session/_live/signals?points=2&channels={names[0]}")[1]["started_at_ns"]

    def once(_: float) -> None:
        channels, ago = next(wishes)
        path = f"/session/_live/signals?points={POINTS}&channels={','.join(channels)}"
        if ago:
            t_to = max(0, time.time_ns() - started_at_ns - ago)
            path += f"&t_from={max(0, t_to - WINDOW_NS)}&t_to={t_to}"
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{answer.status} {body[:60]!r}"

    return once


def _bare(folder: Path, names: list[str]) -> Callable[[], Callable[[float], None]]:
    """What somebody would write who knows the tables: one question for the least and the greatest of each bucket."""
    (file,) = (folder / "projections").rglob("*.duckdb")
    connection = duckdb.connect(str(file), read_only=True)
    sql = "SELECT name, table_name, column_name FROM channels"
    places = {name: (quoted(table), quoted(column)) for name, table, column in connection.execute(sql).fetchall()}
    ((newest,),) = connection.execute(f"SELECT max(t) FROM {places[names[0]][0]}").fetchall()

    def question(channels: list[str]) -> str:
        each = [
            f"SELECT {i} AS place, (t - $t_from) // $width AS bucket, min({c}), arg_min(t, {c}), max({c}), "
            f"arg_max(t, {c}) FROM {table} WHERE t BETWEEN $t_from AND $t_to AND {c} IS NOT NULL GROUP BY bucket"
            for i, (table, c) in enumerate(places[channel] for channel in channels)
        ]
        return f"{' UNION ALL '.join(each)} ORDER BY place, bucket"

    def client() -> Callable[[float], None]:
        wishes = _wishes(names)

        def once(share: float) -> None:
            channels, ago = next(wishes)
            t_to = max(0, int(newest * (WARM_S + share * SECONDS) / LASTS_S) - ago)  # as far as the live session was
            t_from = max(0, t_to - WINDOW_NS)
            with connection.cursor() as cursor:
                width = (t_to - t_from) // (POINTS // 2) + 1
                cursor.execute(question(channels), {"t_from": t_from, "t_to": t_to, "width": width}).fetchnumpy()

        return once

    return client


def _streams(folder: Path) -> Iterator[Result]:
    with running(folder, str(FRAMES)) as run:
        where = address(run)
        (server,) = (pid for pid, name in family(run.pid).items() if name == "serve")
        next(1 for _, body in bodies(where[1]) if "rpm" in body.get("values", {}))
        time.sleep(WARM_S)
        _, before = _listen(where, 1, 0, SECONDS, server)
        streams, after = _listen(where, STREAMS - STALLED, STALLED, SECONDS, server)
    waits = np.concatenate([ages(*stream) for stream in streams]) / 1e6
    slowest = min(len(stamps) for stamps, _ in streams) / SECONDS
    note = f"{STREAMS} clients, {STALLED} of them stalled, {FRAMES:,} frames/s"
    yield Result("frame to stream, p50", float(np.percentile(waits, 50)), "ms", less_is_better=True, note=note)
    yield Result("frame to stream, p99", float(np.percentile(waits, 99)), "ms", goal=100.0, less_is_better=True)
    yield Result("events a second", slowest, "Hz", goal=20.0, note="of the client that got the fewest")
    peer = "with one client, as long, before"
    note = "the projection's buffers fill meanwhile, clients or not"
    yield Result("server's growth", after, "MB", peer, before, less_is_better=True, note=note)


def _listen(
    where: Where, reading: int, stalled: int, seconds: float, server: int
) -> tuple[list[tuple[np.ndarray, np.ndarray]], float]:
    """Stamps and times (int64 ns) of the events of each that reads; MB that the server grew by, once all were there."""
    chosen = selectors.DefaultSelector()
    sockets = [_stream(where) for _ in range(reading + stalled)]
    seen: list[list[tuple[int, int]]] = [[] for _ in range(reading)]
    rest = [b""] * reading
    for i, stream in enumerate(sockets[:reading]):
        stream.setblocking(False)
        chosen.register(stream, selectors.EVENT_READ, i)
    begun, first = time.monotonic(), 0
    while time.monotonic() < begun + seconds:
        for key, _ in chosen.select(1.0):
            assert isinstance(key.fileobj, socket.socket)
            got = key.fileobj.recv(65_536)
            now = time.monotonic_ns()
            assert got, "a stream ended"
            *whole, rest[key.data] = (rest[key.data] + got).split(b"\n\n")
            for shown in SHOWN.findall(b"\n".join(whole)):
                seen[key.data].append((now - since_ns(float(shown), now), now))
        if not first and time.monotonic() > begun + seconds / 4:  # once buffers of sockets are there
            first = _rss(server)
    grown = (_rss(server) - first) / 1e6
    for stream in sockets:
        stream.close()
    chosen.close()
    parted = [np.array(events, np.int64).T for events in seen]
    return [(np.maximum.accumulate(stamps), received) for stamps, received in parted], grown


def _stream(where: Where) -> socket.socket:
    stream = socket.create_connection(where, timeout=60)
    stream.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
    return stream


def _rss(pid: int) -> int:
    one = cost(pid)
    assert one is not None, "the server died"
    return one.rss_bytes
