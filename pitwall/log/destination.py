"""Where archived sessions go, a folder or any URI that pyarrow's file systems open: bytes in under a name, and out.

In a folder, what was put is whole and durable, or not there.  Elsewhere a put that failed may have left some of it
under its name: nothing there is believed before it was read back, or without a manifest that it fits.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa
from pyarrow import fs

from pitwall.errors import LogError, UsageError
from pitwall.log import durable
from pitwall.log.disk import DISK, Disk

OBJECT_STORES: Final = frozenset({"s3", "gcs", "abfs"})
"""File systems without folders, where an object appears whole once all of it is there."""

SLICE_BYTES: Final = 1 << 20
"""What goes there, or comes, between two looks at whether it is to be broken off."""

_PART_SUFFIX: Final = ".part"
_AWS: Final = re.compile(r"AWS Error (\w+)(?: \(HTTP status (\d+)\))? during \w+ operation: (.*)", re.DOTALL)
_AWS_TAIL: Final = re.compile(r"\s*\(Request ID:.*", re.DOTALL)
_CREDENTIALS: Final = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and what they allow there"
_AWS_HINTS: Final = {
    "ACCESS_DENIED": _CREDENTIALS,
    "INVALID_ACCESS_KEY_ID": _CREDENTIALS,
    "SIGNATURE_DOES_NOT_MATCH": _CREDENTIALS,
    "NO_SUCH_BUCKET": "make the bucket first, or check its name",
    "NETWORK_CONNECTION": "check that it can be reached, then run it again",
}

Moved = Callable[[int], None]
"""Told how many bytes went there or came, `SLICE_BYTES` at most.  May raise to break it off."""


class DestinationError(LogError):
    """The archive can't be reached, or won't have it: the next session would fare no better."""


def unseen(_count: int) -> None:
    """The `Moved` of whoever doesn't ask."""


class Destination:
    """DEST.  uri: its name, without any credentials that it was given with.  folder: on this machine, else None.

    Raises UsageError where it is nothing that can be opened.
    """

    def __init__(self, dest: str, disk: Disk = DISK) -> None:
        if not dest:
            raise UsageError("no place is named", hint="give a folder, or a URI such as s3://bucket/folder")
        self.uri = without_credentials(dest)
        try:
            if "://" in dest:
                self._files, self._base = fs.FileSystem.from_uri(dest)
            else:
                self._files, self._base = fs.LocalFileSystem(), str(Path(dest).expanduser().absolute())
                self.uri = self._base
        except (pa.ArrowException, OSError, ValueError) as error:
            raise UsageError(
                f"can't be opened: {self._clean(error, dest)}",
                where=self.uri,
                hint="give a folder, or a URI: file://, s3://bucket/folder, gs://…",
            ) from None
        if self._files.type_name == "s3":
            # A client made from a URI asks a server that is silent thirty times over, 100 s a call; one that was
            # constructed asks three times, 10 s.
            self._files = pickle.loads(pickle.dumps(self._files))  # noqa: S301  our own, made a line before
        self.folder = Path(self._base) if isinstance(self._files, fs.LocalFileSystem) else None
        self._disk = disk

    def put(self, name: str, data: bytes, moved: Moved = unseen) -> None:
        """Have `data` there as `name` (with slashes).  Raises DestinationError."""
        with self._told(name, "can't be written"):
            if self.folder is not None:
                path = self.folder / name
                durable.make_folder(path.parent, self._disk)
                durable.put(path, data, self._disk)
                moved(len(data))
                return
            place = self._place(name)
            whole = self._files.type_name in OBJECT_STORES
            if not whole:
                self._files.create_dir(place.rpartition("/")[0], recursive=True)
            with self._files.open_output_stream(place if whole else place + _PART_SUFFIX) as out:
                for start in range(0, len(data), SLICE_BYTES):
                    piece = data[start : start + SLICE_BYTES]
                    out.write(piece)
                    moved(len(piece))
            if not whole:
                self._files.move(place + _PART_SUFFIX, place)

    def get(self, name: str, moved: Moved = unseen) -> bytes | None:
        """What is there as `name`; None: nothing.  Raises DestinationError where that can't be told."""
        with self._told(name, "can't be read"):
            try:
                if self.folder is not None:
                    data = self._disk.read(self.folder / name)
                    moved(len(data))
                    return data
                with self._files.open_input_stream(self._place(name)) as stream:
                    pieces = []
                    while piece := stream.read(SLICE_BYTES):
                        pieces.append(piece)
                        moved(len(piece))
                    return b"".join(pieces)
            except FileNotFoundError:
                return None

    def where(self, name: str) -> str:
        """The place of `name` as a person reads it."""
        head, mark, query = self.uri.partition("?")
        return f"{head.rstrip('/')}/{name}{mark}{query}"

    def _place(self, name: str) -> str:
        return f"{self._base.rstrip('/')}/{name}"

    @contextmanager
    def _told(self, name: str, what: str) -> Iterator[None]:
        try:
            yield
        except (OSError, pa.ArrowException) as error:
            reason, hint = _reason(error)
            raise DestinationError(f"{what}: {reason}", where=self.where(name), hint=hint) from error

    def _clean(self, error: Exception, dest: str) -> str:
        return str(error).replace(dest, self.uri)


def without_credentials(uri: str) -> str:
    """The URI as it may be shown and kept: a user and password before the host are left out."""
    if "://" not in uri:
        return uri
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _reason(error: Exception) -> tuple[str, str]:
    """What the file system said, in a line, and what to do about it."""
    if isinstance(error, OSError) and error.strerror and "\n" not in error.strerror:
        return error.strerror.lower(), "make room or check that place, then run it again"
    text = " ".join(str(error).split())
    found = _AWS.search(text)
    if found is None:
        return text, "check that place, then run it again"
    said = _AWS_TAIL.sub("", found[3]).rpartition("Details: ")[2].strip().rstrip(".")
    code = found[1] if found[2] is None else f"HTTP status {found[2]}"
    return f"{said} ({code})" if said else code, _AWS_HINTS.get(found[1], "check that place, then run it again")
