"""Heavy packages that others import wherever they happen to be installed, kept out of processes that don't need them.

python-can (and cantools, which imports it) drags in asammdf for its MF4 files, that pandas and sympy, and pyarrow
looks for pandas with its first array: seconds of a small machine's start, which neither recording nor decoding needs.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class _Hidden:
    """An import finder that finds some packages missing."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def find_spec(self, name: str, *_: object) -> None:
        if name in self._names:
            raise ModuleNotFoundError(name)


@contextmanager
def without(*names: str) -> Iterator[None]:
    """What is imported meanwhile finds these packages not installed.  One that is imported already stays."""
    # a finder, and not None in sys.modules: pyarrow asks there for pandas first, and takes None for the module
    hidden = _Hidden(names)
    sys.meta_path.insert(0, hidden)
    try:
        yield
    finally:
        sys.meta_path.remove(hidden)
