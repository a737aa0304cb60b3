"""onnxruntime behind one small interface: quiet, single-threaded, and so reproducible."""

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import onnxruntime

from rcompile.errors import InputError, Origin, RcompileError
from rcompile.ir.graph import Array

ERRORS_ONLY = 4


def session_options(*, optimize: bool) -> onnxruntime.SessionOptions:
    """Return options of a quiet session whose results do not depend on the number of processors."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    options.enable_cpu_mem_arena = False
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
    return options


class Session:
    """A model ready to run.

    Args:
        model: serialized ONNX, or the path of a file.
        optimize: let onnxruntime fuse operators (QDQ patterns become its integer kernels).

    Raises:
        InputError: onnxruntime cannot load the model.
    """

    def __init__(self, model: bytes | Path, *, optimize: bool = True) -> None:
        options = session_options(optimize=optimize)
        source = str(model) if isinstance(model, Path) else model
        with reported("onnxruntime cannot load the model", str(model) if isinstance(model, Path) else ""):
            self._session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
        self.inputs = tuple(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run once; return each output by name."""
        with reported("onnxruntime fails on the model"):
            results = self._session.run(None, {name: feeds[name] for name in self.inputs})
        return dict(zip(self.outputs, results, strict=True))


@contextlib.contextmanager
def reported(what: str, file: str = "") -> Iterator[None]:
    """Turn what onnxruntime raises into an InputError; its exceptions share no base class but Exception."""
    try:
        yield
    except RcompileError:
        raise
    except Exception as error:
        raise InputError(f"{what}: {' '.join(str(error).split())[:400]}", at=Origin(file)) from error
