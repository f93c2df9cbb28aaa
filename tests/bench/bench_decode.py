"""Decoding and deriving: frames of the AiM stream, beside cantools, asammdf and can_decoder on the same ones."""

from __future__ import annotations

import contextlib
import gc
import io
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import can
import cantools
import numpy as np

from pitwall.bus.simulator import simulate
from pitwall.car import load
from pitwall.decode import plan
from pitwall.derive import Deriver
from pitwall.frames import Frames, clustered, concat, cut
from tests.bench.result import Result

CARS = Path(__file__).parents[2] / "cars"
DBC = CARS / "bmw-e46-m3" / "aim-mxp.dbc"

FRAMES = 1_000_000
FEW = 100_000  # enough for a peer: what is beyond it only takes longer
BATCH = 65_536  # rows of a sealed batch


def bench() -> Iterator[Result]:
    """Every figure of decoding."""
    car = load(CARS, "bmw-e46-m3")
    decode = plan(car, ["dash"]).decode
    drive = stream(FRAMES, unknown_ids=False)
    ours = rate([clustered(part) for part in parts(drive, BATCH)], decode)
    note = "sealed batches of 65,536, every signal as float64"
    few = cut(drive, 0, FEW)
    yield Result("decode the AiM stream", ours, "frames/s", "cantools", cantools_rate(few), 50, True, note=note)
    asammdf = asammdf_rate(few)
    yield Result("decode the AiM stream", ours, "frames/s", "asammdf extract_bus_logging", asammdf, 5, True, note=note)
    yield Result("decode the AiM stream", ours, "frames/s", "can_decoder", can_decoder_rate(few), note=note)
    yield Result("decode, rows in log order", rate(parts(drive, BATCH), decode), "frames/s")
    yield Result("decode, 20 ms a batch", rate(parts(few, 7), decode), "frames/s", note="as they are written live")
    real = [clustered(part) for part in parts(stream(FRAMES, unknown_ids=True), BATCH)]
    yield Result("decode, the 13 unknown ids too", rate(real, decode), "frames/s")
    deriver = Deriver(car)
    both = rate(real, lambda batch: deriver.fold(decode(batch)))
    yield Result("decode and derive, 60 channels", both, "frames/s", note="the same frames")


def stream(n: int, *, unknown_ids: bool) -> Frames:
    """The first `n` frames of a simulated drive."""
    batches, rows = [], 0
    for batch in simulate(seed=1, unknown_ids=unknown_ids).frames():
        batches.append(batch)
        rows += len(batch)
        if rows >= n:
            break
    return cut(concat(batches), 0, n)


def parts(drive: Frames, rows: int) -> list[Frames]:
    return [cut(drive, first, first + rows) for first in range(0, len(drive), rows)]


def rate(batches: list[Frames], work: Callable[[Frames], object]) -> float:
    """Frames a second; what a batch gives is let go before the next, as the loop of a projection does."""

    def once() -> None:
        for batch in batches:
            work(batch)

    return sum(map(len, batches)) / seconds(once)


def seconds(work: Callable[[], object], *, times: int = 3) -> float:
    """The quickest of a few runs."""
    spent = []
    for _ in range(times):
        gc.collect()
        began = time.perf_counter()
        work()
        spent.append(time.perf_counter() - began)
    return min(spent)


def cantools_rate(drive: Frames) -> float:
    messages = {message.frame_id: message for message in cantools.database.load_file(DBC).messages}
    rows = list(zip(drive.id.tolist(), (row.tobytes() for row in drive.data), strict=True))
    return len(drive) / seconds(lambda: [messages[id].decode(payload, decode_choices=False) for id, payload in rows])


def can_decoder_rate(drive: Frames) -> float:
    import can_decoder
    import pandas as pd

    table = pd.DataFrame(
        {
            "TimeStamp": pd.to_datetime(drive.t, unit="ns", utc=True),
            "ID": drive.id,
            "IDE": np.zeros(len(drive), bool),
            "DataBytes": list(drive.data),
        }
    ).set_index("TimeStamp")
    decoder = can_decoder.DataFrameDecoder(can_decoder.load_dbc(str(DBC)))
    with quiet():
        return len(drive) / seconds(lambda: decoder.decode_frame(table), times=2)


def asammdf_rate(drive: Frames) -> float:
    import asammdf

    with tempfile.TemporaryDirectory() as folder, quiet():
        path = Path(folder) / "drive.mf4"
        with can.Logger(path) as writer:
            for message in messages(drive):
                writer(message)
        recording = asammdf.MDF(path)
        try:
            return len(drive) / seconds(lambda: recording.extract_bus_logging({"CAN": [(str(DBC), 0)]}), times=2)
        finally:
            recording.close()


def messages(drive: Frames) -> Iterator[can.Message]:
    rows = zip(drive.t.tolist(), drive.id.tolist(), drive.data, strict=True)
    for t, id, data in rows:
        yield can.Message(timestamp=1.7e9 + t / 1e9, arbitration_id=id, is_extended_id=False, data=data.tobytes())


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Peers warn of themselves; the figures are what is wanted here."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
