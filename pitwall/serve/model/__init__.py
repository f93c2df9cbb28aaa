"""A language model beside pitwall: figures in, checked words out. It words what the rules found, and never computes.

The data's way: `settings` say where it is; `health` knows whether it is up, `breaker` keeps calls from one that is
dead; `client` talks to it over `exchange`; `agents` say what it is told, `tools` what it may look at; `desk` has it
write; `numbers` reads the numbers of what it wrote, and `ground` holds them against those of the projections.
"""
