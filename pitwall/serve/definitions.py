"""The folder of cars in, each car's newest definition that is valid out; edits are seen as they are saved.

Laws:

1. A definition is taken whole or not at all: one that is wrong changes nothing; its errors are shown until mended.
2. What was read is what was there: a folder that changed while it was read is read again.
3. Saving is over when nothing has changed for QUIET_MS: half a file, a temporary one that is renamed, several saves at
   once, a DBC saved before the YAML that needs it are one edit.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pitwall import car as cars_of
from pitwall.car.load import DEFINITION
from pitwall.errors import CarError, PitwallError
from pitwall.serve.companion import Companion
from pitwall.serve.limits import MAX_FILES

if TYPE_CHECKING:
    from pathlib import Path

    from pitwall.car import Car

logger = logging.getLogger("pitwall.cars")

QUIET_MS: Final = 150
LONGEST_MS: Final = 1600
"""What is saved again and again is looked at so often all the same."""

LOOK_MS: Final = 1000
"""And looked at without being told: a file system may not tell, as of another machine."""

AGAIN_S: Final = 1.0
"""After the watch itself has failed: no such folder yet, or no watches left."""

READINGS: Final = 5
"""A folder that changed so often while it was read is left to the next look."""


Stamps = tuple[tuple[str, int, int, int], ...]
"""Of each file of a car's folder: its name, inode, size, and when it was changed."""


@dataclass(frozen=True, slots=True)
class Definition:
    """A valid one.  text: of its car.yaml.  dbcs: SHA-256, as hex, of each DBC that it names."""

    car: Car
    text: str
    dbcs: Mapping[str, str]


