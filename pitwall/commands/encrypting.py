"""Whether the key for encryption at rest can be used, told before anything is recorded."""

from __future__ import annotations

import os


def check_key() -> None:
    """Raises LogError where PITWALL_KEY_FILE is set, and what it names is no key, or nothing can encrypt with it."""
    if os.environ.get("PITWALL_KEY_FILE"):
        from pitwall.log import encryption, keys  # late: without a key nobody needs them

        key = keys.current()
        assert key is not None
        encryption.check(key)
