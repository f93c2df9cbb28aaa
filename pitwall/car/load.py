"""A folder of cars in, one car's frozen definition out.

Law: a car is used whole or not at all: everything that is wrong with its files is said at once, as one CarError.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Final

from pitwall.car import channels, dbc, derived, document, messages, methods
from pitwall.car.definition import Alarm, Bus, Car, Derived, Measured, Message, fingerprint
from pitwall.car.document import Entry, Position, Problems, suggestion
from pitwall.car.kinds import read
from pitwall.car.vocabulary import ABOUT, BUS, ROLES, SECTIONS, alarm
from pitwall.errors import CarError, UsageError

DEFINITION: Final = "car.yaml"
"""The file that makes a folder a car's."""

_PACKAGE: Final = Path(__file__).parents[1]
SHIPPED: Final = (_PACKAGE / "cars", _PACKAGE.parent / "cars")
"""Where the cars that come with pitwall lie: within the package of a wheel, beside it in a working tree."""

TABLES: Final = frozenset(
    {
        "built_from",
        "channels",
        "control",
        "ids",
        "rejected",
        "signals",
        "laps",
        "sectors",
        "corners",
        "findings",
        "incidents",
        "cues",
    }
)
"""What a projection calls its own tables and views."""

_MAX_BUSES: Final = 256  # the log counts buses in a byte


def names(cars: Path) -> list[str]:
    """The cars in the folder `cars`, in alphabetical order; none if there is no such folder."""
    if not cars.is_dir():
        return []
    return sorted(path.parent.name for path in cars.glob(f"*/{DEFINITION}"))


def load(cars: Path, name: str, draft: Path | None = None) -> Car:
    """The car `name` of the folder `cars`.

    draft: a file to read instead of its definition; DBCs are looked for beside it first, then in the car's folder.
    Raises UsageError where there is no such car, CarError where its definition or a DBC of it is wrong: all problems,
    each `file:line:column: what (hint)`.
    """
    known = names(cars)
    if name not in known:
        shipped = next((folder for folder in SHIPPED if (folder / name / DEFINITION).is_file()), None)
        hint = suggestion(name, known) or f"a car is a folder with a {DEFINITION}"
        if shipped is not None:
            hint = f"it ships with pitwall: copy {shipped / name} there, or say --cars {shipped}"
        raise UsageError(f"there is no car {name!r}", where=cars, hint=hint)
    folder = cars / name
    problems = Problems()
    file = draft or folder / DEFINITION
    root = document.read(file, str(file), problems)
    if root is None:
        raise CarError(problems.lines())
    return _Reader(folder, file.parent, root, problems).car(name)


