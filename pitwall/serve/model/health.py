"""Whether the model's server is up, asked at most every KEEP_S, and restarted when it has been down for long.

Laws: a probe takes PROBE_S at most, and there is one at a time, whoever asks; a restart's command is run once, and
again only after a pause that doubles; with no URL nothing is ever asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from pitwall.serve.model import client
from pitwall.serve.model.breaker import Breaker
from pitwall.serve.model.exchange import ModelError

if TYPE_CHECKING:
    from pitwall.serve.model.settings import Settings

logger = logging.getLogger("pitwall.serve")

PROBE_S: Final = 2.0
KEEP_S: Final = 5.0

DOWN_S: Final = 60.0
"""A server that loads its model answers nothing for so long."""
LONGEST_PAUSE_S: Final = 3600.0
"""Between two restarts."""
COMMAND_S: Final = 30.0
"""For a restart's command to end: what starts something in the background ends at once."""


class Health:
    """What is known of the server.

    breaker: for calls.  last_error: what went wrong last, in words; empty: nothing did.
    up: as the last probe found it; None: there was none.  met: it was up once.  restarts: commands run.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], float] = time.monotonic, *, command_s: float = COMMAND_S
    ) -> None:
        """command_s: for a restart's command to end."""
        self.settings = settings
        self.clock = clock
        self._command_s = command_s
        self.breaker = Breaker()
        self.up: bool | None = None
        self.met = False
        self.last_error = ""
        self.restarts = 0
        self._probed_s: float | None = None
        self._probing: asyncio.Task[None] | None = None
        self._down_since_s: float | None = None
        self._restarted_s: float | None = None
        self._pause_s = DOWN_S

    async def is_up(self) -> bool:
        """As it was KEEP_S ago at most."""
        if not self.settings.url:
            return False
        if self._probed_s is None or self.clock() - self._probed_s >= KEEP_S:
            if self._probing is None or self._probing.done():
                self._probing = asyncio.create_task(self._probe())
            await asyncio.shield(self._probing)
        return bool(self.up)

    async def watch(self) -> None:
        """Probes again and again, and restarts what is down for long, until it is cancelled."""
        try:
            while self.settings.url:
                await self.is_up()
                await self.tend()
                await asyncio.sleep(KEEP_S)
        finally:
            if self._probing is not None:
                self._probing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await self._probing

    async def tend(self) -> None:
        """Restarts the server where it has been down for DOWN_S, and once more after each pause."""
        now = self.clock()
        if self._down_since_s is None or not self.settings.restart or now - self._down_since_s < DOWN_S:
            return
        if self._restarted_s is not None:
            if now - self._restarted_s < self._pause_s:
                return
            self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)
        self._restarted_s = now
        self.restarts += 1
        logger.warning("the language model is down: %s; it is restarted", self.last_error)
        await self._restart()

    def call_failed(self, why: str) -> None:
        """A call went wrong."""
        self.last_error = why
        self.breaker.failed(self.clock())

    def report(self) -> dict[str, Any]:
        """As `/health` has it."""
        return {
            "up": bool(self.up),
            "url": self.settings.shown_url or None,
            "breaker": self.breaker.state(self.clock()),
            "last_error": self.last_error or None,
            "restarts": self.restarts,
        }

    async def _probe(self) -> None:
        try:
            async with asyncio.timeout(PROBE_S):
                await client.probe(self.settings)
        except (ModelError, TimeoutError) as error:
            why = f"did not answer within {PROBE_S:g} s" if isinstance(error, TimeoutError) else str(error)
            self.up, self.last_error = False, why
            if self._down_since_s is None:
                self._down_since_s = self.clock()
        else:
            self.up = self.met = True
            self._down_since_s = self._restarted_s = None
            self._pause_s = DOWN_S
        self._probed_s = self.clock()

    async def _restart(self) -> None:
        nothing = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                *self.settings.restart, stdin=nothing, stdout=nothing, stderr=nothing, start_new_session=True
            )
        except (OSError, ValueError) as error:
            self.last_error = f"can't be restarted: {getattr(error, 'strerror', None) or error}"
            logger.warning("the language model %s", self.last_error)
            return
        try:
            async with asyncio.timeout(self._command_s):
                code = await process.wait()
        except TimeoutError:
            code = None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code:
            self.last_error = f"its restart ended with {code}"
            logger.warning("the language model: %s", self.last_error)