class Definitions(Companion):
    """The cars of the folder `cars`.  For any thread; `start` begins to watch.

    version: grows whenever a definition takes another's place.
    """

    def __init__(self, cars: Path) -> None:
        super().__init__("pitwall-cars")
        self.cars = cars
        self.version = 0
        self._lock = threading.Lock()  # also: Python 3.11's `ast` may fail where two threads are in it
        self._valid: dict[str, Definition] = {}
        self._seen: dict[str, Stamps] = {}
        self._used: set[str] = set()
        self._told_missing = False
        self._problems: Mapping[str, tuple[str, ...]] = {}  # replaced, never changed

    def get(self, name: str) -> Definition:
        """The car's newest definition that was valid.  UsageError: there is no such car; CarError: none ever was."""
        self._used.add(name)
        known = self._valid.get(name)  # without the lock: who is live does not wait for a car that is being read
        if known is not None:
            return known
        with self._lock:
            if name not in self._valid:
                definition, stamps = _read(self.cars, name)
                self._take(name, definition, stamps)
            return self._valid[name]

    @property
    def problems(self) -> Mapping[str, tuple[str, ...]]:
        """What is wrong with the cars as they are saved, each `file:line: what (hint)`, by car."""
        return self._problems

    def refuse(self, definition: Definition, why: str) -> None:
        """It is valid by itself, but nothing can be projected by it."""
        why = f"{self.cars / definition.car.name / DEFINITION}:1: nothing can be projected by it: {why}"
        with self._lock:
            if self._valid.get(definition.car.name) is definition:
                self._trouble(definition.car.name, (why,))

    def look(self) -> None:
        """Takes what has been saved since it was looked last."""
        with self._lock:
            for name in cars_of.names(self.cars):
                if _stamps(self.cars / name) != self._seen.get(name):
                    self._read_again(name)
            for name in self._seen.keys() - set(cars_of.names(self.cars)):
                self._miss(name)

    def run(self) -> None:
        polling = None  # as watchfiles thinks best
        while not self.stopping.is_set():
            try:
                self.look()
                if not self._watch(polling):
                    self.stopping.wait(LOOK_MS / 1000)
                    continue
            except Exception as error:  # noqa: BLE001  the rim of this thread: what was valid is used on
                if self.cars.is_dir():
                    logger.warning("%s can't be watched, and is looked at each second: %s", self.cars, error)
                    polling = True
            self.stopping.wait(AGAIN_S)

    def _watch(self, polling: bool | None) -> bool:
        """Looks whenever something was saved, until it is to end; False where nothing can tell of that."""
        try:
            from watchfiles import watch  # here: what only loads cars does not watch
        except ImportError:
            if not self._told_missing:
                self._told_missing = True
                logger.warning("watchfiles is not installed: %s is looked at each second", self.cars)
            return False
        for _ in watch(
            self.cars,
            watch_filter=None,
            debounce=LONGEST_MS,
            step=QUIET_MS,
            rust_timeout=LOOK_MS,
            yield_on_timeout=True,
            stop_event=self.stopping,
            raise_interrupt=False,
            force_polling=polling,
        ):
            self.look()
        return True

    def _read_again(self, name: str) -> None:
        began = _stamps(self.cars / name)  # before it is read: what is saved meanwhile is read at the next look
        try:
            definition, stamps = _read(self.cars, name)
        except CarError as error:
            self._seen[name] = began
            self._trouble(name, tuple(error.problems))
        except (PitwallError, OSError) as error:
            self._trouble(name, (str(error),))  # and it is read again at the next look
        except Exception as error:  # noqa: BLE001  whatever a file holds, what was valid is used on
            self._seen[name] = began
            self._trouble(name, (f"{self.cars / name / DEFINITION}: {type(error).__name__}: {error}",))
        else:
            self._take(name, definition, stamps)

    def _take(self, name: str, definition: Definition, stamps: Stamps) -> None:
        before = self._valid.get(name)
        self._seen[name] = stamps
        self._mend(name)
        if before is not None and before.car.fingerprint == definition.car.fingerprint:
            return  # a comment, or a change taken back
        self._valid[name] = definition
        self.version += 1
        if before is not None:
            logger.info("%s was edited", name)

    def _miss(self, name: str) -> None:
        """Its folder, or its car.yaml, is gone."""
        del self._seen[name]
        if name in self._used and name in self._valid:
            gone = f"{self.cars / name / DEFINITION}: is gone (what it said last is used as long as pitwall runs)"
            self._trouble(name, (gone,))
        else:
            self._valid.pop(name, None)
            self._forget(name)

    def _trouble(self, name: str, lines: tuple[str, ...]) -> None:
        if self._problems.get(name) != lines:
            self._problems = {**self._problems, name: lines}
            for line in lines:
                logger.error("%s", line)

    def _mend(self, name: str) -> None:
        if self._forget(name):
            logger.info("%s is mended", name)

    def _forget(self, name: str) -> bool:
        """Whether there was a problem with it."""
        before = self._problems
        self._problems = {other: lines for other, lines in before.items() if other != name}
        return name in before


def _read(cars: Path, name: str) -> tuple[Definition, Stamps]:
    """The car as it is saved, and the stamps of its files.  Raises as `pitwall.car.load`, and OSError."""
    for reading in range(1, READINGS + 1):
        stamps = _stamps(cars / name)
        try:
            car = cars_of.load(cars, name)
            files = {file for bus in car.buses for file in bus.dbc}
            text = (cars / name / DEFINITION).read_text()
            dbcs = {file: hashlib.sha256((cars / name / file).read_bytes()).hexdigest() for file in sorted(files)}
        except (PitwallError, OSError, UnicodeDecodeError):
            if stamps == _stamps(cars / name) or reading == READINGS:
                raise
            continue
        if stamps == _stamps(cars / name):
            return Definition(car, text, dbcs), stamps
    raise PitwallError("changes faster than it can be read", where=cars / name)


def _stamps(folder: Path) -> Stamps:
    found = []
    try:
        for _, file in zip(range(MAX_FILES), sorted(folder.rglob("*")), strict=False):
            about = file.stat()
            found.append((file.name, about.st_ino, about.st_size, about.st_mtime_ns))
    except OSError:  # one is being renamed: it counts as another state
        found.append(("?", 0, 0, 0))
    return tuple(found)
