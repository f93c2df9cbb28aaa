"""Signals in, channels out: units, names, and what is derived.  Pure: no clock, no files."""

from __future__ import annotations

from pitwall.derive.channel import Channel as Channel
from pitwall.derive.channel import Rows as Rows
from pitwall.derive.channel import Table as Table
from pitwall.derive.deriver import Deriver as Deriver
from pitwall.derive.trace import Trace as Trace
