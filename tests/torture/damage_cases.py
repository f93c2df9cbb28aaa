"""What is done to a log, by number: every cut, every bit, any edit, any file.  The same number does the same again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from pitwall.log import encryption
from tests.torture.damage_subjects import Batch, Subject

SECTORS: Final = (512, 4096)
Edit = tuple[int, int, bytes]
"""The bytes start <= position < end of a file, and what stands there instead."""


@dataclass(frozen=True)
class Case:
    """What is done: the files as they become (None: gone), and the rows that it may cost.

    silent: nothing has to be told: the newest segment lost its last batches, whole, which a writer that died before
    them leaves as well.
    unreadable: the bytes start <= position < end of a file, which the disk can't read.
    """

    what: str
    files: dict[str, bytes | None]
    may_cost: list[tuple[int, int]] = field(default_factory=list)
    silent: bool = False
    unreadable: tuple[str, int, int] | None = None


def bits(subject: Subject) -> int:
    """How many bits can be flipped in the subject's target."""
    return 8 * len(subject.files[subject.target])


def flip(subject: Subject, number: int) -> Case:
    """The bit `number` flipped."""
    at, bit = divmod(number, 8)
    whole = subject.files[subject.target]
    return edited(subject, subject.target, [(at, at + 1, bytes([whole[at] ^ 1 << bit]))], f"bit {bit} of byte {at}")


def cut_sizes(subject: Subject) -> list[int]:
    """Where the target is cut: at every byte of its last two messages, and of all of it where it is small."""
    file = subject.target
    size = len(subject.files[file])
    return list(range(0 if size < 1 << 13 else subject.of(file)[-2].start, size))


def cut(subject: Subject, size: int) -> Case:
    """The target ends after `size` bytes."""
    file = subject.target
    return edited(subject, file, [(size, len(subject.files[file]), b"")], f"cut at byte {size}")


