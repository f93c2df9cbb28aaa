"""A car that is edited again and again while `pitwall run` records it at speed, by whoever saves as editors do.

The recorder and the server are the real processes; the frames are numbered.  An edit `k` of the car shifts one channel
by `k` and another by `-k`, so that any answer tells which edit it is of, and whether it is wholly of one.  Laws:

1. No frame is lost, and none is counted as lost.
2. Every answer of the API, and every event of /live, is wholly by one valid edit: the one that its fingerprint names.
3. An edit that is not valid changes nothing, and is told of until it is mended.
4. In the end the projection is that of a replay from nothing, and the log tells which edits were shown, in their order.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np

from pitwall.car import load
from pitwall.frames import Control, Flag, concat, in_log_order
from pitwall.log import Session, read, sessions
from pitwall.project import content
from pitwall.project.build import build, stale
from pitwall.project.database import connect
from pitwall.project.generations import Generations
from pitwall.project.pipeline import origin
from tests.torture.ledger import Ledger
from tests.torture.plugged import INTERFACE, plugin

ROOT: Final = Path(__file__).parents[2]
CAR: Final = "twin"
RATE: Final = 8_000
PATIENCE_S: Final = 60.0

DBC: Final = """VERSION ""
NS_ :
BS_:
BU_:

BO_ 291 Twin: 8 X
 SG_ number : 0|32@1+ (1,0) [0|0] "" X
 SG_ ms : 48|16@1+ (1,0) [0|0] "ms" X
"""

DEFINITION: Final = """# the edit {k}
car: {{make: Twin}}
buses:
  can0: {{dbc: twin.dbc, interface: numbered, channel: "0"}}
channels:
  count: {{from: number, unit: none}}
derived:
  up: {{expr: "count + {k}", unit: none}}
  down: {{expr: "-count - {k}", unit: none}}
"""

WRONG: Final = (
    lambda text: text.replace("from: number", "from: nmuber"),  # a slip
    lambda text: text[: len(text) // 2] + "\n  {",  # half of it
    lambda text: text.replace("expr:", "exrp:"),
    lambda text: "",
)


@dataclass
class Result:
    """edits: valid ones, saved.  shown: of them, by any reader.  answers: of the API.  events: of /live.

    late_s: from the last edit's save to the first answer that shows it.  latency_ms: from a frame's hearing to the live
    event that shows it, while edits came; calm_ms: before.
    """

    edits: int = 0
    wrong: int = 0
    shown: int = 0
    answers: int = 0
    events: int = 0
    frames: int = 0
    late_s: list[float] = field(default_factory=list)
    latency_ms: list[float] = field(default_factory=list)
    calm_ms: list[float] = field(default_factory=list)


@dataclass
class Seen:
    """What readers saw.  edits: fingerprint -> the edit.  first_s: fingerprint -> when it was seen first."""

    edits: dict[str, int] = field(default_factory=dict)
    first_s: dict[str, float] = field(default_factory=dict)
    answers: int = 0
    events: int = 0
    latency_ms: list[float] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def check(self, fingerprint: str, count: Any, up: Any, down: Any, what: str) -> None:
        """Raises AssertionError where these values are not by one edit, or not by that of the fingerprint."""
        count, up, down = (np.atleast_1d(np.array(values, float)) for values in (count, up, down))
        assert len(count) == len(up) == len(down), what
        assert np.array_equal(up, -down), f"{what}: {up[:5]} {down[:5]}"
        if not len(count):
            return
        shifts = np.unique(up - count)
        assert len(shifts) == 1, f"{what}: by the edits {shifts}"
        k = int(shifts[0])
        self.first_s.setdefault(fingerprint, time.monotonic())
        assert self.edits.setdefault(fingerprint, k) == k, f"{what}: {fingerprint} is {self.edits[fingerprint]}"


class Server:
    """`pitwall run`, from its start to `stop`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PITWALL_")}
        environment["PYTHONPATH"] = os.pathsep.join((str(plugin(folder / "driver")), str(ROOT)))
        arguments = ("--car", CAR, "--interface", INTERFACE, "--channel", f"0@{RATE}", "--port", "0")
        self.said = (folder / "stderr").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pitwall", "run", "--cars", folder / "cars", *arguments],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=self.said,
            text=True,
        )
        assert self.process.stdout is not None
        match = re.search(r"http://([\d.]+):(\d+)/", self.process.stdout.readline())
        assert match, self.heard()
        self.where = match[1], int(match[2])

    def heard(self) -> str:
        return (self.folder / "stderr").read_text()

    def ask(self, path: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(*self.where, timeout=PATIENCE_S)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def end_session(self) -> None:
        """The recorder ends, and is started again by its supervisor: what the server followed is whole then."""
        session = self.ask("/health")[1]["live"]["session"]
        os.kill(self.ask("/health")[1]["recorder"]["pid"], signal.SIGTERM)
        until(lambda: self.ask("/health")[1]["live"]["session"] != session)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE_S) == 0, self.heard()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(PATIENCE_S)
        self.said.close()


