"""Channels in, laps out: lines, crossings, laps, corners, delta.  Pure: no clock, no files."""
