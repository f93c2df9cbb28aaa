"""Frames in, signals out: a plan compiled once, run on whole batches.  Pure: no clock, no files."""

from __future__ import annotations

from pitwall.decode.plan import Decoding as Decoding
from pitwall.decode.plan import Plan as Plan
from pitwall.decode.plan import Seen as Seen
from pitwall.decode.plan import plan as plan
from pitwall.decode.rejected import Rejected as Rejected
from pitwall.decode.rejected import Step as Step
from pitwall.decode.rejected import in_order as in_order
from pitwall.decode.sender import Decoded as Decoded
