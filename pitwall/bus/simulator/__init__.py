"""A simulated car on the AiM stream: a seed in; frames out, and the truth about them.

How it flows, one module each: `track` and `line` (where to drive), `car` (what it can do), `driver` and `mistakes`
(what is meant to be done), `speed` and `motion` (what happens), `course` (lap after lap), `slow`, `sensors` and `gps`
(what is measured of it), `aim` and `traffic` (how it is sent), `truth`, `drive` (all of it) and `realtime` (as a live
source).

Law: deterministic by seed, and lazy by lap.  Imports numpy, frames and errors alone.
"""

from pitwall.bus.simulator.drive import Drive, simulate
from pitwall.bus.simulator.mistakes import KINDS, Mistake, parse_mistake
from pitwall.bus.simulator.realtime import SimulatorSource

__all__ = ["KINDS", "Drive", "Mistake", "SimulatorSource", "parse_mistake", "simulate"]
