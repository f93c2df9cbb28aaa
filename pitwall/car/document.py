"""YAML text in, a tree of entries that know their places out; what is wrong with it gathers in `Problems`.

Law: reading never stops at a problem, so that one run says all of them; each is `file:line:column: what (hint)`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

Position = tuple[str, int, int] | tuple[str, int]
"""A file's name, as the user knows it, a line and a column, both counted from 1; without a column, the line's first."""


def suggestion(name: str, known: Iterable[str]) -> str:
    """`did you mean 'speed'?` where a known name is close, else the known names, if they are few."""
    names = sorted(set(known))
    close = get_close_matches(name, names, 1) or [k for k in names if k.casefold() == name.casefold()]
    if close:
        return f"did you mean {close[0]!r}?"
    return f"there are {', '.join(names)}" if 0 < len(names) <= 12 else ""


@dataclass
class Problems:
    """What is wrong with one car's files, in the order of file, line and column."""

    found: list[tuple[Position, str]] = field(default_factory=list)

    def add(self, where: Position, what: str, hint: str = "") -> None:
        text = f"{what} ({hint})" if hint else what
        file, line, column = where if len(where) == 3 else (*where, 1)
        self.found.append(((file, line, column), " ".join(text.split())))

    def lines(self) -> list[str]:
        """Every problem once: `file:line:column: what (hint)`."""
        return list(dict.fromkeys(f"{':'.join(map(str, where))}: {text}" for where, text in sorted(self.found)))

    def __bool__(self) -> bool:
        return bool(self.found)


@dataclass(frozen=True)
class Entry:
    """A value of the document: a scalar, a list or a mapping, with its place and the key that leads to it."""

    node: yaml.Node
    where: Position
    path: str
    problems: Problems

    def problem(self, what: str, hint: str = "") -> None:
        self.problems.add(self.where, f"{self.path}: {what}" if self.path else what, hint)

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.where[0]}:{self.where[1]}"

    @property
    def empty(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and self.node.tag == "tag:yaml.org,2002:null"

    @property
    def holds_nothing(self) -> bool:
        """Whether it is empty, or a mapping or a list of nothing."""
        return self.empty or (isinstance(self.node, yaml.CollectionNode) and not self.node.value)

    @property
    def is_text(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and not self.empty

    def mapping(self, known: Iterable[str] | None = None) -> dict[str, Entry]:
        """The entries of a mapping by key.  Keys outside `known`, and keys given twice, are problems."""
        if self.empty:
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            self.problem("a mapping (key: value) is expected here")
            return {}
        keys = None if known is None else list(known)
        entries: dict[str, Entry] = {}
        for key_node, value_node in self.node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "?"
            # the key's place: a nested value begins on a later line
            where = _place(self.where[0], key_node.start_mark)
            path = f"{self.path}.{key}" if self.path else key
            if keys is not None and key not in keys:
                self.problems.add(where, f"unknown key {path!r}", suggestion(key, keys))
            elif key in entries:
                self.problems.add(where, f"{path!r} is given twice")
            else:
                entries[key] = Entry(value_node, where, path, self.problems)
        return entries

    def items(self) -> Iterator[Entry]:
        """The entries of a list; a single value is a list of one."""
        if isinstance(self.node, yaml.SequenceNode):
            for number, node in enumerate(self.node.value, start=1):
                where = _place(self.where[0], node.start_mark)
                yield Entry(node, where, f"{self.path}[{number}]", self.problems)
        elif not self.empty:
            yield self

    def text(self) -> str | None:
        """A scalar as it is written; None, and a problem, for anything else."""
        if isinstance(self.node, yaml.ScalarNode) and not self.empty:
            return str(self.node.value)
        self.problem("a text is expected here")
        return None

    def number(self, *, above: float | None = None) -> float | None:
        """A finite number (greater than `above`); None, and a problem, for anything else."""
        try:
            value = float(self.node.value) if isinstance(self.node, yaml.ScalarNode) else math.nan
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            self.problem(f"a number is expected here, not {_shown(self.node)}")
            return None
        if above is not None and value <= above:
            self.problem(f"must be greater than {above:g}, and is {value:g}")
            return None
        return value

    def whole(self, *, above: int | None = None) -> int | None:
        """A whole number; None, and a problem, for anything else."""
        value = self.number(above=above)
        if value is None:
            return None
        if value != int(value):
            self.problem(f"a whole number is expected here, not {value:g}")
            return None
        return int(value)

    def truth(self) -> bool | None:
        """`true` or `false`; None, and a problem, for anything else."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.value.lower() in ("true", "false"):
            return bool(self.node.value.lower() == "true")
        self.problem(f"true or false is expected here, not {_shown(self.node)}")
        return None


def read(
    path: Path, shown: str, problems: Problems, *, holds: str = "car", begins: str = "car: and buses:"
) -> Entry | None:
    """The document in the file `path`, called `shown` in its problems; None if it can't be read at all.

    holds, begins: what it should hold, and how that begins.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        problems.add((shown, 1), f"can't be read: {error.strerror or error}")
        return None
    except UnicodeDecodeError as error:
        problems.add((shown, 1), f"is not UTF-8 text (byte {error.start})", "save it as UTF-8")
        return None
    try:
        node: Any = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = f"is no valid YAML: {error.problem or error.context}"
        hint = "put a unit of % between quotes" if "'%'" in what else ""
        problems.add(_place(shown, mark) if mark else (shown, 1), what, hint)
        return None
    except (yaml.YAMLError, RecursionError) as error:
        problems.add((shown, 1), f"is no valid YAML: {error}")
        return None
    if not isinstance(node, yaml.MappingNode):
        problems.add((shown, 1), f"holds no {holds}", f"it begins with {begins}")
        return None
    _anchors(text, shown, problems)
    return Entry(node, (shown, 1), "", problems)


def _anchors(text: str, shown: str, problems: Problems) -> None:
    """An anchor that nothing refers to has no effect."""
    anchors: dict[str | None, Any] = {}
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            anchors.pop(event.anchor, None)
        elif isinstance(event, yaml.NodeEvent) and event.anchor:
            anchors[event.anchor] = event.start_mark
    for name, mark in anchors.items():
        problems.add(_place(shown, mark), f"nothing refers to the anchor &{name}", f"*{name} would")


def _place(file: str, mark: Any) -> Position:
    return file, mark.line + 1, mark.column + 1


def _shown(node: yaml.Node) -> str:
    return repr(node.value) if isinstance(node, yaml.ScalarNode) else "a list or a mapping"