class _Reader:
    """One car's document, on its way to a definition."""

    def __init__(self, folder: Path, beside: Path, root: Entry, problems: Problems) -> None:
        """beside: where DBCs are looked for before they are in `folder`."""
        self._folder = folder
        self._beside = beside
        self._root = root
        self._problems = problems
        self._dbcs: list[dbc.Dbc] = []
        self._complete = True  # until a DBC can't be read: then nobody knows which signals there are

    def car(self, name: str) -> Car:
        sections = self._root.mapping(SECTIONS)
        for section in ("channels", "derived", "roles", "alarms"):
            if section in sections and sections[section].holds_nothing:
                sections[section].problem("holds nothing", "leave it out")
        about = self._about(sections.get("car"))
        buses = self._buses(sections.get("buses"))
        measured, made = self._channels(sections, buses)
        declared = [key for part in ("channels", "derived") if part in sections for key in sections[part].mapping()]
        roles = self._roles(sections.get("roles"), {*declared, *(channel.name for channel in measured)})
        units = {**dict.fromkeys(declared, ""), **{channel.name: channel.unit for channel in measured}}
        alarms = self._alarms(sections.get("alarms"), {**units, **{channel.name: channel.unit for channel in made}})
        if self._problems:
            raise CarError(self._problems.lines())
        contents = tuple(file.content for file in self._dbcs)
        return Car(
            name=name,
            folder=self._folder,
            about=about,
            buses=buses,
            channels=measured,
            derived=made,
            roles=roles,
            fingerprint=fingerprint(buses, measured, made, roles, contents, alarms),
            notes=tuple(note for file in self._dbcs for note in file.notes),
            alarms=alarms,
        )

    def _about(self, section: Entry | None) -> tuple[tuple[str, str], ...]:
        if section is None:
            self._root.problem("the section car: is missing", "car: {make: …, model: …}")
            return ()
        keys = {} if section.empty else section.mapping()
        for key, entry in keys.items():
            # free words; but what is nearly one of the usual ones is a slip
            hint = suggestion(key, ABOUT) if key not in ABOUT else ""
            if hint.startswith("did you mean"):
                entry.problem(f"unknown key {entry.path!r}", hint)
        return tuple((key, text) for key, entry in keys.items() if (text := entry.text()) is not None)

    def _buses(self, section: Entry | None) -> tuple[Bus, ...]:
        entries = {} if section is None else section.mapping()
        if not entries:
            (section or self._root).problem("a car has at least one bus", "buses: {can: {dbc: car.dbc}}")
        if len(entries) > _MAX_BUSES and section is not None:
            section.problem(f"{len(entries)} buses; at most {_MAX_BUSES} can be recorded")
        folded: set[str] = set()
        buses = []
        for name, entry in entries.items():
            bus = self._bus(name, entry)
            if bus.word.casefold() in folded:
                entry.problem(f"two buses are called {name!r}", "only letters, digits and _ tell buses apart, not case")
            folded.add(bus.word.casefold())
            buses.append(bus)
        return tuple(buses)

    def _bus(self, name: str, entry: Entry) -> Bus:
        keys = entry.mapping(BUS)
        values = read(keys, BUS)
        if "data_bitrate" in keys and values.get("fd", False) is False:
            keys["data_bitrate"].problem("has no effect: the bus is not CAN FD", "fd: true")
        files: list[dbc.Dbc] = []
        for item in values.get("dbc", ()):
            file = self._dbc(item)
            if file is not None and file.file in [other.file for other in files]:
                item.problem(f"{Path(file.file).name} is listed twice")
            elif file is not None:
                files.append(file)
        found = [message for file in files for message in file.messages]
        found = messages.of_protocol(keys.get("protocol"), found, complete=self._complete)
        self._told_apart(found, [(file.file, line) for file in files for line in file.lines])
        return Bus(
            name=name,
            messages=tuple(messages.checked(keys.get("messages"), found, complete=self._complete)),
            dbc=tuple(self._named(Path(file.file)) for file in files),
            source=values.get("source"),
            interface=values.get("interface"),
            channel=values.get("channel"),
            bitrate=values.get("bitrate"),
            data_bitrate=values.get("data_bitrate"),
            fd=bool(values.get("fd")),
        )

    def _dbc(self, entry: Entry) -> dbc.Dbc | None:
        name = entry.text()
        if name is None:
            return None
        path = self._beside / name
        if not path.is_file():
            path = self._folder / name
        if not path.is_file():
            hint = suggestion(name, [file.name for file in self._folder.glob("*.dbc")])
            entry.problem(f"there is no file {name!r} in {self._folder}", hint)
            self._complete = False
            return None
        file = dbc.read(path, str(path), self._problems)
        if file is None:
            self._complete = False
        else:
            self._dbcs.append(file)
        return file

    def _named(self, file: Path) -> str:
        """A DBC as the definition calls it."""
        folder = self._folder if file.is_relative_to(self._folder) else self._beside
        return file.relative_to(folder).as_posix()

    def _told_apart(self, found: Sequence[Message], places: Sequence[Position]) -> None:
        """No two messages of a bus have one arbitration id, one J1939 group and sender, or one name."""
        ids: dict[object, str] = {}
        called: dict[str, str] = {}
        for message, where in zip(found, places, strict=True):
            place = f"{message.name} at {Path(where[0]).name}:{where[1]}"
            id, one = f"0x{message.id:x}" + (" (extended)" if message.extended else ""), "id on one bus"
            if message.pgn is not None:
                by = "any sender" if message.sender is None else f"sender 0x{message.sender:x}"
                id, one = f"0x{message.id:x} (J1939: group {message.pgn}, {by})", "group of one sender"
            key = (message.id, message.extended) if message.pgn is None else (message.pgn, message.sender, "J1939")
            first = ids.setdefault(key, place)
            if first != place:
                self._problems.add(
                    where, f"message {message.name} has the id {id} of {first}", f"one {one} is one message"
                )
                continue
            first = called.setdefault(message.name, place)
            if first != place:
                self._problems.add(where, f"message {message.name} has the name of {first}")

    def _channels(
        self, sections: dict[str, Entry], buses: tuple[Bus, ...]
    ) -> tuple[tuple[Measured, ...], tuple[Derived, ...]]:
        everything = channels.places(buses)
        section, derived_section = sections.get("channels"), sections.get("derived")
        own = {} if section is None else section.mapping()
        made = {} if derived_section is None else derived_section.mapping()
        taken = self._taken([*own.items(), *made.items()])
        self._tables(buses, made)
        found = channels.named(section, everything, complete=self._complete)
        rest = channels.unnamed(everything, taken, (each.place for each in found))
        roles = sections["roles"].mapping() if "roles" in sections else {}
        speed = roles["speed"].text() if "speed" in roles else None
        measured = (*channels.with_zeros(found, rest, made, speed), *rest)
        units = {**dict.fromkeys(own), **{channel.name: channel.unit for channel in measured}}
        return measured, tuple(derived.derived(derived_section, methods.Known(units, self._complete)))

    def _taken(self, entries: Sequence[tuple[str, Entry]]) -> set[str]:
        """The names that the definition gives; two that differ in case alone, or not at all, are a problem."""
        first: dict[str, str] = {}
        for name, entry in entries:
            other = first.setdefault(name.casefold(), entry.path)
            if other != entry.path:
                entry.problem(f"has the name of {other}", "every channel has its own, whatever the case of its letters")
        return set(first)

    def _tables(self, buses: Sequence[Bus], made: Mapping[str, Entry]) -> None:
        """A derived channel has a table of its own name, which no other table may have."""
        others = {f"{bus.word}_{message.name}".casefold() for bus in buses for message in bus.messages}
        for name, entry in made.items():
            if name.casefold() in TABLES or name.casefold() in others:
                entry.problem(f"{name!r} is the name of a table of the projection", "choose another")

    def _roles(self, section: Entry | None, known: Collection[str]) -> tuple[tuple[str, str], ...]:
        roles = []
        for role, entry in ({} if section is None else section.mapping(ROLES)).items():
            name = entry.text()
            if name is not None and name not in known and self._complete:
                entry.problem(f"there is no channel {name!r}", suggestion(name, known))
            elif name is not None:
                roles.append((role, name))
        return tuple(roles)

    def _alarms(self, section: Entry | None, units: Mapping[str, str]) -> tuple[Alarm, ...]:
        alarms = []
        for name, entry in ({} if section is None else section.mapping()).items():
            if name not in units:
                if self._complete:
                    entry.problem(f"there is no channel {name!r}", suggestion(name, units))
                continue
            keys = alarm(units[name])
            given = entry.mapping(keys)
            values = read(given, keys)
            if "below" not in given and "above" not in given:
                entry.problem("says no limit", "{above: …}, {below: …}, or both")
            below, above = values.get("below"), values.get("above")
            if below is not None and above is not None and below >= above:
                entry.problem(
                    f"{below:g} is not below {above:g}, so that nothing would be within", "below is the lower"
                )
            for_s = values.get("for")
            alarms.append(Alarm(name, below, above, values.get("over_rpm"), 1.0 if for_s is None else for_s))
        return tuple(alarms)
