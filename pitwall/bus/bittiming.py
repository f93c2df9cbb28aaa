"""A bitrate and a sample point in, what a CAN controller is told to keep them out.  Pure arithmetic (ISO 11898-1).

A bit is `1 + tseg1 + tseg2` time quanta, a quantum `brp` ticks of the controller's clock; it is sampled behind tseg1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pitwall.errors import UsageError

TOLERANCE: Final = 1e-3
"""How far a bitrate may be off: 83333 is meant as 83333.3, and nodes that are apart by more than 0.5 % fall out."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a controller can keep: its clock in Hz, all else in time quanta, `brp` in ticks of the clock."""

    clock_hz: int
    tseg1_min: int
    tseg1_max: int
    tseg2_min: int
    tseg2_max: int
    sjw_max: int
    brp_min: int
    brp_max: int
    brp_step: int


@dataclass(frozen=True, slots=True)
class Timing:
    """A bit's parts, in time quanta; brp: a quantum, in ticks of the clock."""

    prop_seg: int
    phase_seg1: int
    phase_seg2: int
    sjw: int
    brp: int

    @property
    def quanta(self) -> int:
        """Of one bit, the synchronisation segment with it."""
        return 1 + self.prop_seg + self.phase_seg1 + self.phase_seg2

    @property
    def sample_point(self) -> float:
        """Where a bit is sampled, as a part of it."""
        return 1 - self.phase_seg2 / self.quanta


def usual_sample_point(bitrate: int) -> float:
    """Where a bus of this speed is sampled where nobody says it: as Linux does, after CiA."""
    return 0.75 if bitrate > 800_000 else 0.8 if bitrate > 500_000 else 0.875


def timing(limits: Limits, bitrate: int, sample_point: float | None = None) -> Timing:
    """How to keep `bitrate` with the sample point nearest to the wanted one, in as many quanta as that takes.

    sample_point: a part of a bit; None: the usual one.  Raises UsageError, which names the nearest possible bitrate,
    where the clock can't be divided to it.
    """
    wanted = usual_sample_point(bitrate) if sample_point is None else sample_point
    shortest, longest = 1 + limits.tseg1_min + limits.tseg2_min, 1 + limits.tseg1_max + limits.tseg2_max
    best: tuple[float, float, int, Timing] | None = None
    nearest = 0.0
    for brp in range(limits.brp_min, limits.brp_max + 1, max(1, limits.brp_step)):
        quanta = min(max(round(limits.clock_hz / (brp * bitrate)), shortest), longest)
        rate = limits.clock_hz / (brp * quanta)
        if abs(rate - bitrate) < abs(nearest - bitrate):
            nearest = rate
        if abs(rate - bitrate) > TOLERANCE * bitrate:
            continue
        made = _divided(limits, brp, quanta, wanted)
        rank = (round(abs(rate - bitrate) / bitrate, 9), round(abs(made.sample_point - wanted), 9), -quanta, made)
        if best is None or rank[:3] < best[:3]:
            best = rank
    if best is None:
        hint = f"the nearest that it can is {nearest:.0f}" if nearest else "it can none at all"
        raise UsageError(f"its clock of {limits.clock_hz / 1e6:g} MHz makes no {bitrate} bit/s", hint=hint)
    return best[3]


def _divided(limits: Limits, brp: int, quanta: int, sample_point: float) -> Timing:
    least = max(limits.tseg2_min, quanta - 1 - limits.tseg1_max)
    most = min(limits.tseg2_max, quanta - 1 - limits.tseg1_min)
    tseg2 = min(max(round(quanta * (1 - sample_point)), least), most)
    tseg1 = quanta - 1 - tseg2
    prop_seg = tseg1 // 2
    # half of phase 2 is what Linux jumps by: enough for a crystal, and no noise is taken for an edge
    sjw = max(1, min(limits.sjw_max, tseg1 - prop_seg, tseg2 // 2))
    return Timing(prop_seg, tseg1 - prop_seg, tseg2, sjw, brp)
