"""Channels in, laps out: lines, crossings, laps, and the time lost by each distance.  Pure: no clock, no files."""
