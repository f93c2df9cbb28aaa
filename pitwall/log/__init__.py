"""The log: append-only segments of checksummed Arrow batches, one folder a session.  See docs/log-format.md."""

from pitwall.log.opening import Header
from pitwall.log.place import Damage, Torn
from pitwall.log.reader import Tail, read
from pitwall.log.recovery import Recovered, recover
from pitwall.log.session import Session, find, sessions
from pitwall.log.verify import Report, verify
from pitwall.log.writer import Writer

__all__ = [
    "Damage",
    "Header",
    "Recovered",
    "Report",
    "Session",
    "Tail",
    "Torn",
    "Writer",
    "find",
    "read",
    "recover",
    "sessions",
    "verify",
]
