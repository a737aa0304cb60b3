"""From a file to an ONNX protobuf without its weights, and the weights as arrays: mapped from the disk, not copied."""

import hashlib
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, helper, numpy_helper
from onnx.external_data_helper import ExternalDataInfo

from rcompile.errors import InputError, Origin
from rcompile.ir.arrays import frozen
from rcompile.ir.graph import Array

SIGNATURES = {
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"PK\x03\x04": "a zip archive (.npz, .pt, ...)",
    b"\x89HDF": "an HDF5 file",
    b"%PDF": "a PDF document",
    b"\x1f\x8b": "a gzip archive",
}

FLOATS = {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.BFLOAT16}

SMALL_CONSTANT = 256
"""Elements; shapes, axes and the like are smaller, weights larger."""


@dataclass(frozen=True)
class Model:
    """A serialized ONNX model with its large weights apart, as arrays by initializer."""

    proto: bytes
    weights: Mapping[str, Array]


def read_file(path: Path) -> onnx.ModelProto:
    """Read the protobuf of an ONNX file; external data stays where it is.

    Raises:
        InputError: the file is missing or not ONNX.
    """
    at = Origin(str(path))
    if not path.exists():
        raise InputError("there is no such file", at=at, hint="check the path of the model")
    if path.is_dir():
        written = (path / "program.rcx").exists()
        hint = f"rcompile verify, inspect or explain {path}" if written else "name the .onnx file in it"
        raise InputError("this is a folder, not an ONNX file", at=at, hint=hint)
    try:
        with path.open("rb") as file:
            head = file.read(8)
        model = onnx.load(path, load_external_data=False)
    except PermissionError as error:
        raise InputError("the file may not be read (permission denied)", at=at) from error
    except DecodeError as error:
        raise InputError(
            f"this is not a complete ONNX file: {describe(head, path)}",
            at=at,
            hint="export or download the model again",
        ) from error
    if not model.graph.node:
        found = describe(head, path) if not model.ir_version else "its graph has no node"
        raise InputError(f"this is not a usable ONNX model: {found}", at=at, hint="export the model again")
    return model


def describe(head: bytes, path: Path) -> str:
    """Say what a file that does not parse as ONNX looks like."""
    for signature, kind in SIGNATURES.items():
        if head.startswith(signature):
            return f"it looks like {kind}"
    size = path.stat().st_size
    return (
        "it is empty" if size == 0 else f"its {size} bytes do not parse as a protobuf model (truncated or corrupted?)"
    )


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def take_weights(
    model: onnx.ModelProto, store: Path | Mapping[str, Array], at: Origin, *, synthetic_seed: int | None = None
) -> dict[str, Array]:
    """Remove the data of large initializers from a model and return it; they stay in the model as inputs.

    Checking, converting and inferring look at the values of small constants only; copying and serializing all
    weights, as onnx does, would take seconds and several times the memory.

    Args:
        model: changed in place: no large initializer is left, and none is stored outside.
        store: the folder where external data lies or, for a model in memory, the arrays.
        at: for messages.
        synthetic_seed: where given, weights that are missing are drawn at random (a model without weights).

    Raises:
        InputError: external data is missing, outside of the model's folder, or too short.
    """
    graph = model.graph
    kept, weights = [], {}
    inputs = {value.name for value in graph.input}
    for tensor in graph.initializer:
        large = prod(tensor.dims) > SMALL_CONSTANT
        external = tensor.data_location == TensorProto.EXTERNAL
        if not large and not external and synthetic_seed is None:
            kept.append(onnx.TensorProto.FromString(tensor.SerializeToString()))
            continue
        try:
            array = external_array(tensor, store, at) if external else embedded_array(tensor, at)
        except InputError:
            if synthetic_seed is None or not (large or tensor.data_type in FLOATS):  # small integers are shapes
                raise
            array = synthetic(tensor, synthetic_seed)
        if not large:
            kept.append(numpy_helper.from_array(array, tensor.name))
            continue
        weights[tensor.name] = frozen(array)
        if tensor.name not in inputs:
            graph.input.append(helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    del graph.initializer[:]
    graph.initializer.extend(kept)
    return weights


def embedded_array(tensor: TensorProto, at: Origin) -> Array:
    """Return the data of a tensor that the model itself holds.

    Raises:
        InputError: there is none, or not as much as its shape asks for.
    """
    try:
        return numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"the data of '{tensor.name}' (type {tensor.data_type}, shape {list(tensor.dims)}) is not there, or not "
            "what its type and shape ask for",
            at=at,
            hint="export the model with its weights; --weightless maps it by its shapes alone",
        ) from error


