"""A car as data: what its buses carry, how signals become channels, and what is derived from those.

Laws:

1. A `Car` has been validated as a whole: every name in it is known, every unit converts, nothing goes in circles.
2. No two channels have one name, whatever the case of its letters (DuckDB's tables don't tell cases apart).
3. Two cars of one `fingerprint` turn the same frames into the same channels.

Pure and frozen: no clock, no files.  `load` makes one from a folder.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final

from pitwall.car.rules import Rule
from pitwall.car.steps import Step, Table

LAW_VERSION: Final = 1
"""Part of every fingerprint: rises when the same definition comes to mean something else."""


OBD2_29_BITS: Final = {0x7E8: 0x18DAF110, 0x7E9: 0x18DAF118}
"""By which 29-bit ids the control units of engine and gearbox answer where ids have 29 bits (ISO 15765-4)."""


@dataclass(frozen=True, slots=True)
class Signal:
    """What some bits of a message hold, as its DBC says.  Value = raw * scale + signal_offset, in `unit`.

    start: the DBC's own bit number: of the least significant bit, or of the most significant one if `big_endian`.
    length: bits, 1 to 64; 16, 32 or 64 where the raw value is a `floating` point number.
    scale, signal_offset: int where the DBC says a whole number (whole numbers stay exact), else float.
    multiplexer: the signal of the same message that says whether this one is there; None: it always is.
    multiplexer_ids: the raw values of `multiplexer` that say so, as inclusive ranges.
    where: `file:line` of it in its DBC; no part of its meaning.
    """

    name: str
    start: int
    length: int
    big_endian: bool = False
    signed: bool = False
    floating: bool = False
    scale: int | float = 1
    signal_offset: int | float = 0
    unit: str = ""
    multiplexer: str | None = None
    multiplexer_ids: tuple[tuple[int, int], ...] = ()
    where: str = field(default="", compare=False)

    @property
    def first_bit(self) -> int:
        """The first bit on the wire: counted from byte 0, in a big-endian signal from each byte's top bit."""
        return 8 * (self.start // 8) + 7 - self.start % 8 if self.big_endian else self.start

    @property
    def bytes_needed(self) -> int:
        """The shortest payload that holds this signal."""
        return (self.first_bit + self.length + 7) // 8

    def bits(self) -> dict[int, int]:
        """Which bits of which bytes of a payload it has: masks, by the byte."""
        found: dict[int, int] = {}
        for bit in range(self.first_bit, self.first_bit + self.length):
            place = 7 - bit % 8 if self.big_endian else bit % 8
            found[bit // 8] = found.get(bit // 8, 0) | 1 << place
        return found


@dataclass(frozen=True, slots=True)
class Counter:
    """A signal that counts a message's frames: 0 to `modulo` - 1, and again from 0."""

    signal: str
    modulo: int


@dataclass(frozen=True, slots=True)
class Checksum:
    """A signal that a message's other bytes give, by a method of `pitwall.car.checksums`.

    over: the bytes of the payload that it is computed over, in this order; the bits of `signal` among them count as 0.
    before, after: bytes that are computed in front of these and behind them, and never sent.
    """

    signal: str
    method: str
    over: tuple[int, ...]
    before: bytes = b""
    after: bytes = b""


@dataclass(frozen=True, slots=True)
class Message:
    """What the frames of one arbitration id hold.

    length: bytes of payload, as the DBC says; frames may differ.  cycle_ms: how often one is sent, where the DBC says.
    pgn: of a J1939 message: its frames are those of this parameter group, whatever their priority.
    sender: of a J1939 message, the source address that they have; None: any.
    isotp: its frames carry answers by ISO-TP; the signals are where they are in the answer, not in a frame.
    counter, checksum: where the car says that the message has one.
    """

    name: str
    id: int
    extended: bool
    length: int
    signals: tuple[Signal, ...]
    cycle_ms: int | None = None
    pgn: int | None = None
    sender: int | None = None
    isotp: bool = False
    counter: Counter | None = None
    checksum: Checksum | None = None


@dataclass(frozen=True, slots=True)
class Bus:
    """One CAN bus of the car.

    messages: what its DBCs name; none where it has no DBC: its frames are recorded and listed all the same.
    dbc: the files' names, relative to the car's folder.
    source: where it is heard, as an address (`pitwall.bus.address`), or else interface, channel, bitrate, data_bitrate
    and fd: how to open it, in python-can's words; None: not said.
    """

    name: str
    messages: tuple[Message, ...]
    dbc: tuple[str, ...] = ()
    source: str | None = None
    interface: str | None = None
    channel: str | None = None
    bitrate: int | None = None
    data_bitrate: int | None = None
    fd: bool = False

    @property
    def word(self) -> str:
        """The name as part of a channel's or a table's: letters, digits and _ alone."""
        return re.sub(r"[^A-Za-z0-9_]", "_", self.name)


@dataclass(frozen=True, slots=True)
class Fold:
    """A key of a measured channel that is arithmetic: with it, and those before it, a value is `* factor + bias`.

    words: what it does, as people say it: `psi to bar`, `sign -1`.
    """

    words: str
    factor: float
    bias: float


@dataclass(frozen=True, slots=True)
class Measured:
    """A channel that one signal gives: value of the signal → `table` → * factor + bias, in `unit` → `steps` in order.

    hold_ns: how long after a sample its value is good for; None: until the next.
    folds: how `factor` and `bias` come about, key by key; the last one has them.  where: `file:line` of it, "" where no
    definition names it.  These two are no part of its meaning.
    """

    name: str
    unit: str
    bus: str
    message: str
    signal: str
    factor: float = 1.0
    bias: float = 0.0
    table: Table | None = None
    steps: tuple[Step, ...] = ()
    hold_ns: int | None = None
    folds: tuple[Fold, ...] = field(default=(), compare=False)
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Derived:
    """A channel computed from others.

    source: the rule in the words of the definition.  where: `file:line` of it; no part of its meaning.
    """

    name: str
    unit: str
    rule: Rule
    source: str
    where: str = field(default="", compare=False)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The channels that it reads, each once."""
        return self.rule.inputs


@dataclass(frozen=True, slots=True)
class Alarm:
    """Limits that a channel must stay within, in its unit; None: none on that side.

    over_rpm: they count only while the engine turns faster.  for_s: it has to be beyond for so long.
    """

    channel: str
    below: float | None = None
    above: float | None = None
    over_rpm: float | None = None
    for_s: float = 1.0


@dataclass(frozen=True, slots=True)
class Car:
    """Everything that pitwall knows of a car.

    about: what `car:` says, as text (make, model, …).  channels: every signal's, named in the definition or not.
    derived: each after all that it reads.  roles: (role, channel).  notes: what of a DBC has no effect, and why.
    alarms: what channels must not be.
    """

    name: str
    folder: Path
    about: tuple[tuple[str, str], ...]
    buses: tuple[Bus, ...]
    channels: tuple[Measured, ...]
    derived: tuple[Derived, ...]
    roles: tuple[tuple[str, str], ...]
    fingerprint: str
    notes: tuple[str, ...] = ()
    alarms: tuple[Alarm, ...] = ()

    def bus(self, name: str) -> Bus | None:
        """The bus of that name."""
        return next((bus for bus in self.buses if bus.name == name), None)

    def role(self, role: str) -> str | None:
        """The channel that plays `role`."""
        return dict(self.roles).get(role)


def fingerprint(
    buses: tuple[Bus, ...],
    channels: tuple[Measured, ...],
    derived: tuple[Derived, ...],
    roles: tuple[tuple[str, str], ...],
    dbcs: tuple[bytes, ...],
    alarms: tuple[Alarm, ...] = (),
) -> str:
    """64 hex digits that differ whenever these may give other channels, or other incidents.

    How a bus is opened, what the car is called and where its folder lies change no channel, and so not the fingerprint.
    dbcs: the bytes of the DBC files.
    """
    meaning = [(bus.name, bus.channel, bus.messages) for bus in buses]
    digest = hashlib.sha256(repr((LAW_VERSION, _plain((meaning, channels, derived, roles)))).encode())
    if alarms:
        digest.update(repr(_plain(alarms)).encode())
    for dbc in dbcs:
        digest.update(hashlib.sha256(dbc).digest())
    return digest.hexdigest()


def _plain(value: Any) -> Any:
    """Names, numbers and tuples alone, so that `repr` says all of it and nothing of this program's classes' layout."""
    if is_dataclass(value):
        meant = [f.name for f in fields(value) if f.compare]
        return (type(value).__name__, *((name, _plain(getattr(value, name))) for name in meant))
    if isinstance(value, (tuple, list)):
        return tuple(_plain(item) for item in value)
    return value
