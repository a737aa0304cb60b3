"""What executes digital operators: onnxruntime or, where it lacks the operator, onnx's reference evaluator.

Both behind one small interface: quiet, single-threaded, and so reproducible.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, NotImplemented  # noqa: A004

from rcompile.errors import InputError, Origin, RcompileError, UnsupportedError
from rcompile.frontend.unsigned import with_unsigned_weights
from rcompile.ir.graph import Array
from rcompile.workers import limits

ERRORS_ONLY = 4

LACKING = (
    "is not a registered function/op",
    "NOT_IMPLEMENTED",
    "not supported",
    "has the following type",
    "locale",
)
"""What onnxruntime says where a valid model has an operator, or a type, that it does not know."""

LACKING_AT_RUN = (
    "NOT_IMPLEMENTED",
    "not supported",
    "is not defined for",
    "does not support",
    "inconsistent total_sequence_length",
)
"""What it says where it finds that out when it runs."""

FED = {
    *(f"tensor({kind}{bits})" for kind in ("int", "uint") for bits in (8, 16, 32, 64)),
    *(f"tensor({kind})" for kind in ("float16", "float", "double", "bool", "string")),
}  # fmt: skip
"""Types of tensors that pass between numpy and onnxruntime."""

ERRATA: dict[str, Callable[[onnx.NodeProto], bool]] = {
    "DFT": lambda _: True,
    "STFT": lambda _: True,
    "Attention": lambda node: node.domain == "" and any(a.name == "is_causal" and a.i for a in node.attribute),
    "MaxUnpool": lambda node: len(node.input) > 2,
    "Resize": lambda node: any(a.s == b"align_corners" for a in node.attribute) and len(node.input) < 4,
}
"""What onnxruntime 1.32 computes otherwise than the standard says, by onnx's conformance tests: DFT and STFT (their
axis), Attention (masks of -inf), MaxUnpool (a given output shape), Resize by scales with aligned corners."""


def session_options(*, optimize: bool, threads: bool = False) -> onnxruntime.SessionOptions:
    """Return options of a quiet session whose results do not depend on the number of processors."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = limits().threads if threads else 1  # 0: all
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.enable_cpu_mem_arena = False
    options.add_session_config_entry("session.x64quantprecision", "1")  # int8 products saturate on CPUs without VNNI
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    return options


