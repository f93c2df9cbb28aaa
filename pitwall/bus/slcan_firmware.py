"""What an SLCAN adapter's firmware understands: how it is asked, and how its channel is opened, to listen above all.

Law: a channel that may only listen is never opened by a command that could make it acknowledge frames, and thereby
disturb the bus.

There are two families.  `lawicel` answers each command, CR for done and BEL for refused, and opens a silent channel by
`L` (LAWICEL CAN232 and CANUSB, USBtin, Nakakiyo092's firmware for CANable 2 and USB2CANFD).  `canable` answers to
nothing but `V`, does not know `L`, and is made silent by `M1` before `O` (normaldotcom's for CANable 1 and 2).
Two things are never sent: an empty line, since CANable 2 then repeats what it sent last, and `X`, which means automatic
polling to one firmware and an update of itself to another (WeActStudio.USB2CANFDV1).
Sources: LAWICEL CAN232 manual, 2.3; canable-fw and canable2-fw, src/slcan.c; Nakakiyo092/canable2-fw, README.
"""

from __future__ import annotations

import re
import time
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pitwall.bus.bytestream import ByteStream
from pitwall.bus.slcan import STAMPS
from pitwall.errors import PitwallError, UsageError

ANSWER_S: Final = 0.3
"""An answer comes within some ms; so long is waited for one of a firmware that may give none."""
QUIET_S: Final = 0.05
"""A closed channel says nothing any more: what comes within so long was on its way."""
CLOSING_S: Final = 1.0
"""What was on its way has come by then; whoever talks on has not understood."""
ANSWER_BYTES: Final = 1024
"""No answer is longer."""


@dataclass(frozen=True, slots=True)
class Firmware:
    """silent, normal: the commands that open a channel to listen only, and to send too.  answers: whether it does.

    bitrates, data_bitrates: bits/s -> the command that sets them.
    """

    name: str
    silent: tuple[str, ...]
    normal: tuple[str, ...]
    bitrates: Mapping[int, str]
    data_bitrates: Mapping[int, str]
    answers: bool


_COMMON: Final = {
    10_000: "S0",
    20_000: "S1",
    50_000: "S2",
    100_000: "S3",
    125_000: "S4",
    250_000: "S5",
    500_000: "S6",
    1_000_000: "S8",
}

CANABLE: Final = Firmware(
    "canable", ("M1", "O"), ("M0", "O"), {**_COMMON, 750_000: "S7"}, {2_000_000: "Y2", 5_000_000: "Y5"}, answers=False
)
LAWICEL: Final = Firmware(
    "lawicel",
    ("L",),
    ("O",),
    {**_COMMON, 800_000: "S7"},
    {500_000: "Y0", 1_000_000: "Y1", 2_000_000: "Y2", 4_000_000: "Y4", 5_000_000: "Y5", 8_000_000: "Y8"},
    answers=True,
)
NONE: Final = Firmware("none", (), (), {}, {}, answers=False)
"""Whoever only talks: nothing is ever sent to it, and what it is set to is its own affair."""
FIRMWARES: Final = {firmware.name: firmware for firmware in (CANABLE, LAWICEL, NONE)}


@dataclass(frozen=True, slots=True)
class Channel:
    """How a channel is to be opened.

    bitrate, data_bitrate: bits/s; None: the adapter's own.  stamps: a key of `STAMPS`; None: no stamps.
    firmware: None: it is asked.  sends: whether it may do more than listen.
    """

    bitrate: int | None = None
    data_bitrate: int | None = None
    fd: bool = False
    sends: bool = False
    stamps: str | None = None
    firmware: Firmware | None = None

    def check(self, where: str) -> None:
        """UsageError for what no firmware, or not the one that is named, can be told."""
        if self.firmware is not NONE:
            known = [self.firmware] if self.firmware else [CANABLE, LAWICEL]
            for what, rate, tables in (
                ("bitrate", self.bitrate, [one.bitrates for one in known]),
                ("data_bitrate", self.data_bitrate, [one.data_bitrates for one in known]),
            ):
                _command(rate, what, ChainMap(*map(dict, tables)), where)
        if self.stamps is not None and self.stamps not in STAMPS:
            hint = f"one of {', '.join(STAMPS)}"
            raise UsageError(f"timestamps={self.stamps} makes no sense", where=where, hint=hint)


