"""Car definitions: `car.yaml` and DBCs in, a frozen `Car` with a fingerprint out."""

from __future__ import annotations

from pitwall.car.definition import Car as Car
from pitwall.car.heard import heard as heard
from pitwall.car.load import load as load
from pitwall.car.load import names as names
