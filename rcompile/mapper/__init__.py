"""Where things go: crossbars, copies, tiles. Closed forms and OR-tools; passes/place.py calls it."""
