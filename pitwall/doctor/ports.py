"""The page's port: free, pitwall's already, or somebody else's, and whose."""

from __future__ import annotations

import errno
import http.client
import json
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pitwall.doctor.check import Finding, failed, ok, warning

ANSWER_S: Final = 2.0


def port(host: str, number: int) -> Finding:
    """Whether the page can be served there."""
    why = _refused(host, number)
    if why is None:
        return ok(f"{host}:{number} is free")
    if why.errno != errno.EADDRINUSE:
        said = (why.strerror or str(why)).lower()
        return failed(f"{host}:{number} can't be used: {said}", "choose another with --host and --port")
    if health := _health(host, number):
        return ok(f"{host}:{number} is pitwall's already (version {health['version']}, {health.get('status')})")
    owner = _owner(number)
    whose = f"taken by {owner}" if owner else "taken, by whom can't be told"
    return warning(f"{host}:{number} is {whose}", "stop it, or give another port: --port 8090")


def _refused(host: str, number: int) -> OSError | None:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        return error
    return None


def _health(host: str, number: int) -> dict[str, Any] | None:
    connection = http.client.HTTPConnection(host, number, timeout=ANSWER_S)
    try:
        connection.request("GET", "/health")
        said = json.loads(connection.getresponse().read(1 << 20))
    except (OSError, ValueError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return said if isinstance(said, dict) and "version" in said and "recorder" in said else None


def _owner(number: int) -> str:
    """Who listens on the port, as far as this user may see: `name (pid)`."""
    inodes = {f"socket:[{inode}]" for inode in _listening(number)}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for fd in (folder / "fd").iterdir():
                with suppress(OSError):
                    if str(fd.readlink()) in inodes:
                        return f"{(folder / 'comm').read_text().strip()} ({folder.name})"
    return ""


def _listening(number: int) -> list[str]:
    """The inodes of the sockets that listen on the port (proc_pid_net(5): state 0A)."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                words = line.split()
                if words[3] == "0A" and int(words[1].rpartition(":")[2], 16) == number:
                    found.append(words[9])
    return found
