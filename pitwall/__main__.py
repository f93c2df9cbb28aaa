"""`python -m pitwall`: the command line, from whichever Python runs this."""

from pitwall.cli import main

main()