def open_channel(stream: ByteStream, channel: Channel) -> tuple[Firmware, bytes]:
    """Open the adapter's channel; what firmware it has, and what came behind its last answer.

    Raises PitwallError where it refuses or hangs, UsageError where its firmware can't do what is wanted.
    """
    if channel.firmware is NONE:
        return NONE, b""
    talk = _Talk(stream)
    talk.close()
    version = talk.version() if channel.firmware is None else b""
    firmware = channel.firmware or (LAWICEL if _SPEAKS_LAWICEL.match(version) else CANABLE)
    settings = [
        _command(channel.bitrate, "bitrate", firmware.bitrates, stream.name),
        _command(channel.data_bitrate, "data_bitrate", firmware.data_bitrates, stream.name),
    ]
    if channel.stamps and not firmware.answers:
        raise UsageError(f"{firmware.name} firmware stamps no frames", where=stream.name, hint="leave out timestamps=")
    for command in filter(None, settings):
        talk.tell(command, answers=firmware.answers)
    if firmware.answers:
        talk.stamp(channel.stamps)
    *before, opens = firmware.normal if channel.sends else firmware.silent
    for command in before:
        talk.tell(command, answers=firmware.answers)
    if channel.firmware is None and not firmware.answers:
        talk.hear_nothing(QUIET_S if version else ANSWER_S)
    talk.tell(opens, answers=firmware.answers)
    return firmware, talk.rest


def version(stream: ByteStream) -> bytes:
    """What the adapter answers to `V` with its channel closed; b"": nothing.  PitwallError: it hangs, or is gone."""
    talk = _Talk(stream)
    talk.close()
    return talk.version()


_SPEAKS_LAWICEL: Final = re.compile(rb"V|\r|\a")
"""How an answer to `V` begins: `V1013`, `VL2K0 …`, or a refusal.  CANable begins with its version, or is silent."""


class _Talk:
    """Questions and answers, while a channel is closed.  rest: what came behind the last answer."""

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self.rest = b""

    def close(self) -> None:
        """Close the channel that whoever came before may have left open, and let pass what was on its way."""
        self._stream.write(b"C\r")
        self._let_pass()

    def _let_pass(self) -> None:
        """Until nothing more comes."""
        self.rest = b""
        until = time.monotonic() + CLOSING_S
        while self._stream.read(QUIET_S):
            if time.monotonic() > until:
                what = "goes on talking although it was told to close"
                raise PitwallError(what, where=self._stream.name, hint="firmware=none, if it only ever talks")

    def version(self) -> bytes:
        """What is answered to `V`."""
        said = self.ask("V")
        if said in (b"\r", b"\a"):  # `C`'s, late, and before that to `V`; or it doesn't know `V`
            said = self.hear() or said
        return said

    def ask(self, command: str) -> bytes:
        """What is answered to a command."""
        self._stream.write(f"{command}\r".encode())
        return self.hear()

    def hear(self) -> bytes:
        """The next answer, up to its CR or BEL; as much of it as came in time."""
        said, until = self.rest, time.monotonic() + ANSWER_S
        while not (end := _ANSWER_ENDS.search(said)) and (wait := until - time.monotonic()) > 0:
            if len(said) > ANSWER_BYTES:
                break
            said += self._stream.read(wait)
        stop = end.end() if end else len(said)
        self.rest = said[stop:]
        return said[:stop]

    def hear_nothing(self, wait_s: float) -> None:
        """Whoever was taken for one that doesn't answer must not: it may know `O` as a command to send, too."""
        if self.rest or self._stream.read(wait_s):
            hint = "firmware=lawicel, where it is one; a slow network needs it to be said"
            raise PitwallError("its answers come too late to tell what it is", where=self._stream.name, hint=hint)

    def tell(self, command: str, *, answers: bool) -> None:
        """Have a command done."""
        if not answers:
            self._stream.write(f"{command}\r".encode())
            return
        said = self.ask(command)
        if said.endswith(b"\a"):  # unless that was an earlier command's, come late
            self._let_pass()
            said = self.ask(command)
        if not said:
            raise PitwallError(f"does not answer to {command}", where=self._stream.name, hint="is it an SLCAN adapter?")
        if said.endswith(b"\a"):
            hints = {
                "L": "it can't listen only? then its bus must be allowed to send",
                "O": "does it want a bitrate?",
                "Z": "timestamps=ms, or none",
            }
            hint = hints.get(command[0], "does it know that rate?")
            raise PitwallError(f"refuses the command {command}", where=self._stream.name, hint=hint)

    def stamp(self, unit: str | None) -> None:
        """Have frames stamped, or not: what was set before outlives whoever set it."""
        if unit is None:
            self.ask("Z0")  # one that refuses it stamps nothing anyway
        else:
            self.tell(_STAMPED[unit], answers=True)


_ANSWER_ENDS: Final = re.compile(rb"[\r\a]")
_STAMPED: Final = {"ms": "Z1", "us": "Z2"}


def _command(rate: int | None, what: str, known: Mapping[int, str], where: str) -> str | None:
    if rate is None:
        return None
    if rate not in known:
        hint = f"one of {', '.join(map(str, sorted(known)))}"
        raise UsageError(f"{what}={rate} is none that an SLCAN adapter knows", where=where, hint=hint)
    return known[rate]
