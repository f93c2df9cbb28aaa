"""Requests in, counts out, and any counts as Prometheus reads them.  Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
"""Upper ends, in seconds; one more is open."""

Samples = Iterable[tuple[Mapping[str, object], float | None]]
"""Labels and a value; None: nobody knows."""


class Requests:
    """How many there were, and how long they took: by operation and status, which are as many as there are."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, int]] = Counter()
        self._seconds: Counter[str] = Counter()
        self._buckets: dict[str, list[int]] = {}

    def count(self, name: str, status: int, took_s: float) -> None:
        """One more."""
        self._count[name, status] += 1
        self._seconds[name] += took_s  # type: ignore[assignment]  # a Counter adds floats, too
        buckets = self._buckets.setdefault(name, [0] * (len(BUCKETS_S) + 1))
        buckets[next((i for i, end in enumerate(BUCKETS_S) if took_s <= end), len(BUCKETS_S))] += 1

    def lines(self) -> Iterator[str]:
        """As Prometheus reads them."""
        counts = [({"operation": name, "status": status}, n) for (name, status), n in sorted(self._count.items())]
        yield from family("http_requests_total", "counter", "Requests answered.", counts)
        yield from _head("http_request_seconds", "histogram", "From the request's head to its answer.")
        for name, buckets in sorted(self._buckets.items()):
            n = 0
            for end, more in zip((*BUCKETS_S, "+Inf"), buckets, strict=True):
                n += more
                yield _line("http_request_seconds_bucket", {"operation": name, "le": end}, n)
            yield _line("http_request_seconds_sum", {"operation": name}, self._seconds[name])
            yield _line("http_request_seconds_count", {"operation": name}, n)


def family(name: str, kind: str, about: str, samples: Samples) -> Iterator[str]:
    """A metric with its samples, as Prometheus reads it (text format 0.0.4)."""
    yield from _head(name, kind, about)
    for labels, value in samples:
        if value is not None:
            yield _line(name, labels, value)


def _head(name: str, kind: str, about: str) -> Iterator[str]:
    yield f"# HELP pitwall_{name} {about}"
    yield f"# TYPE pitwall_{name} {kind}"


def _line(name: str, labels: Mapping[str, object], value: float) -> str:
    said = ",".join(f'{key}="{_escaped(str(text))}"' for key, text in labels.items())
    return f"pitwall_{name}{f'{{{said}}}' if said else ''} {value!r}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
