"""A car to be asked by OBD-II: control units on a bus of python-can, whose ISO-TP is can-isotp's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import isotp

from pitwall.bus.pythoncan import can

Answer = bytes | None | Callable[[], bytes | None]


class Unit:
    """A control unit that hears what all hear (0x7DF, or 0x18DB33F1 where `id` has 29 bits) and an id of its own.

    answers: PID -> the data of its answer; None: says nothing; a function, to be asked each time.  An answer that
    begins with 0x7F is a refusal.  What it has not it refuses.  The lists of what it has it makes itself.
    delay_s: before each answer.  mute: as if its ignition were off.
    """

    def __init__(self, channel: str, interface: str = "virtual", *, id: int = 0x7E8, answers: Mapping[int, Answer]):
        self.id, self.answers = id, dict(answers)
        long = id > 0x7FF
        self._hears = (0x18DB33F1, 0x18DA00F1 | (id & 0xFF) << 8) if long else (0x7DF, id - 8)
        self.asked: list[bytes] = []
        self.delay_s = 0.0
        self.mute = threading.Event()
        self._stop = threading.Event()
        self._bus = can.Bus(channel, interface)
        self._stack = isotp.TransportLayerLogic(
            rxfn=self._receive,
            txfn=lambda m: self._bus.send(can.Message(arbitration_id=id, is_extended_id=long, data=m.data)),
            address=isotp.Address(
                isotp.AddressingMode.Normal_29bits if long else isotp.AddressingMode.Normal_11bits,
                rxid=self._hears[1],
                txid=id,
            ),
            params={"tx_padding": 0xAA},
        )
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        self._bus.shutdown()

    def _receive(self, timeout: float) -> isotp.CanMessage | None:
        message = self._bus.recv(0.001)
        if message is None or message.arbitration_id not in self._hears:
            return None
        extended = message.is_extended_id
        return isotp.CanMessage(arbitration_id=self._hears[1], dlc=8, data=bytes(message.data), extended_id=extended)

    def _serve(self) -> None:
        while not self._stop.is_set():
            self._stack.process()
            request = self._stack.recv()
            if request is not None and not self.mute.is_set():
                self.asked.append(bytes(request))
                time.sleep(self.delay_s)
                answer = self._answer(request)
                if answer is not None:
                    self._stack.send(answer)

    def _answer(self, request: bytes) -> bytes | None:
        pid = request[1]
        if pid % 0x20 == 0 and (pid == 0 or any(one > pid for one in self.answers)):
            bits = sum(1 << (0x20 - n) for n in range(1, 0x21) if pid + n in self.answers)
            more = any(one > pid + 0x20 for one in self.answers)
            return bytes([0x41, pid]) + (bits | more).to_bytes(4, "big")
        if pid not in self.answers:
            return bytes([0x7F, 0x01, 0x12])
        answer = self.answers[pid]
        data = answer() if callable(answer) else answer
        return data if data is None or data[:1] == b"\x7f" else bytes([0x41, pid]) + data
