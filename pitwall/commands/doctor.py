"""`pitwall doctor`: this machine in; a line for each thing that recording needs, and what to do about it, out."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from pitwall.commands.options import Places, json_option, option, places
from pitwall.commands.output import WIDTH, print_json
from pitwall.commands.serve import address_options
from pitwall.commands.sources import Wanted, source_options
from pitwall.errors import PitwallError

if TYPE_CHECKING:
    from pitwall.doctor.check import Check, Finding
    from pitwall.doctor.machine import Machine
    from pitwall.doctor.wired import Wired
    from pitwall.log.session import Session

NAME_WIDTH: Final = 12
VERDICT_WIDTH: Final = 8


@click.command
@places("logs", "projections", "cars")
@source_options
@address_options
@option("--find-bitrate", is_flag=True, help="Where nothing is heard, listen at other bitrates.")
@json_option
def doctor(places: Places, wanted: Wanted, host: str, port: int, find_bitrate: bool, as_json: bool) -> int:
    """Look at this machine, and say what would keep it from recording.

    Each line is ok, warning, failed or skipped, with what to do about it.  Give the car
    (and the source) that you would record, and its adapter is opened, asked and listened
    to for two seconds; nothing is ever sent onto the bus.  Exit code 1 where anything
    failed.

    \b
    Examples:
      pitwall doctor
      pitwall doctor --car bmw-e46-m3 --source slcan:/dev/ttyACM0
      pitwall doctor --car bmw-e46-m3 --source slcan:/dev/ttyACM0 --find-bitrate
    """
    from pitwall.doctor.check import examine
    from pitwall.doctor.machine import MACHINE

    found = []
    for check, finding in examine(checks(places, wanted, host, port, MACHINE, find_bitrate=find_bitrate)):
        found.append((check, finding))
        if not as_json:
            for line in lines(check.name, finding):
                click.echo(line)
    said = facts(found)
    if as_json:
        print_json(said)
    return 0 if said["ok"] else 1


def facts(found: Sequence[tuple[Check, Finding]]) -> dict[str, Any]:
    """What was found, as `--json` has it."""
    from pitwall.doctor.check import Verdict

    return {
        "ok": not any(finding.verdict is Verdict.FAILED for _, finding in found),
        "checks": [
            {"name": check.name, "verdict": str(one.verdict), "said": one.said, "advice": one.advice}
            for check, one in found
        ],
    }


NOT_OF_A_SERVER: Final = frozenset({"port"})
"""It has the port that would have to be free."""
NOT_BESIDE_A_RECORDER: Final = frozenset({"sync"})
"""A hundred synced writes to its disk."""


def examined(places: Places) -> dict[str, Any]:
    """What a server says of the machine that it runs on, in which nobody names a car."""
    from pitwall.doctor.check import examine
    from pitwall.doctor.machine import MACHINE
    from pitwall.log.lock import recorder

    left_out = NOT_OF_A_SERVER | (NOT_BESIDE_A_RECORDER if recorder(places.logs) is not None else frozenset())
    nothing = Wanted(car=None, simulate=False, seed=0, interface=(), channel=(), bitrate=())
    wanted = checks(places, nothing, "127.0.0.1", 0, MACHINE, find_bitrate=False)
    return facts(list(examine([check for check in wanted if check.name not in left_out])))


def checks(
    places: Places, wanted: Wanted, host: str, port: int, machine: Machine, *, find_bitrate: bool
) -> list[Check]:
    """All that is looked at, in the order in which it is told."""
    from pitwall.doctor import android, clock, ports, software, storage
    from pitwall.doctor.check import Check

    car = wanted.car_name if wanted.car or wanted.simulate else None
    buses, wrong = _wired(places, wanted)
    bitrates = [one.bitrate for one in buses if one.bitrate]
    return [
        Check("python", software.python),
        Check("recording", software.recording),
        Check("serving", partial(software.serving, machine)),
        Check("optional", software.optional),
        Check("logs", partial(storage.writable, places.logs, "logs")),
        Check("recorder", partial(storage.recorder, places.logs)),
        Check("projections", partial(storage.writable, places.projections, "projections")),
        Check("room", lambda: storage.room(places.logs, car, bitrates, _sessions(places)), 10),
        Check("sync", partial(storage.sync_speed, places.logs), 10),
        Check("encryption", partial(storage.encryption, places.logs, machine)),
        Check("clock", partial(clock.clock, machine), 10),
        Check("killer", partial(android.killer, machine), 10),
        Check("freezer", partial(android.freezer, machine), 10),
        Check("wake lock", partial(android.wake_lock, machine)),
        Check("port", partial(ports.port, host, port)),
        *(wrong or _of_adapters(places, buses, machine, find_bitrate=find_bitrate)),
    ]


def _wired(places: Places, wanted: Wanted) -> tuple[list[Wired], list[Check]]:
    """The buses to listen to, and, where there are none, the check that says why."""
    from pitwall.bus.address import Address, Settings, parse
    from pitwall.doctor.check import Check, failed, skipped
    from pitwall.doctor.wired import Wired

    if wanted.simulate:
        return [], [Check("adapter", lambda: skipped("a simulated car needs none"))]
    if wanted.car is None:
        hint = "pitwall doctor --car CAR (--source ADDRESS) opens it and listens"
        return [], [Check("adapter", lambda: skipped("no car is named", hint))]
    try:
        buses = [
            Wired(
                bus.name,
                parse(bus.source) if bus.source else Address(bus.interface or "", bus.channel or "", {}),
                Settings(bus.bitrate, bus.data_bitrate, bus.fd),
            )
            for bus in wanted.buses(places)
        ]
    except PitwallError as error:
        said, hint = (f"{error.where}: {error.what}" if error.where else error.what), error.hint
        return [], [Check("adapter", lambda: failed(said, hint))]
    return buses, []


def _of_adapters(places: Places, buses: list[Wired], machine: Machine, *, find_bitrate: bool) -> Iterator[Check]:
    from pitwall.doctor import adapter, hearing, node
    from pitwall.doctor.check import Check, skipped
    from pitwall.log.lock import recorder

    at_work = recorder(places.logs) is not None
    for wired in buses:
        of = f" {wired.bus}" if len(buses) > 1 else ""
        yield Check(f"device{of}", partial(node.node, wired, machine), 10)
        yield Check(f"listen-only{of}", partial(adapter.silent, wired, machine), 10)
        if at_work:  # two readers of one adapter would each get a part
            yield Check(f"bus{of}", lambda: skipped("the recorder has the adapter", "/health says what it hears"))
            continue
        yield Check(f"firmware{of}", partial(adapter.firmware, wired))
        limit_s = hearing.limit_s(find_bitrate=find_bitrate)
        yield Check(f"bus{of}", partial(hearing.heard, wired, find_bitrate=find_bitrate), limit_s)


def _sessions(places: Places) -> list[Session]:
    from pitwall.log.session import sessions

    return sessions(places.logs)


def lines(name: str, finding: Finding) -> Iterator[str]:
    """A finding as a terminal of 80 columns has it: how it is, what it is about, the fact; the advice under it."""
    head = f"{finding.verdict:<{VERDICT_WIDTH}} {name:<{NAME_WIDTH}} "
    indent = " " * (VERDICT_WIDTH + NAME_WIDTH + 2)
    yield from textwrap.wrap(finding.said, WIDTH, initial_indent=head, subsequent_indent=indent)
    if finding.advice:
        yield from textwrap.wrap(finding.advice, WIDTH, initial_indent=f"{indent}-> ", subsequent_indent=f"{indent}   ")
