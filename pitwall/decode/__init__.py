"""Frames in, signals out: a plan compiled once, run on whole batches.  Pure: no clock, no files."""

from __future__ import annotations

from pitwall.decode.plan import Decoded as Decoded
from pitwall.decode.plan import Decoding as Decoding
from pitwall.decode.plan import Plan as Plan
from pitwall.decode.plan import Seen as Seen
from pitwall.decode.plan import plan as plan
