"""Where archived sessions go, a folder or any URI that pyarrow's file systems open: bytes in under a name, and out.

What was put is whole or not there, and durable where it is a folder: an object store has both of itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit, urlunsplit

import pyarrow as pa
from pyarrow import fs

from pitwall.errors import LogError, UsageError
from pitwall.log import durable

OBJECT_STORES: Final = frozenset({"s3", "gcs", "abfs"})
"""File systems without folders, where an object appears whole once all of it is there."""

_PART_SUFFIX: Final = ".part"


class Destination:
    """DEST.  uri: its name, without any credentials that it was given with.  folder: on this machine, else None.

    Raises UsageError where it is nothing that can be opened.
    """

    def __init__(self, dest: str) -> None:
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
        self.folder = Path(self._base) if isinstance(self._files, fs.LocalFileSystem) else None

    def put(self, name: str, data: bytes) -> None:
        """Have `data` there as `name` (with slashes).  Raises LogError; then the old one, or none, is there."""
        with self._told(name, "can't be written"):
            if self.folder is not None:
                path = self.folder / name
                durable.make_folder(path.parent)
                durable.put(path, data)
                return
            place = self._place(name)
            whole = self._files.type_name in OBJECT_STORES
            if not whole:
                self._files.create_dir(place.rpartition("/")[0], recursive=True)
            with self._files.open_output_stream(place if whole else place + _PART_SUFFIX) as out:
                out.write(data)
            if not whole:
                self._files.move(place + _PART_SUFFIX, place)

    def get(self, name: str) -> bytes | None:
        """What is there as `name`; None: nothing.  Raises LogError where that can't be told."""
        with self._told(name, "can't be read"):
            if self.folder is not None:
                return _from_disk(self.folder / name)
            try:
                with self._files.open_input_stream(self._place(name)) as stream:
                    return bytes(stream.read())
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
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise LogError(f"{what}: {reason}", where=self.where(name), hint="nothing was removed") from error

    def _clean(self, error: Exception, dest: str) -> str:
        return str(error).replace(dest, self.uri)


def without_credentials(uri: str) -> str:
    """The URI as it may be shown and kept: a user and password before the host are left out."""
    if "://" not in uri:
        return uri
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _from_disk(path: Path) -> bytes | None:
    """The file's bytes, from the disk itself where the system lets go of what it remembers of them."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return file.read()