def edit(edits: int, seed: int, folder: Path, *, pause_s: float = 1.2, calm_events: int = 5) -> Result:
    """Edits the car `edits` times, one in four wrongly.  Raises AssertionError where a law is broken."""
    chance = random.Random(seed)
    result, seen, over = Result(), Seen(), threading.Event()
    save(folder / "cars", definition(0), chance, dbc=True)
    server = Server(folder)
    readers = [
        threading.Thread(target=watched, args=(reader, server, seen, over), name=reader.__name__)
        for reader in (read_live, read_signals)
    ]
    try:
        until(lambda: server.ask("/health")[1]["live"]["state"] == "recording")
        for reader in readers:
            reader.start()
        until(lambda: seen.events > calm_events and seen.answers)
        calm = len(seen.latency_ms)
        for k in range(1, edits + 1):
            if k < edits and chance.random() < 0.25:
                save(folder / "cars", chance.choice(WRONG)(definition(k)), chance)
                result.wrong += 1
                until(lambda: server.ask("/health")[1]["cars"])
                assert all(f"{CAR}/car.yaml:" in line for line in server.ask("/health")[1]["cars"][CAR])
            else:
                save(folder / "cars", definition(k), chance)
                result.edits += 1
                saved_s = time.monotonic()
            time.sleep(chance.uniform(0.5, 1.5) * pause_s)
        until(lambda: edits in seen.edits.values() or seen.problems)
        assert not seen.problems, seen.problems
        assert server.ask("/health")[1]["cars"] == {}
        last = next(fingerprint for fingerprint, k in seen.edits.items() if k == edits)
        result.late_s.append(seen.first_s[last] - saved_s)
        over.set()
        for reader in readers:
            reader.join()
        until(lambda: edits_told(folder / "logs")[-1:] == [edits])
        server.end_session()
    finally:
        over.set()
        for reader in readers:
            if reader.ident is not None:
                reader.join()
        try:
            if sys.exc_info()[0] is None:
                server.stop()
        finally:
            server.kill()
    assert not seen.problems, seen.problems
    assert "Traceback" not in server.heard(), server.heard()
    result.shown, result.answers, result.events = len(seen.edits), seen.answers, seen.events
    result.calm_ms, result.latency_ms = seen.latency_ms[:calm], seen.latency_ms[calm:]
    result.frames = check_log(folder / "logs", seen, edits)
    check_projection(folder)
    return result


def check_log(logs: Path, seen: Seen, last: int) -> int:
    """No frame is missing, and the edits that were shown are there, in their order; the frames."""
    ledger = Ledger(logs, stamped=False)
    session, *_ = ledger.check_all()
    assert sum(ledger.lost.values()) == 0, ledger.lost
    told, edits = facts(session), edits_told(logs)
    assert edits == sorted(set(edits)), edits
    assert edits[-1:] == [last], edits
    assert [fact["before"] for fact in told[1:]] == [fact["fingerprint"] for fact in told[:-1]]
    named = {fact["fingerprint"]: k for fact, k in zip(told, edits, strict=True)}
    assert all(named.get(fingerprint, 0) == k for fingerprint, k in seen.edits.items()), (named, seen.edits)
    return session.frames


def facts(session: Session) -> list[dict[str, Any]]:
    """What the log says of edits, in its order."""
    rows = concat([in_log_order(batch) for batch in read(session.path)])
    is_edit = (rows.flags & np.uint8(Flag.CONTROL) != 0) & (rows.id == Control.CAR_EDITED)
    return [json.loads(rows.more[int(i)].as_py()) for i in np.flatnonzero(is_edit)] if rows.more is not None else []


def edits_told(logs: Path) -> list[int]:
    """The edits that the first session's log tells of."""
    return [int(fact["text"].splitlines()[0].rpartition(" ")[2]) for fact in facts(sessions(logs)[0])]


