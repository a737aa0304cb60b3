"""ONNX's backend interface: its conformance runner compiles, maps and executes each case.

    import onnx.backend.test
    from rcompile.backends.onnx_backend import CrossbarBackend
    tests = onnx.backend.test.BackendTest(CrossbarBackend, __name__)

A model is compiled when its first inputs are known, at 23-bit weights and inputs (16 bits where weights are bound),
for the target `isaac`, with activation ranges from those inputs. What holds no product with static weights runs
digitally, as in any compiled model.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np
import onnx
from onnx.backend.base import Backend, BackendRep, Device, DeviceType

from rcompile.backends.executor import Executor, Interpreter
from rcompile.backends.reference import Reference
from rcompile.compiler import map_matrices
from rcompile.errors import InternalError
from rcompile.frontend.bind import bound, weight_inputs, with_shapes
from rcompile.frontend.calibrate import calibrate
from rcompile.frontend.load import from_proto
from rcompile.ir.graph import Array, Graph
from rcompile.ir.matrix import MatrixProgram
from rcompile.options import Options
from rcompile.passes.lower import lower
from rcompile.passes.quantize import is_float, needs_ranges, quantize
from rcompile.pipeline import Trace
from rcompile.precision import Precision
from rcompile.simplify import simplify
from rcompile.targets import resolve_target

PRECISION = Precision(23, 23)
"""Bits of weights and inputs: the cases' tolerance is relative to each element, the smallest included."""
BOUND_PRECISION = Precision(16, 16)
"""Where inputs are bound as weights, judged by the relative error of the whole result."""

Feeds = Mapping[str, Any]


class Compiled:
    """A model compiled for what it is fed with.

    Args:
        model: the ONNX model.
        feeds: its inputs, for shapes and ranges.
        precision: of what is float.
    """

    def __init__(self, model: onnx.ModelProto, feeds: Feeds, precision: Precision) -> None:
        graph = simplify(from_proto(with_shapes(model, feeds), "the model"), Trace())
        self.program = lower(quantized(graph, feeds, precision))
        self._runner = runner_of(self.program)

    def run(self, feeds: Feeds) -> tuple[Any, ...]:
        """Return the outputs, in order."""
        found = self._runner(feeds)
        return tuple(found[value.name] for value in self.program.outputs)


def quantized(graph: Graph, feeds: Feeds, precision: Precision) -> Graph:
    """Quantize what is float, with ranges from the inputs."""
    if not is_float(graph):
        return graph
    tensors = needs_ranges(graph, precision)
    ranges = calibrate(graph, tensors, [feeds]) if tensors else {}
    return quantize(graph, ranges, precision)


def no_samples() -> NoReturn:
    """Lossless converters are never calibrated."""
    raise InternalError("a conformance case asks for calibration samples")


def runner_of(program: MatrixProgram) -> Any:  # noqa: ANN401 - a function from inputs to outputs
    """Return what executes a program: crossbar by crossbar where it has any."""
    if program.matrices:
        target = resolve_target("isaac", {"adc.resolution": "lossless"})
        placed = map_matrices(program, target, Options(), Trace(), no_samples).placed
        return Executor(Reference(placed)).run_once
    interpreter = Interpreter(program, no_product)
    return lambda feeds: interpreter.run([feeds])[0]


def no_product(index: int, codes: list[Array]) -> list[Array]:
    """Stand for matrices where there are none."""
    raise InternalError(f"matrix {index} of a program without matrices, with {len(codes)} inputs")


class CrossbarRep(BackendRep):
    """A prepared model; compiled at its first run, and again for other shapes or weights.

    Args:
        model: the ONNX model.
        bind_weights: take inputs that are weights as constants, so that they are programmed into cells.
        precision: of what is float.
    """

    def __init__(self, model: onnx.ModelProto, precision: Precision, *, bind_weights: bool) -> None:
        self._precision = precision
        initializers = {tensor.name for tensor in model.graph.initializer}
        self._model = model
        self._names = [value.name for value in model.graph.input if value.name not in initializers]
        self._weights = weight_inputs(model) if bind_weights else ()
        self._compiled: tuple[Any, Compiled] | None = None

    @property
    def program(self) -> MatrixProgram | None:
        """Return the program of the last run; None before the first."""
        return self._compiled[1].program if self._compiled is not None else None

    def run(self, inputs: Sequence[Any] | Feeds, **kwargs: Any) -> tuple[Any, ...]:  # noqa: ANN401, ARG002 - ONNX's interface
        """Run once; inputs in order, or by name."""
        named = dict(inputs) if isinstance(inputs, Mapping) else dict(zip(self._names, inputs, strict=False))
        feeds = {name: np.asarray(v) if isinstance(v, np.generic | int | float) else v for name, v in named.items()}
        weights = {name: feeds.pop(name) for name in self._weights if name in feeds}
        key = ({name: np.shape(v) for name, v in feeds.items() if isinstance(v, np.ndarray)}, weights)
        if self._compiled is None or not same(self._compiled[0], key):
            self._compiled = (key, Compiled(bound(self._model, weights), feeds, self._precision))
        return self._compiled[1].run(feeds)


def same(first: Any, second: Any) -> bool:  # noqa: ANN401 - keys of compiled models
    """Tell whether shapes and weights are those of the compiled model."""
    (shapes, weights), (other_shapes, others) = first, second
    return shapes == other_shapes and all(np.array_equal(weights[name], others[name]) for name in weights)


class CrossbarBackend(Backend):
    """rcompile as a backend of ONNX."""

    bind_weights = False
    precision = PRECISION

    @classmethod
    def prepare(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> CrossbarRep:  # noqa: ANN401, ARG003
        """Return a model ready to run; `bind_weights=True` takes inputs that are weights as constants."""
        bind_weights = kwargs.get("bind_weights", cls.bind_weights)
        return CrossbarRep(model, BOUND_PRECISION if bind_weights else cls.precision, bind_weights=bind_weights)

    @classmethod
    def run_model(cls, model: onnx.ModelProto, inputs: Any, device: str = "CPU", **kwargs: Any) -> tuple[Any, ...]:  # noqa: ANN401
        """Compile a model and run it once."""
        return cls.prepare(model, device, **kwargs).run(inputs)

    @classmethod
    def run_node(cls, node: Any, inputs: Any, device: str = "CPU", outputs_info: Any = None, **kwargs: Any) -> Any:  # noqa: ANN401
        """Refuse: a node alone has no types; run_model takes a model of one node."""
        raise NotImplementedError("rcompile runs models: put the node into one")

    @classmethod
    def is_compatible(cls, model: onnx.ModelProto, device: str = "CPU", **kwargs: Any) -> bool:  # noqa: ANN401, ARG003
        """Tell whether a model can be tried: any can, and is refused with a reason where it cannot be run."""
        return True

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Tell whether programs run on a device: the functional backend is the processor's."""
        return bool(Device(device).type == DeviceType.CPU)


class BoundBackend(CrossbarBackend):
    """rcompile as a backend that programs weights which a model takes as inputs."""

    bind_weights = True


prepare = CrossbarBackend.prepare
run_model = CrossbarBackend.run_model
run_node = CrossbarBackend.run_node
supports_device = CrossbarBackend.supports_device
is_compatible = CrossbarBackend.is_compatible
