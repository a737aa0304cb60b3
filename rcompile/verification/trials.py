"""Accuracy on dies: trial after trial, each with its own random draws, and how sure the mean is."""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log10, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rcompile.backends.compensation import Correction, engine_on
from rcompile.backends.die import Die
from rcompile.backends.executor import Engine, Executor
from rcompile.backends.functional import Functional
from rcompile.backends.fused import Plans
from rcompile.devices import IDEAL, Device, resolve_device
from rcompile.devices.faults import FaultMap, load_faults
from rcompile.devices.load import seconds
from rcompile.errors import UsageError
from rcompile.ir.placed import PlacedProgram
from rcompile.targets import Target
from rcompile.verification.accuracy import score
from rcompile.verification.data import DataSet

CONFIDENCE = 0.95

CALIBRATION_SAMPLES = 64
"""On which corrections are fitted."""

SNR_SAMPLES = 64
"""Samples on which each layer's noise is compared with its signal, on the first die."""

FEWEST = 10
"""Trials before the width of the interval may end them: of fewer, spread and interval are too uncertain for that."""


@dataclass(frozen=True)
class Trials:
    """What some dies showed.

    Attributes:
        values: the metric of each die, in order of their numbers; None where outputs have no metric.
        seed: of all.
        snr_db: of each layer on the first die, given its own inputs; infinite where nothing differs. () if unmeasured.
        age_s: of the cells.
    """

    values: tuple[float | None, ...]
    seed: int
    snr_db: tuple[float, ...]
    age_s: float

    @property
    def mean(self) -> float | None:
        """Of all dies."""
        return None if None in self.values else float(np.mean(np.array(self.values, float)))

    @property
    def ci95(self) -> tuple[float, float] | None:
        """Where the mean of all possible dies lies, on these samples, with 95 % confidence (Student's t)."""
        if len(self.values) < 2 or None in self.values:
            return None
        from scipy.special import stdtrit

        values = np.array(self.values, float)
        half = float(stdtrit(len(values) - 1, (1 + CONFIDENCE) / 2)) * float(values.std(ddof=1)) / sqrt(len(values))
        return float(values.mean()) - half, float(values.mean()) + half


@dataclass(frozen=True)
class Conditions:
    """On what dies, and when, a program is run beside ideal ones.

    Attributes:
        device: their cells and wires.
        faults: of the one die that there is; None where dies have none but the device's.
        trials: how many dies, at most.
        until_ci: fewer where the interval of the mean is no wider than that on either side; None: all of them.
        ages_s: when else they are read, in seconds after writing.
        correct: what is corrected digitally, at each time anew, on calibration samples.
        seed: of all random draws.
    """

    device: Device = IDEAL
    faults: FaultMap | None = None
    trials: int = 5
    until_ci: float | None = None
    ages_s: tuple[float, ...] = ()
    correct: Correction = Correction.NONE
    seed: int = 0

    @property
    def ideal(self) -> bool:
        """Whether every cell holds what is written."""
        return self.device.ideal and self.faults is None

    @property
    def count(self) -> int:
        """Dies that differ: one where nothing is drawn."""
        return self.trials if self.device.draws else 1

    def require_samples(self, *, given: bool) -> None:
        """Refuse corrections without calibration samples to fit them on."""
        if self.correct is not Correction.NONE and not given:
            raise UsageError(
                f"--correct {self.correct} is fitted on calibration samples",
                hint="name some: --calibration FILE.npz",
            )

    def require_target(self, target: Target) -> None:
        """Refuse targets that the device's circuit cannot serve."""
        if self.device.gated is None:
            return
        inputs = target.inputs
        if inputs.encoding != "pulse_width" and inputs.dac_bits > 1:
            raise UsageError(
                f"{self.device.name} switches rows on and off ([gated]), {target.name} drives them with voltages of "
                f"{inputs.dac_bits} bits",
                hint="--set inputs.dac_bits=1, or --set inputs.encoding=pulse_width",
            )
        if target.weights.sign == "differential_rows":
            raise UsageError(
                f"{self.device.name} switches rows on and off ([gated]), {target.name} drives pairs of rows with "
                "opposite voltages",
                hint="another sign scheme, for example --set weights.sign=differential_columns",
            )

    def dies(self, target: Target) -> list[Die]:
        """Return the first die of a target at each time at which it is read."""
        ages = dict.fromkeys((self.device.age_s, *self.ages_s))
        first = Die(
            self.device,
            self.faults,
            target.lines,
            seed=self.seed,
            pulses=target.inputs.encoding == "pulse_width",
            converters=target.adc.per_crossbar,
            reference_column=target.crossbar.reference_column,
        )
        return [replace(first, device=replace(self.device, age_s=age)) for age in ages]


