"""Whether this machine can record, project and serve: looks at it, and says of each thing how it is and what to do.

`machine` is all that is looked at, `check` how; the others hold the checks, a file a family.  Nothing is changed, and
what a check can't find out it says it can't tell.
"""
