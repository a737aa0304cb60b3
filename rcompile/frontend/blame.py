"""Is it the model, or is it us? A model that breaks ONNX's rules may fail in any pass; onnxruntime says how."""

from pathlib import Path

import numpy as np
import onnx

from rcompile.errors import InputError, InternalError, Origin, UnsupportedError
from rcompile.frontend.parse import read_file
from rcompile.frontend.runtime import Session

LARGEST_INPUT = 2**28
"""Elements of an input that is tried."""


def blame(path: Path, error: Exception) -> Exception:
    """Return what to raise for an error that no pass expected: the model's own mistake, or else our bug."""
    at = Origin(str(path))
    if isinstance(error, MemoryError):
        return InputError("it asks for more memory than there is", at=at, hint="check the shapes in the model")
    hint = "run onnx.checker.check_model on it, and export it again"
    try:
        model = read_file(path)
        onnx.checker.check_model(str(path), full_check=True)
        run_on_zeros(path, model)
    except (InputError, UnsupportedError) as own:
        return InputError(own.message, at=at, hint=hint)
    except Exception as own:
        return InputError(f"the model breaks ONNX's rules: {' '.join(str(own).split())[:300]}", at=at, hint=hint)
    if isinstance(error, InternalError):
        return error
    return InternalError(f"{type(error).__name__}: {error}", at=at)


def run_on_zeros(path: Path, model: onnx.ModelProto) -> None:
    """Run a model once, with zeros, a free dimension being 1.

    Raises:
        InputError: it cannot be run.
    """
    initializers = {tensor.name for tensor in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        if value.name not in initializers and value.type.HasField("tensor_type"):
            shape = [dim.dim_value if dim.HasField("dim_value") else 1 for dim in tensor.shape.dim]
            if any(size < 0 for size in shape) or np.prod(shape, dtype=float) > LARGEST_INPUT:
                raise InputError(f"the input '{value.name}' has the shape {shape}")
            feeds[value.name] = np.zeros(shape, onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    Session(path, optimize=False).run(feeds)