def external_array(tensor: TensorProto, store: Path | Mapping[str, Array], at: Origin) -> Array:
    """Return a tensor's external data, as a read-only map of its file.

    Raises:
        InputError: the file is missing, outside of the model's folder, or too short.
    """
    info = ExternalDataInfo(tensor)
    hint = "keep the data file that was exported with the model beside it; --weightless maps the model without"
    if not isinstance(store, Path):
        if tensor.name not in store:
            raise InputError(f"the weights '{tensor.name}' are missing", at=at, hint="compile the model again")
        return store[tensor.name]
    location = Path(info.location)
    path = store / location
    if not info.location:
        raise InputError(f"the external data of '{tensor.name}' names no file", at=at, hint=hint)
    if location.is_absolute() or not path.resolve().is_relative_to(store.resolve()):
        raise InputError(
            f"the external data of '{tensor.name}' ('{info.location}') lies outside of the model's folder",
            at=at,
            hint="keep external data beside the model",
        )
    if not path.is_file():
        raise InputError(f"its external data cannot be read: there is no file '{path}'", at=at, hint=hint)
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    shape = tuple(tensor.dims)
    bits = {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "float4_e2m1fn": 4}.get(dtype.name, 8 * dtype.itemsize)
    try:
        start = int(info.offset or 0)
    except ValueError as error:
        raise InputError(
            f"the external data of '{tensor.name}' has the offset '{info.offset}', no number", at=at, hint=hint
        ) from error
    length = -(-prod(shape) * bits // 8)
    held = path.stat().st_size - start
    if start < 0 or held < length or any(dim < 0 for dim in shape):
        raise InputError(
            f"the external data of '{tensor.name}' is too short: '{path}' has {max(held, 0)} bytes from {start} on, "
            f"{dtype.name} {list(shape)} needs {length}",
            at=at,
            hint=hint,
        )
    if bits == 8 * dtype.itemsize:
        return np.memmap(path, dtype, "r", start, shape)
    packed = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    with path.open("rb") as file:
        file.seek(start)
        packed.raw_data = file.read(length)
    return numpy_helper.to_array(packed)


def release(array: Array) -> None:
    """Let go of the memory of an array that is mapped from a file; it is read again when it is next looked at."""
    base: object = array
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


def synthetic(tensor: TensorProto, seed: int) -> Array:
    """Return seeded random weights of a tensor's shape.

    Normal, as He et al. (2015) start training; positive where they are one a channel, as variances must be; whole
    numbers uniform over their range.
    """
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type))
    shape = tuple(tensor.dims)
    rng = np.random.default_rng([seed, *tensor.name.encode()])
    if dtype.kind in "iu" and dtype.itemsize <= 2:
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    if dtype.kind in "iub":
        return np.zeros(shape, dtype)
    spread = np.float32((2 / max(prod(shape[1:]), 1)) ** 0.5)
    drawn = rng.standard_normal(shape, np.float32)
    return (np.abs(drawn) + np.float32(0.1) if len(shape) <= 1 else drawn * spread).astype(dtype)


def separated(model: onnx.ModelProto, store: Path | Mapping[str, Array], at: Origin) -> Model:
    """Return a model, which is changed, with its large weights apart, otherwise as it came."""
    weights = {}
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            weights[tensor.name] = frozen(external_array(tensor, store, at))
        elif prod(tensor.dims) > SMALL_CONSTANT:
            weights[tensor.name] = frozen(embedded_array(tensor, at))
        else:
            continue
        if is_large(weights[tensor.name]):
            tensor.CopyFrom(placeholder(tensor.name, weights[tensor.name]))
        else:
            tensor.CopyFrom(numpy_helper.from_array(weights.pop(tensor.name), tensor.name))
    return Model(model.SerializeToString(deterministic=True), weights)


def is_large(array: Array) -> bool:
    """Tell whether a constant is kept apart from the model: weights are, strings and exotic floats are not."""
    return array.size > SMALL_CONSTANT and array.dtype.kind in "fiub"


def placeholder(name: str, array: Array) -> TensorProto:
    """Return an initializer that says that its data lies elsewhere."""
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    tensor = TensorProto(name=name, data_type=kind, dims=array.shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", f"weights/{name}"), ("offset", "0"), ("length", str(array.nbytes))):
        tensor.external_data.add(key=key, value=value)
    return tensor
