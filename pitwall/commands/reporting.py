"""What a command found wrong on its way, told when its work is done: each on a line of stderr, and exit code 3."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from pitwall import logger
from pitwall.errors import LossError

TOLD = 20
"""Problems told one by one; more than these tell nothing new."""


def tell(problems: Sequence[str]) -> None:
    """Each problem on a line of its own on stderr, the first `TOLD` of them."""
    for problem in problems[:TOLD]:
        logger.notice(problem, logging.WARNING)
    if len(problems) > TOLD:
        logger.notice(f"{len(problems) - TOLD:,} more like these", logging.WARNING)


def end_with_losses(problems: Sequence[str], what: str) -> None:
    """Tell the problems, and raise LossError(what) where there are any."""
    if problems:
        tell(problems)
        raise LossError(what)