def conditions_of(
    device: str | Device = IDEAL,
    *,
    faults: Path | None = None,
    trials: int = 5,
    until_ci: float | None = None,
    at: Sequence[str] = (),
    correct: str = Correction.NONE,
    seed: int = 0,
) -> Conditions:
    """Return the conditions that a user names.

    Args:
        device: a Device, or as `resolve_device` reads it.
        faults: a fault map.
        trials: how many dies, at most.
        until_ci: half width of the interval of the mean that suffices.
        at: times after writing, as 1day.
        correct: none, drift, offset or affine.
        seed: of all random draws.

    Raises:
        UsageError: there is no such device, or a value is out of range.
        InputError: the fault map cannot be read.
    """
    if trials < 1:
        raise UsageError(f"trials is {trials}: it must be at least 1")
    if correct not in set(Correction):
        raise UsageError(f"correct is {correct!r}: it must be one of {', '.join(Correction)}")
    if until_ci is not None and not 0 < until_ci < 1:
        raise UsageError(f"until_ci is {until_ci:g}: it must lie between 0 and 1 (0.01 is one point of accuracy)")
    found = device if isinstance(device, Device) else resolve_device(device)
    if found.ideal and (until_ci is not None or at or (faults is None and correct != Correction.NONE)):
        raise UsageError(
            "--at, --until-ci and --correct are about dies that are not ideal", hint="name their cells: --device NAME"
        )
    return Conditions(
        device=found,
        faults=None if faults is None else load_faults(faults),
        trials=trials,
        until_ci=until_ci,
        ages_s=tuple(seconds(text) for text in at),
        correct=Correction(correct),
        seed=seed,
    )


def run_trials(
    placed: PlacedProgram,
    die: Die,
    data: DataSet,
    quantized: dict[str, np.ndarray],
    conditions: Conditions,
    progress: Callable[[int], None],
    calibration: DataSet | None = None,
    *,
    compare: bool = True,
) -> Trials:
    """Run a program on some dies.

    Args:
        placed: the program.
        die: the first one; the others differ in their number.
        data: samples.
        quantized: outputs of the quantized model.
        conditions: say how many dies.
        progress: called with the number of samples done since the last call.
        calibration: samples that corrections are fitted on.
        compare: measure each layer's signal-to-noise ratio on the first die.
    """
    until = conditions.until_ci
    fitted_on = None
    if conditions.correct is not Correction.NONE and calibration is not None:
        fitted_on = {name: array[:CALIBRATION_SAMPLES] for name, array in calibration.inputs.items()}
    values: list[float | None] = []
    ratios: tuple[float, ...] = ()
    plans = Plans(placed)
    for trial in range(die.trial, die.trial + conditions.count):
        engine = engine_on(placed, replace(die, trial=trial), conditions.correct, fitted_on, plans)
        found = Executor(engine).run(data.inputs, progress)
        if compare and not values:
            ratios = snr_of_layers(engine, data)
        values.append(score(placed.program.source, data, found, quantized))
        del engine
        gc.collect()  # a chip's caches refer to it, and arrays alone would not set off the collector before the next
        done = Trials(tuple(values), die.seed, (), die.device.age_s)
        if until is not None and len(values) >= FEWEST and narrow(done.ci95, until):
            break
    return Trials(tuple(values), die.seed, ratios, die.device.age_s)


def narrow(interval: tuple[float, float] | None, half: float) -> bool:
    """Tell whether an interval is no wider than `half` on either side of its middle."""
    return interval is not None and interval[1] - interval[0] <= 2 * half


def snr_of_layers(engine: Engine, data: DataSet) -> tuple[float, ...]:
    """Return each layer's signal-to-noise ratio on a die in dB, on the first few samples."""
    few = {name: array[:SNR_SAMPLES] for name, array in data.inputs.items()}
    compared = Compared(engine)
    Executor(compared).run(few)
    return tuple(compared.ratios())


class Compared:
    """A die's engine, which compares what it gives with what ideal cells and converters give for the same inputs."""

    name = "compared"
    splits = False

    def __init__(self, engine: Engine) -> None:
        self.placed = engine.placed
        self._die = engine
        self._ideal = Functional(self.placed, keep=False, ideal_converters=True)
        self._sums = np.zeros((4, len(self.placed.program.matrices)))  # count, sum, squares, squared errors

    def prepare(self, index: int) -> None:
        """See Engine; vectors come all at once."""

    def accumulate(
        self, index: int, vectors: np.ndarray, positions: NDArray[np.int64] | None = None, call: int = 0
    ) -> NDArray[np.int64]:
        """Return the die's accumulators; see Engine."""
        found = self._die.accumulate(index, vectors, positions, call)
        wanted = self._ideal.accumulate(index, vectors, positions, call).astype(np.float64)
        self._sums[:, index] += wanted.size, wanted.sum(), np.square(wanted).sum(), np.square(found - wanted).sum()
        return found

    def ratios(self) -> Iterator[float]:
        """Yield each layer's variance of ideal accumulators over the mean square of the die's errors, in dB."""
        for count, total, squares, errors in self._sums.T:
            signal = squares - total**2 / max(count, 1)
            yield float("inf") if errors == 0 else 10 * log10(max(signal, np.finfo(float).tiny) / errors)
