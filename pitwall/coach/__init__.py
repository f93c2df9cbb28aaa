"""Laps in, what a driver may change out: metrics of each corner, rules over them, words.  Pure."""