def sectors(subject: Subject) -> int:
    """How many sectors the target has."""
    return -(-len(subject.files[subject.target]) // SECTORS[-1])


def unreadable(subject: Subject, number: int) -> Case:
    """The disk can't read the sector `number` of the target any more."""
    file, size = subject.target, SECTORS[-1]
    start, end = number * size, min(len(subject.files[subject.target]), (number + 1) * size)
    as_if = edited(subject, file, [(start, end, bytes(end - start))], f"the sector {number} can't be read")
    return replace(as_if, files={}, unreadable=(file, start, end))


def edit(subject: Subject, number: int, seed: int) -> Case:
    """Some random edit of the target, never without effect."""
    random = np.random.default_rng([seed, number])
    file = subject.target
    whole = subject.files[file]
    while True:
        kind = str(random.choice([*_EDITS, "twice"]))
        if kind == "twice":  # two places at once: each may cost what it touches
            edits = [_SAME_SIZE[int(random.integers(len(_SAME_SIZE)))](subject, random) for _ in range(2)]
            (one, *_), (other, *_) = edits
            if one[0] < other[1] and other[0] < one[1]:
                continue
            made = [one, other]
        else:
            made = _EDITS[kind](subject, random)
        if _applied(whole, made) != whole:
            return edited(subject, file, made, f"{kind} at {', '.join(f'{a}:{b}' for a, b, _ in made)}")


def edited(subject: Subject, file: str, edits: list[Edit], what: str) -> Case:
    """The case of these edits of one file, which do not overlap."""
    whole = subject.files[file]
    data = _applied(whole, edits)
    all_of_it = subject.encrypted and _unreadable(whole, edits)
    may_cost = [
        (one.first, one.stop)
        for one in subject.of(file)
        if all_of_it or any(_touches(subject, whole, each, one) for each in edits)
    ]
    ends = [one.end for one in subject.of(file)]
    silent = file == subject.newest and whole.startswith(data) and len(data) in ends
    return Case(f"{file}: {what}", {file: data}, may_cost, silent)


def file_cases(subject: Subject) -> list[Case]:
    """What can become of whole files of a session: gone, emptied, cut, swapped, another's, another name."""
    return list(_file_cases(subject))


def _file_cases(subject: Subject) -> Iterator[Case]:
    names = sorted(subject.files)

    def rows(*gone: str) -> list[tuple[int, int]]:
        return [(one.first, one.stop) for one in subject.messages if one.file in gone]

    for i, name in enumerate(names):
        whole, messages = subject.files[name], subject.of(name)
        newest = i == len(names) - 1
        yield Case(f"{name} is gone", {name: None}, rows(name), silent=newest and _could_end_before(subject, i))
        yield Case(f"{name} has 0 bytes", {name: b""}, rows(name))
        head = messages[0].end if not subject.encrypted else encryption.HEADER_BYTES
        yield edited(subject, name, [(head, len(whole), b"")], "nothing but its header")
        tail = [one for one in messages if one.stop > one.first][-1]
        if not subject.encrypted:
            yield edited(subject, name, [(tail.start, tail.end, b"")], "its last batch is gone")
        if not name.endswith(".arrows") and not subject.encrypted:
            yield edited(subject, name, [(tail.start, len(whole), b"")], "its last batch and all behind it is gone")
        if name in subject.foreign:
            yield Case(f"{name} is another session's", {name: subject.foreign[name]}, rows(name))
        for other in names[i + 1 :]:
            if subject.files[other] != whole:
                both = {name: subject.files[other], other: whole}
                yield Case(f"{name} and {other} have changed places", both, rows(name, other))
                yield Case(f"{name} is a copy of {other}", {name: subject.files[other]}, rows(name))
                yield Case(f"{other} is a copy of {name}", {other: whole}, rows(other))
        for j in range(i + 1, len(names)):
            gone = names[i : j + 1]
            silent = j == len(names) - 1 and _could_end_before(subject, i)
            yield Case(f"{name} to {names[j]} are gone", dict.fromkeys(gone), rows(*gone), silent)
        first, suffix = name.split(".", 1)
        for moved in (int(first) + 1, max(0, int(first) - 1)):
            to = f"{moved:020d}.{suffix}"
            if to not in subject.files:
                yield Case(f"{name} is called {to}", {name: None, to: whole}, rows(name))
        if name.endswith(".arrows"):
            yield Case(f"{name} is called sealed", {name: None, name[:-1]: whole}, rows(name))
        elif name.endswith(".arrow"):
            yield Case(f"{name} is called open", {name: None, name + "s": whole}, rows(name))
            yield Case(f"{name} is called encrypted", {name: None, name + ".enc": whole}, rows(name))
        else:
            yield Case(f"{name} is called plain", {name: None, name.removesuffix(".enc"): whole}, rows(name))
        inside = next((one.stop for one in messages if one.first < one.stop < messages[-1].stop), None)
        if inside is None:
            inside = messages[-1].stop - 1
        between = f"{inside:020d}.{suffix}"
        if name in subject.foreign and between not in subject.files:
            yield Case(f"{between}, another session's, is there too", {between: subject.foreign[name]})
            behind = [(inside, messages[-1].stop)]  # it says nothing of itself, and so counts as where the next begins
            yield Case(f"{between}, empty, is there too", {between: b""}, behind)
        if name in subject.foreign and i == len(names) - 1:
            beyond = f"{messages[-1].stop + 1:020d}.{suffix}"
            yield Case(f"{beyond}, another session's, stands behind all", {beyond: subject.foreign[name]})


def _could_end_before(subject: Subject, i: int) -> bool:
    """Whether a writer that died could have left the session's first `i` segments, and no others.

    The last of them is open then: a segment is sealed once there is another, or the session has its end.  (Of a session
    with no segment at all, nothing is left that could be missed.)
    """
    names = sorted(subject.files)
    return i == 0 or (subject.newest is not None and names[i - 1].endswith(".arrows"))


def _applied(whole: bytes, edits: list[Edit]) -> bytes:
    for start, end, instead in sorted(edits, reverse=True):
        whole = whole[:start] + instead + whole[end:]
    return whole


def _touches(subject: Subject, whole: bytes, edit: Edit, batch: Batch) -> bool:
    start, end, instead = edit
    if subject.encrypted and len(instead) != end - start:
        # chunks have no marks: from here on none is where it was, and the size of the last is told by the file's
        start, end = min(start, _last_chunk(whole)), len(whole)
    if start == end:
        return batch.start < start < batch.end
    return batch.start < end and start < batch.end


def _last_chunk(whole: bytes) -> int:
    """Where the last chunk of an encrypted file begins."""
    chunk, heads = encryption.CHUNK_BYTES + encryption.TAG_BYTES, encryption.HEADER_BYTES
    return heads + (len(whole) - 2 * heads - 1) // chunk * chunk


def _unreadable(whole: bytes, edits: list[Edit]) -> bool:
    """Whether neither header of an encrypted file is where it was, and as it was."""
    heads = encryption.HEADER_BYTES
    data = _applied(whole, edits)
    return data[:heads] != whole[:heads] and data[-heads:] != whole[-heads:]


def _range(subject: Subject, random: np.random.Generator) -> tuple[int, int]:
    """Some bytes of the target: a few, a sector or some, a message or some."""
    file = subject.target
    size = len(subject.files[file])
    unit = int(random.integers(4))
    if unit == 0:
        count = int(random.integers(1, 65))
        start = int(random.integers(size))
        return start, min(size, start + count)
    if unit < 3:
        sector = SECTORS[unit - 1]
        start = int(random.integers(-(-size // sector))) * sector
        return start, min(size, start + sector * int(random.integers(1, 4)))
    messages = subject.of(file)
    first = int(random.integers(len(messages)))
    last = min(len(messages), first + int(random.integers(1, 3))) - 1
    return messages[first].start, messages[last].end


def _bytes(subject: Subject, random: np.random.Generator) -> bytes:
    """What may get into a file: noise, zeros, ones, or some of its own bytes."""
    start, end = _range(subject, random)
    own = subject.files[subject.target][start:end]
    return (random.bytes(len(own)), bytes(len(own)), b"\xff" * len(own), own)[int(random.integers(4))]


def _flipped(subject: Subject, random: np.random.Generator) -> list[Edit]:
    at = int(random.integers(len(subject.files[subject.target])))
    return [(at, at + 1, bytes([subject.files[subject.target][at] ^ 1 << int(random.integers(8))]))]


def _zeroed(subject: Subject, random: np.random.Generator) -> list[Edit]:
    start, end = _range(subject, random)
    return [(start, end, bytes(end - start))]


def _overwritten(subject: Subject, random: np.random.Generator) -> list[Edit]:
    start, end = _range(subject, random)
    other = _bytes(subject, random)
    return [(start, end, (other * ((end - start) // len(other) + 1))[: end - start])]


def _replaced(subject: Subject, random: np.random.Generator) -> list[Edit]:
    start, end = _range(subject, random)
    return [(start, end, _bytes(subject, random))]


def _inserted(subject: Subject, random: np.random.Generator) -> list[Edit]:
    start, _ = _range(subject, random)
    return [(start, start, _bytes(subject, random))]


def _deleted(subject: Subject, random: np.random.Generator) -> list[Edit]:
    start, end = _range(subject, random)
    return [(start, end, b"")]


def _repeated(subject: Subject, random: np.random.Generator) -> list[Edit]:
    start, end = _range(subject, random)
    return [(end, end, subject.files[subject.target][start:end] * int(random.integers(1, 4)))]


def _swapped(subject: Subject, random: np.random.Generator) -> list[Edit]:
    whole = subject.files[subject.target]
    one, other = sorted((_range(subject, random), _range(subject, random)))
    if one[1] > other[0]:
        return []
    return [(*one, whole[slice(*other)]), (*other, whole[slice(*one)])]


_EDITS: Final = {
    "flipped": _flipped,
    "zeroed": _zeroed,
    "overwritten": _overwritten,
    "replaced": _replaced,
    "inserted": _inserted,
    "deleted": _deleted,
    "repeated": _repeated,
    "swapped": _swapped,
}
_SAME_SIZE: Final = (_flipped, _zeroed, _overwritten)
