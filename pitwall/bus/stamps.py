"""Adapters' stamps and the host's times of reception in, one `t` out: the adapter's spacing on the host's clock.

An adapter stamps a frame when it is on the bus, with a counter of its own that wraps, and drifts; the host hears of it
later, by USB's polling and the scheduler's leave.
Laws: `t` is never after the reception; it never runs backwards; between two anchors, the difference of two `t` is that
of their stamps, to the ns (but for what would run backwards); any cut into batches gives the same.  Pure: no clock.
"""

from __future__ import annotations

from dataclasses import dataclass

from pitwall.frames import Int64


@dataclass(frozen=True, slots=True)
class Ticks:
    """A counter: tick_ns, what one of its ticks lasts; period, the number after which it begins again at 0."""

    tick_ns: int
    period: int


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the adapter's clock is laid on the host's anew: from row `row` of a batch on, whose stamp is `stamp`, a
    frame of that stamp is at `t_ns`, `late_ns` before it was received.
    """

    row: int
    stamp: int
    t_ns: int
    late_ns: int


class AdapterClock:
    """Lays stamps of one counter on the host's clock."""

    def __init__(self, ticks: Ticks) -> None:
        self._ticks = ticks

    def lay(self, stamps: Int64, received: Int64) -> tuple[Int64, list[Anchor]]:
        """int64 (n,) ns, the `t` of each frame, and the anchors among them.

        stamps: int64 (n,) of the counter; negative where a frame has none: it is at its reception.
        received: int64 (n,) ns on the host's clock, ascending.
        """
        raise NotImplementedError
