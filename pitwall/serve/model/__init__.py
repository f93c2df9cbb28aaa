"""A language model beside pitwall: figures in, checked words out. It words what the rules found, and never computes.

The data's way: `settings` say where it is; `health` knows whether it is up, `breaker` keeps calls from one that is
dead; `client` talks to it over `exchange`; `agents` say what it is told; `desk` has it write; `numbers` reads the numbers
of what it wrote, and `ground` checks that every one of them is one that the projections hold.
"""
