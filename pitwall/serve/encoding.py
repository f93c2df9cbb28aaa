"""What is answered in, its bytes of JSON out: by orjson where it is installed, else by Python's own.

Both say the same: NaN and infinities are null, numpy's arrays are lists, times are as ISO 8601 has them.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any

import numpy as np

logger = logging.getLogger("pitwall.serve")

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]
    logger.warning("orjson is not installed: answers are encoded by Python's own json, more slowly")


def dumps(body: object, default: Callable[[Any], Any] | None = None) -> bytes:
    """`body` as JSON.  default: says what JSON can't, by what it can; with it keys may be other than text.

    TypeError: something in it can't be said so.
    """
    if orjson is None:
        plain = _plain(body, default or _no_way)
        return json.dumps(plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    keys = orjson.OPT_NON_STR_KEYS if default is not None else 0
    return orjson.dumps(body, default, orjson.OPT_SERIALIZE_NUMPY | keys)


def _no_way(value: Any) -> Any:
    raise TypeError(f"{type(value).__name__} can't be said in JSON")


def _plain(value: Any, default: Callable[[Any], Any]) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist(), default)
    if isinstance(value, Mapping):
        return {_key(key): _plain(one, default) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one, default) for one in value]
    if isinstance(value, date | time):
        return value.isoformat()
    return _plain(default(value), default)


def _key(key: Any) -> str:
    return key if isinstance(key, str) else "null" if key is None else str(key)
