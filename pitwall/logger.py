"""What a process has to say while it runs, in one form: lines for people on stderr, or JSON, an object a line.

Law: nothing goes past it.  Our own loggers, libraries', Sanic's, Python's warnings, and what threads and tasks die of
come out here, each as one `write`: lines of several processes that share a terminal or a file don't mix.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import textwrap
import threading
import time
from types import TracebackType
from typing import Any, Final

LEVELS: Final = ("debug", "info", "warning", "error")

_NOTICE: Final = "notice"  # a record's attribute: what a command answers, whatever the level

_process = "pitwall"
_session = ""


def begin(level: str, *, as_json: bool, process: str) -> None:
    """From now on everything is said in this form.  process: what this one is, in a word: recorder, server, …"""
    global _process
    _process = process
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Stderr)]:
        root.removeHandler(old)
    handler = _Stderr()
    handler.setFormatter(_Json() if as_json else _Human())
    root.addHandler(handler)
    logging.getLogger("pitwall").setLevel(level.upper())
    # libraries tell each step they take as information: that is for whoever looks for a bug
    root.setLevel(level.upper() if level in ("debug", "error") else "WARNING")
    logging.captureWarnings(True)


def catch() -> None:
    """From now on what a thread dies of, or an object's end, is said here.  For a process that is ours alone."""
    threading.excepthook = _thread_died
    sys.unraisablehook = _not_raised


def follow(session: str) -> None:
    """What is said from now on is about `session`."""
    global _session
    _session = session


def is_json() -> bool:
    """Whether what is said is for programs: then nothing else goes to stderr."""
    return any(isinstance(one, _Stderr) and isinstance(one.formatter, _Json) for one in logging.getLogger().handlers)


def notice(line: str, level: int = logging.INFO) -> None:
    """What a command tells whoever called it, at any level: `pitwall: LINE`."""
    logger = logging.getLogger("pitwall")
    record = logger.makeRecord(logger.name, level, "", 0, line, (), None, extra={_NOTICE: True})
    ours = [handler for handler in logging.getLogger().handlers if isinstance(handler, _Stderr)]
    for handler in ours or [_plain()]:
        handler.handle(record)


def _plain() -> _Stderr:
    """Before `begin`: a command line that could not be read has said nothing about its form."""
    handler = _Stderr()
    handler.setFormatter(_Human())
    return handler


class _Stderr(logging.Handler):
    """Each record to what is stderr just then; a stderr that is gone is no reason to stop."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            over = "\r\x1b[K" if sys.stderr.isatty() else ""  # a line that tells how it goes may stand there
            sys.stderr.write(f"{over}{self.format(record)}\n")
            sys.stderr.flush()
        except (OSError, ValueError):
            return


class _Human(logging.Formatter):
    """On a terminal a short line, folded at its edge; elsewhere one line with date, level, process and session."""

    def format(self, record: logging.LogRecord) -> str:
        said = record.getMessage().strip()
        if getattr(record, _NOTICE, False):
            return f"pitwall: {said}"
        said = said.splitlines()[0] if record.name == "py.warnings" else " ".join(said.split())
        level = f"{record.levelname}: " if record.levelno >= logging.WARNING else ""
        if sys.stderr.isatty():
            head = f"{time.strftime('%H:%M:%S', time.localtime(record.created))} {_process}: {level}"
            width = max(40, shutil.get_terminal_size().columns - 1)
            line = textwrap.fill(f"{head}{said}", width, subsequent_indent=" " * 9, break_long_words=False)
        else:
            line = " ".join(word for word in (_stamp(record), record.levelname, _process, _session) if word)
            line = f"{line}: {said}"
        return "\n".join([line, *_trace(record).splitlines()])


class _Json(logging.Formatter):
    """One object: t (UTC), level, process, pid, session, logger, message; error, a traceback, where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        about: dict[str, Any] = {
            "t": _stamp(record),
            "level": record.levelname.lower(),
            "process": _process,
            "pid": os.getpid(),
            "session": _session or None,
            "logger": record.name,
            "message": record.getMessage().strip(),
        }
        trace = _trace(record)
        return json.dumps(about | ({"error": trace} if trace else {}), ensure_ascii=False)


def _stamp(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{record.msecs:03.0f}Z"


def _trace(record: logging.LogRecord) -> str:
    return logging.Formatter().formatException(record.exc_info) if record.exc_info else ""


def _thread_died(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        name = args.thread.name if args.thread else "unknown"
        _say_died(f"the thread {name} died", args.exc_type, args.exc_value, args.exc_traceback)


def _not_raised(args: Any) -> None:
    _say_died(f"{args.err_msg or 'ignored'}: {args.object!r}", args.exc_type, args.exc_value, args.exc_traceback)


def _say_died(what: str, kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    error = error if error is not None else kind()
    logging.getLogger("pitwall").error("%s", what, exc_info=(kind, error, trace))
