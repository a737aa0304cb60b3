"""Accuracy against the resolution of converters: the same program with others, on ideal cells and on dies."""

from collections.abc import Mapping
from dataclasses import dataclass

from rcompile.backends.executor import Executor
from rcompile.ir.converter import Adc
from rcompile.pipeline import Trace
from rcompile.targets.schema import from_dict
from rcompile.verification.accuracy import score
from rcompile.verification.data import DataSet
from rcompile.verification.trials import Conditions, Trials, run_trials
from rcompile.verification.verify import Verified, fastest_engine, with_converters


@dataclass(frozen=True)
class AtBits:
    """What converters of some resolution leave of the accuracy.

    Attributes:
        bits: of the resolution.
        ideal: on ideal cells; None where outputs have no metric.
        trials: on dies; None where cells are ideal.
    """

    bits: int
    ideal: float | None
    trials: Trials | None


def accuracy_curve(
    verified: Verified,
    converters: Mapping[int, tuple[Adc, ...]],
    conditions: Conditions,
    trace: Trace,
    calibration: DataSet | None,
) -> tuple[AtBits, ...]:
    """Return the accuracy of a program with other converters.

    Args:
        verified: the program and its samples.
        converters: of each layer, by resolution.
        conditions: what dies it is run on besides.
        trace: where to record phases.
        calibration: samples that corrections of dies are fitted on.
    """
    data, quantized = verified.data, verified.quantized
    dies = [] if conditions.ideal else conditions.dies(from_dict(verified.compiled.target))[:1]
    found = []
    for bits, adcs in converters.items():
        placed = with_converters(verified.compiled.placed, adcs)
        with trace.phase(f"converters of {bits} bits", (1 + len(dies) * conditions.count) * data.samples) as advance:
            outputs = Executor(fastest_engine(placed)).run(data.inputs, advance)
            ideal = score(placed.program.source, data, outputs, quantized)
            series = None
            for die in dies:
                series = run_trials(placed, die, data, quantized, conditions, advance, calibration, compare=False)
        found.append(AtBits(bits, ideal, series))
    return tuple(found)
