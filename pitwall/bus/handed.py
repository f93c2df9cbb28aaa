"""Descriptors that another process opened, in; what is heard behind the newest of them, out.

On Android a USB device is opened by the system's leave, in a process that `termux-usb` starts, and anew after each
replug; the recorder goes on meanwhile.  `pitwall hand-over` in that process sends the descriptor over a Unix socket
(SCM_RIGHTS) and hears what became of it.

Laws: only who has our uid is listened to; a descriptor is ours once it has come, and closed when one that can be opened
takes its place.  With each that comes the marker is made anew: a plug's `node`, so that it is tried at once.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import socket
import stat
import struct
import tempfile
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pitwall.errors import PitwallError, UsageError

if TYPE_CHECKING:
    from pitwall.bus.source import Source  # heavy, and whoever hands over has no use for it

logger = logging.getLogger(__name__)

SOCKET_VARIABLE: Final = "PITWALL_SOCKET"
PATH_BYTES: Final = 100
"""The longest path of a socket: Linux takes 107 bytes, others 103."""
GREETING: Final = b"pitwall descriptor 1\n"
SAY_S: Final = 2.0
"""Whoever connects has said what it wants by then, or is hung up on: the next one waits."""
ANSWER_BYTES: Final = 4096


def socket_path() -> Path:
    """Where descriptors are handed over unless it is said: $PITWALL_SOCKET, or in a folder that is ours alone.

    Raises PitwallError where somebody else has made that folder.
    """
    if said := os.environ.get(SOCKET_VARIABLE):
        return Path(said)
    home = os.environ.get("XDG_RUNTIME_DIR")
    folder = Path(home) / "pitwall" if home else Path(tempfile.gettempdir()) / f"pitwall-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PitwallError("is not ours alone", where=folder, hint=f"remove it, or set {SOCKET_VARIABLE}")
    return folder / "usb.sock"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a descriptor.  taken: whether it is heard now."""

    taken: bool
    said: str


class Handed:
    """What descriptors are handed over to, and opened from.

    path: the socket's.  wrap: a source from a descriptor, which stays ours.
    """

    def __init__(self, path: Path, name: str, wrap: Callable[[int], Source]) -> None:
        """Raises UsageError where no socket can have such a path."""
        if len(os.fsencode(path)) > PATH_BYTES:
            raise UsageError(f"is too long for a socket: at most {PATH_BYTES} bytes", where=path, hint="?socket=PATH")
        self._path, self._name, self._wrap = path, name, wrap
        self.marker = path.with_name(f"{path.name}.came")
        self._mutex = threading.Lock()
        self._listening: socket.socket | None = None
        self._new: tuple[int, socket.socket] | None = None
        self._fd: int | None = None

    def open(self) -> Source:
        """What is heard behind the newest descriptor.  PitwallError where none has come, or it is no good."""
        self.listen()
        with self._mutex:
            new, self._new = self._new, None
        if new is None:
            if self._fd is None:
                raise PitwallError("no descriptor was handed over yet", where=self._name, hint="pitwall hand-over")
            return self._wrap(self._fd)
        fd, connection = new
        try:
            source = self._wrap(fd)
        except BaseException as error:
            _answer(connection, Answer(False, str(error)))
            if self._fd is None:
                self._fd = fd  # the adapter behind it may answer the next time
            else:
                os.close(fd)  # a device that is no adapter doesn't take the place of one
            raise
        if self._fd is not None:
            os.close(self._fd)
        self._fd = fd
        _answer(connection, Answer(True, f"heard as {source.name}"))
        return source

    def listen(self) -> None:
        """Be there for descriptors from now on.  PitwallError where that can't be."""
        if self._listening is not None:
            return
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _clear(self._path)
            before = os.umask(0o177)
            try:
                listening.bind(os.fspath(self._path))
            finally:
                os.umask(before)
            listening.listen(4)
        except OSError as error:
            listening.close()
            what = f"can't be listened at: {error.strerror}"
            raise PitwallError(what, where=self._path, hint=f"set {SOCKET_VARIABLE}") from error
        except BaseException:
            listening.close()
            raise
        self._listening = listening
        weakref.finalize(self, _leave, listening, self._path, self.marker)
        # the thread holds no more of us than it needs, so that we can go before it does
        taker = threading.Thread(target=_accept, args=(listening, weakref.ref(self)), name=f"descriptors {self._name}")
        taker.daemon = True
        taker.start()

    def take(self, connection: socket.socket) -> None:
        """What one connection hands over: kept until it is opened, in place of one that was not opened yet."""
        connection.settimeout(SAY_S)
        data, fds, _, _ = socket.recv_fds(
            connection, len(GREETING), 1
        )  # heard out: who is refused must be able to hear
        why_not = "" if data == GREETING and len(fds) == 1 else "no descriptor came with it"
        if _peer(connection) not in (None, _own()):
            why_not = "only its own user may hand something to this recorder"
        if why_not:
            for fd in fds:
                os.close(fd)
            _answer(connection, Answer(False, why_not))
            return
        os.set_inheritable(fds[0], False)
        with self._mutex:
            before, self._new = self._new, (fds[0], connection)
        if before is not None:
            os.close(before[0])
            _answer(before[1], Answer(False, "another one was handed over before it was opened"))
        with contextlib.suppress(OSError):
            self.marker.unlink(missing_ok=True)
            self.marker.touch(0o600)


