"""What the API answers in, its bytes of JSON out: by orjson where it is installed, else by Python's own.

Both say the same: NaN and infinities are null, numpy's arrays are lists.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

logger = logging.getLogger("pitwall.serve")

try:
    import orjson
except ImportError:
    orjson = None  # type: ignore[assignment]
    logger.warning("orjson is not installed: answers are encoded by Python's own json, more slowly")


def dumps(body: object) -> bytes:
    """`body` as JSON.  TypeError: something in it can't be said so."""
    if orjson is None:
        return json.dumps(_plain(body), ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
