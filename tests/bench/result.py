"""What a benchmark says: a figure, beside a peer's on the same input in the same run where there is one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """One line of `make bench`.

    ours, peer: in `unit`, more is better unless `less_is_better`.  goal: of `ours`, or of the ratio ours/peer
    where `goal_is_ratio`.
    """

    name: str
    ours: float
    unit: str
    peer_name: str = ""
    peer: float | None = None
    goal: float | None = None
    goal_is_ratio: bool = False
    less_is_better: bool = False
    note: str = ""