def hand_over(fd: int, path: Path, wait_s: float) -> Answer | None:
    """Hand a descriptor to the recorder that listens at `path`; what became of it, None where it isn't known in time.

    Raises UsageError where `fd` is no open descriptor, PitwallError where no recorder listens.
    """
    try:
        os.fstat(fd)
    except OSError as error:
        raise UsageError("is no open descriptor", where=f"fd {fd}", hint="termux-usb -r -E -e … opens one") from error
    until = time.monotonic() + wait_s
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        try:
            connection.connect(os.fspath(path))
            socket.send_fds(connection, [GREETING], [fd])
            said = b""
            while not said.endswith(b"\n") and len(said) < ANSWER_BYTES:
                connection.settimeout(max(0.001, until - time.monotonic()))
                if not (more := connection.recv(ANSWER_BYTES)):
                    raise PitwallError("the recorder hung up without a word", where=path, hint="does it still run?")
                said += more
        except TimeoutError:
            return None
        except OSError as error:
            hint = "start it with --source usb:handed, and the same PITWALL_SOCKET"
            raise PitwallError(f"no recorder listens here: {error.strerror}", where=path, hint=hint) from error
    answer = json.loads(said)
    return Answer(bool(answer["taken"]), str(answer["said"]))


def _accept(listening: socket.socket, handed: weakref.ref[Handed]) -> None:
    """The thread: one connection after another, until the socket is closed."""
    while True:
        try:
            connection, _ = listening.accept()
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EINVAL):  # closed, or shut down: nobody is here any more
                return
            logger.warning("descriptors can't be taken just now: %s", error.strerror)
            time.sleep(SAY_S)  # we have as many open as we may, or there is no memory
            continue
        owner = handed()
        if owner is None:
            connection.close()
            return
        try:
            owner.take(connection)
        except OSError as error:  # whoever it was has gone, or says nothing
            logger.info("a descriptor was not handed over: %s", error)
            connection.close()
        del owner


def _answer(connection: socket.socket, answer: Answer) -> None:
    with connection, contextlib.suppress(OSError):  # it may have waited long enough
        connection.sendall(json.dumps({"taken": answer.taken, "said": answer.said}).encode() + b"\n")


def _peer(connection: socket.socket) -> int | None:
    """The uid at the other end; None where this system doesn't tell."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", credentials)[1])


def _own() -> int | None:
    """Our uid as the kernel tells others: under proot, `getuid` says 0."""
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        return _peer(one)


def _clear(path: Path) -> None:
    """Remove the socket of a recorder that was killed.  PitwallError where one listens, or it is no socket."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise PitwallError("is no socket", where=path, hint="?socket=PATH takes another")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(SAY_S)
        try:
            probe.connect(os.fspath(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
    raise PitwallError("another recorder listens here", where=path, hint="?socket=PATH gives each bus its own")


def _leave(listening: socket.socket, *paths: Path) -> None:
    """Nobody is here any more."""
    with contextlib.suppress(OSError):
        listening.shutdown(socket.SHUT_RDWR)  # wakes the thread, which `close` alone does not
    listening.close()
    for path in paths:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
