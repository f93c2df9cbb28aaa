"""A bus of the car, as it is to be heard while it is looked at: never to send."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from pitwall.bus import address
from pitwall.bus.address import Address, Settings
from pitwall.bus.source import Plug


@dataclass(frozen=True, slots=True)
class Wired:
    """One bus of the car, as it is to be heard."""

    bus: str
    address: Address
    settings: Settings

    def plug(self, bitrate: int | None = None) -> Plug:
        """What it is opened from; never to send."""
        settings = replace(self.settings, sends=False, bitrate=bitrate or self.bitrate)
        options = {name: value for name, value in self.address.options.items() if name != "bitrate"}
        return address.plug(replace(self.address, options=options), settings, time.monotonic_ns())

    @property
    def handed(self) -> bool:
        """Whether only the recorder gets it: by descriptor, from whoever may open it."""
        return self.address.place == "handed"

    @property
    def bitrate(self) -> int | None:
        """Bits/s; None: the adapter's own.  What the address says is nearer than what the car does."""
        said = self.address.options.get("bitrate", "")
        return int(said) if said.isdecimal() else self.settings.bitrate

    @property
    def listens_only(self) -> bool:
        """Whether the source is one of ours, which open an adapter for listening alone."""
        return self.address.scheme in address.SCHEMES
