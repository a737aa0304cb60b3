"""A CP-SAT solver that finds the same on any machine."""

from typing import Any

from rcompile.options import Effort

DETERMINISTIC_UNITS = 0.5
"""CP-SAT's own measure of work, at low effort: about one to five seconds."""


def solver(effort: Effort) -> Any:  # noqa: ANN401 - ortools is not typed
    """Return a solver with one worker and a limit on work."""
    from ortools.sat.python import cp_model

    found = cp_model.CpSolver()
    found.parameters.num_workers = 1
    found.parameters.random_seed = 0
    found.parameters.max_deterministic_time = DETERMINISTIC_UNITS * effort.factor
    return found