class Session:
    """A model ready to run.

    Args:
        model: serialized ONNX, or the path of a file.
        optimize: let onnxruntime fuse operators (QDQ patterns become its integer kernels).
        weights: initializers that the model names as external data; they are copied only to be optimized.
        threads: use all processors; for whole numbers only, whose sums are the same in any order.
        conform: leave to onnx's evaluator what onnxruntime is known to compute otherwise than the standard says.

    Raises:
        InputError: the model cannot be loaded.
        UnsupportedError: neither onnxruntime nor onnx's reference evaluator has one of its operators.
    """

    def __init__(
        self,
        model: bytes | Path,
        *,
        optimize: bool = True,
        weights: Mapping[str, Array] | None = None,
        conform: bool = False,
        threads: bool = False,
    ) -> None:
        self._model = (model, weights or {})
        self._reference: Any = None
        self._fed: Mapping[str, Array] = {}
        file = str(model) if isinstance(model, Path) else ""
        lacking = erratum(model) if conform and isinstance(model, bytes) else None
        if lacking is None:
            with reported("onnxruntime cannot load the model", file):
                lacking = self._load(model, session_options(optimize=optimize, threads=threads), weights or {})
        if lacking is not None:
            self._reference = reference_evaluator(model, weights or {}, lacking)
            self.inputs = tuple(self._reference.input_names)
            self.outputs = tuple(self._reference.output_names)

    @property
    def engine(self) -> str:
        """Return what executes the model."""
        return "onnxruntime" if self._reference is None else "onnx.reference"

    def _load(
        self, model: bytes | Path, options: onnxruntime.SessionOptions, weights: Mapping[str, Array]
    ) -> str | None:
        """Load into onnxruntime; return what it lacks, if anything."""
        source = str(model) if isinstance(model, Path) else model
        level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        if isinstance(model, bytes) and options.graph_optimization_level == level:
            source = model = with_unsigned_weights(model)
        if weights and isinstance(model, bytes):
            if options.graph_optimization_level == level:  # constants that nothing is to look into need no copy
                options.add_session_config_entry("session.disable_prepacking", "1")
                source, self._fed = as_inputs(model), weights
            else:
                values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in weights.values()]
                options.add_external_initializers(list(weights), values)
        try:
            session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        except (NotImplemented, Fail, InvalidGraph) as error:
            if isinstance(error, NotImplemented) or any(text in str(error) for text in LACKING):
                return " ".join(str(error).split())[:300]
            raise
        for value in (*session.get_inputs(), *session.get_outputs()):
            kind = value.type
            while kind.startswith(("seq(", "optional(")):
                kind = kind[kind.index("(") + 1 : -1]
            if kind not in FED:
                return f"its Python interface does not take {value.type}"
        self._session = session
        self.inputs = tuple(value.name for value in session.get_inputs() if value.name not in self._fed)
        self.outputs = tuple(value.name for value in session.get_outputs())
        return None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run once; return each output by name."""
        given = {name: as_array(feeds[name]) for name in self.inputs if name in feeds}
        if self._reference is not None:
            with reported("onnx's reference evaluator fails on the model"):
                results = self._reference.run(None, given)
            return dict(zip(self.outputs, results, strict=True))
        try:
            results = self._session.run(None, {**self._fed, **given})
        except Exception as error:
            if not any(text in str(error) for text in LACKING_AT_RUN):
                with reported("onnxruntime fails on the model"):
                    raise
            self._reference = reference_evaluator(*self._model, " ".join(str(error).split())[:300])
            return self.run(feeds)
        return dict(zip(self.outputs, results, strict=True))


def as_inputs(model: bytes) -> bytes:
    """Return a model whose initializers that lie elsewhere are inputs."""
    proto = onnx.load_model_from_string(model)
    kept = []
    for tensor in proto.graph.initializer:
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            proto.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
        else:
            kept.append(onnx.TensorProto.FromString(tensor.SerializeToString()))
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(kept)
    return proto.SerializeToString()


def as_array(value: Any) -> Any:  # noqa: ANN401 - tensors, and lists of them
    """Return numpy's scalars as arrays."""
    return np.asarray(value) if isinstance(value, np.generic) else value


def erratum(model: bytes) -> str | None:
    """Return the operator of a model that onnxruntime is known to compute wrongly."""
    if not any(name.encode() in model for name in ERRATA):
        return None
    nodes = onnx.load_model_from_string(model).graph.node
    return next((node.op_type for node in nodes if node.op_type in ERRATA and ERRATA[node.op_type](node)), None)


def reference_evaluator(model: bytes | Path, weights: Mapping[str, Array], lacking: str) -> Any:  # noqa: ANN401
    """Return onnx's own evaluator of a model that onnxruntime cannot execute."""
    from onnx.reference import ReferenceEvaluator

    from rcompile.frontend.evaluator import microsoft_operators, mistake_of

    proto = onnx.load(model) if isinstance(model, Path) else onnx.load_model_from_string(model)
    for tensor in proto.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(weights[tensor.name]), tensor.name))
    opset = {imported.domain: imported.version for imported in proto.opset_import}.get("", 0)
    if (wrong := next((node for node in proto.graph.node if mistake_of(node, opset)), None)) is not None:
        raise UnsupportedError(
            f"onnxruntime cannot execute {wrong.op_type} '{wrong.name}' as it stands here ({lacking}), "
            f"and onnx's evaluator errs: {mistake_of(wrong, opset)}",
            hint="export the model with another opset, or without that attribute",
        )
    try:
        return ReferenceEvaluator(proto, new_ops=microsoft_operators())
    except Exception as error:
        raise UnsupportedError(
            f"neither onnxruntime nor onnx's reference evaluator can execute an operator: {lacking}",
            at=Origin(str(model) if isinstance(model, Path) else ""),
            hint="export the model with standard operators of an earlier opset",
        ) from error


@contextlib.contextmanager
def reported(what: str, file: str = "") -> Iterator[None]:
    """Turn what an evaluator raises into an InputError; its exceptions share no base class but Exception."""
    try:
        yield
    except RcompileError:
        raise
    except Exception as error:
        text = re.sub(r"/\S*(onnxruntime_src|project/onnx)\S*\s*", "", " ".join(str(error).split()))
        raise InputError(f"{what}: {text[:400]}", at=Origin(file)) from error
