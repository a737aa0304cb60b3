"""`python -m rcompile`."""

from rcompile.cli import main

main()
