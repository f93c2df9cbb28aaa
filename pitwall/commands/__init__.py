"""The command line's commands, one small module a family: what was asked for in, the rooms' answers out on stdout.

A module imports nothing but click at its top: `--help` must not wait for numpy.
"""