def check_projection(folder: Path) -> None:
    """What the server left is current, and what a replay from nothing gives."""
    session, *_ = sessions(folder / "logs")
    car = load(folder / "cars", CAR)
    live, anew = Generations(folder / "projections"), Generations(folder / "anew")
    assert not stale(session, car, live)
    build(session, car, anew)
    digests = []
    for generations in (live, anew):
        built = origin(car, session.header)
        with connect(generations.file(built.session, built.fingerprint), folder / "spill", read_only=True) as found:
            digests.append(content.digests(found))
    assert digests[0] == digests[1]


def definition(k: int) -> str:
    return DEFINITION.format(k=k)


def save(cars: Path, text: str, chance: random.Random, *, dbc: bool = False) -> None:
    """As editors do: at once; in two halves; by a temporary file that is renamed; twice in a row."""
    folder = cars / CAR
    folder.mkdir(parents=True, exist_ok=True)
    if dbc:
        (folder / "twin.dbc").write_text(DBC)
    file = folder / "car.yaml"
    way = chance.randrange(4)
    if way == 0:
        file.write_text(text)
    elif way == 1:
        with file.open("w") as half:
            half.write(text[: len(text) // 2])
            half.flush()
            time.sleep(0.03)
            half.write(text[len(text) // 2 :])
    elif way == 2:
        temporary = folder / ".car.yaml.swp"
        temporary.write_text(text)
        temporary.rename(file)
    else:
        file.write_text(text.replace("Twin", "Twins"))
        file.write_text(text)


def watched(reader: Callable[..., None], server: Server, seen: Seen, over: threading.Event) -> None:
    """A reader's thread: what it finds wrong is kept."""
    try:
        reader(server, seen, over)
    except Exception as error:
        if not over.is_set():
            seen.problems.append(f"{type(error).__name__}: {error}")


def read_live(server: Server, seen: Seen, over: threading.Event) -> None:
    fingerprint = ""
    values: dict[str, Any] = {}
    with socket.create_connection(server.where, timeout=PATIENCE_S) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
        for line in connection.makefile(encoding="utf-8", errors="replace"):
            if over.is_set():
                return
            if not line.startswith("data: "):
                continue
            body = json.loads(line[6:])
            if "channels" in body:
                fingerprint, values = body["fingerprint"], {}
            values |= body.get("values", {})
            if all(name in values for name in ("count", "up", "down", "ms")):
                assert values["count"][0] == values["up"][0] == values["down"][0], body
                seen.check(fingerprint, *(values[name][1] for name in ("count", "up", "down")), "an event of /live")
                seen.latency_ms.append((time.monotonic_ns() // 10**6 - int(values["ms"][1])) & 0xFFFF)
            seen.events += 1


def read_signals(server: Server, seen: Seen, over: threading.Event) -> None:
    reached = 0
    while not over.is_set():
        # the last 0.2 s are asked for by their end, as nobody knows it: a whole window of few points, of all three
        path = f"/session/_live/signals?channels=count,up,down&t_from={max(0, reached - 200_000_000)}&points=10000"
        status, body = server.ask(path)
        assert status == 200, body
        traces = body["channels"]
        if len({len(trace["t"]) for trace in traces.values()}) == 1 and traces["count"]["t"]:
            t = traces["count"]["t"]
            if t == traces["up"]["t"] == traces["down"]["t"]:
                seen.check(body["fingerprint"], *(traces[n]["v"] for n in ("count", "up", "down")), "an answer")
                seen.answers += 1
            assert t[-1] >= reached, f"what was there is gone: {t[-1]} after {reached}"
            reached = t[-1]
        status, body = server.ask("/session/_live/channels")
        assert status == 200, body
        assert {"fingerprint", "stale"} <= body.keys()
        time.sleep(0.05)


def until(true: Callable[[], Any]) -> None:
    """Returns once it is so."""
    end = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def torture(scale: float, seed: int) -> Iterator[str]:
    """50 edits in a minute; ten times over."""
    for round_ in range(max(1, round(10 * scale))):
        with tempfile.TemporaryDirectory() as folder:
            done = edit(50, seed + round_, Path(folder), calm_events=200)
            p50, p99, most = np.percentile(done.latency_ms, [50, 99, 100])
            yield (
                f"{done.edits} edits and {done.wrong} wrong ones under {RATE:,} frames/s: {done.frames:,} frames, none "
                f"lost; {done.shown} definitions seen in {done.answers:,} answers and {done.events:,} events, each "
                f"wholly of one; the last after {done.late_s[-1]:.2f} s; event latency {p50:.0f} ms, "
                f"p99 {p99:.0f}, most {most:.0f}; "
                f"p99 before {np.percentile(done.calm_ms, 99):.0f}"
            )
