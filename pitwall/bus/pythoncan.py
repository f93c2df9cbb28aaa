"""python-can, without what it drags in: `can` imports asammdf, and that pandas, wherever they happen to be installed.

Law: importing this module never imports asammdf; only `mf4` does, when an MF4 file is read or written.  Recording needs
neither, and their import costs a second of a small machine's start.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from types import ModuleType

from pitwall.errors import UsageError
from pitwall.imports import without

with without("asammdf"):
    import can as can  # for everyone here: `from pitwall.bus.pythoncan import can`

# A reader's remarks on single lines ("failed to parse message") are told as a capture's problems, by us, once.
logging.getLogger("can.io").addHandler(logging.NullHandler())


def mf4() -> ModuleType:
    """python-can's module of MF4 readers and writers, with asammdf behind it.

    Raises UsageError where asammdf is not installed.
    """
    if importlib.util.find_spec("asammdf") is None:
        raise UsageError("MF4 files need asammdf", hint="pip install 'pitwall[mf4]'")
    module = importlib.import_module("can.io.mf4")
    if module.asammdf is None:
        module = importlib.reload(module)
    logging.getLogger("asammdf").setLevel(logging.CRITICAL)  # what it says of a damaged file, it also raises
    return module
