"""What a user can choose, beyond model, data and target."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rcompile.errors import UsageError
from rcompile.precision import LayerBits, Precision, whole_number_problem

LIMITS = {
    "weight_bits": (1, 24),
    "input_bits": (1, 24),
    "rounds": (1, 1024),
    "exact_samples": (0, 2**31),
    "seed": (0, 2**63),
}
"""Least and largest value of the options that are numbers."""

ADC_BITS = (1, 24)


class Objective(StrEnum):
    """What the mapper makes least: crossbars, or with copies of layers the time between or through inferences."""

    CROSSBARS = "crossbars"
    THROUGHPUT = "throughput"
    LATENCY = "latency"


class Effort(StrEnum):
    """How hard the mapper searches: in units of work, since limits on time would make results differ."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"

    @property
    def factor(self) -> int:
        """Return the work relative to low effort."""
        return {Effort.LOW: 1, Effort.NORMAL: 4, Effort.HIGH: 32}[self]


@dataclass(frozen=True)
class Options:
    """Choices of one compilation; UsageError where one is out of its range.

    Attributes:
        weight_bits: of float models' weights, 1 to 24; quantized models keep their own.
        input_bits: of float models' activations, 1 to 24.
        objective: crossbars: one copy of each layer; throughput: copies over the target's crossbars for the shortest
            interval between inferences; latency: for the shortest time from an inference's start to its end.
        effort: of the searches for copies and places.
        fit: take the smallest chip of the target's tiles that makes so many inferences per second; 0: that holds one
            copy of each layer; None: the chips that the target has.
        rounds: most rounds in which a model larger than the target may run, with crossbars programmed anew between.
        verify: execute the program and compare it with the model.
        exact_samples: samples of the exact comparison; 0: as many as a work limit of some seconds allows.
        adc_curve: resolutions of converters, 1 to 24 bits, at which the accuracy is measured besides.
        seed: of everything that is drawn at random.
        layers: rules (pattern, bits) for single layers, of which the last that matches wins; see precision.py.
        layers_from: the file that they come from, for messages.
        dimensions: sizes of free dimensions, by name or INPUT.AXIS.
        weightless: take random weights where the file has none; nothing is verified then.
    """

    weight_bits: int = 8
    input_bits: int = 8
    objective: Objective = Objective.CROSSBARS
    effort: Effort = Effort.NORMAL
    fit: float | None = None
    rounds: int = 1
    verify: bool = True
    exact_samples: int = 0
    adc_curve: tuple[int, ...] = ()
    seed: int = 0
    layers: tuple[tuple[str, LayerBits], ...] = ()
    layers_from: str = ""
    dimensions: Mapping[str, int] = field(default_factory=dict)
    weightless: bool = False

    @property
    def precision(self) -> Precision:
        """Bits of the model and of its layers."""
        return Precision(self.weight_bits, self.input_bits, self.layers)

    def __post_init__(self) -> None:
        for name, kind in (("objective", Objective), ("effort", Effort)):
            value = getattr(self, name)
            if value not in set(kind):
                raise UsageError(f"{name} is {value!r}: it must be one of {', '.join(kind)}")
            object.__setattr__(self, name, kind(value))
        if self.fit is not None and not (isinstance(self.fit, (int, float)) and 0 <= self.fit < float("inf")):
            raise UsageError(f"fit is {self.fit!r}: it must be a number of inferences per second, or 0")
        if self.fit is not None and self.objective is not Objective.CROSSBARS:
            raise UsageError(
                f"fit takes as many copies as it needs: there is nothing left for the objective {self.objective}",
                hint="leave one of --fit and --objective out",
            )
        numbers = [(name, getattr(self, name), limits) for name, limits in LIMITS.items()]
        for name, value, limits in (*numbers, *(("adc_curve", bits, ADC_BITS) for bits in self.adc_curve)):
            if problem := whole_number_problem(value, limits):
                raise UsageError(f"{name} {problem}")
        for name, size in self.dimensions.items():
            if isinstance(size, bool) or not isinstance(size, int) or size < 1:
                raise UsageError(f"the dimension '{name}' must be a whole number of at least 1, is {size!r}")
