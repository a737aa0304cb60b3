"""Data sets: .npz files with one array per model input, samples along axis 0, and optional `labels`."""

import difflib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rcompile.errors import InputError, Origin
from rcompile.ir.graph import Graph, Value

LABELS = "labels"
RANDOM_SAMPLES = 16
RANDOM_MACS = 20_000_000_000
"""Work limit of random samples: they say little, and a large model takes a second for each."""

DEFAULT_RANGE = (0.0, 1.0)


@dataclass(frozen=True)
class DataSet:
    """Samples for a model. `origin` says where they come from, for reports."""

    inputs: dict[str, np.ndarray]
    labels: np.ndarray | None
    origin: str
    unused: tuple[str, ...] = ()
    """Arrays of the file that are neither inputs nor labels."""

    @property
    def samples(self) -> int:
        """Number of samples."""
        return len(next(iter(self.inputs.values())))


def load_data(path: Path, inputs: Sequence[Value], *, leading_axis: bool) -> DataSet:
    """Read and check a data set; every mistake is reported at once.

    Args:
        path: an .npz file.
        inputs: the model's inputs.
        leading_axis: whether the inputs have a batch axis, which axis 0 replaces.

    Raises:
        InputError: unreadable, or names, shapes, dtypes or values do not fit the model.
    """
    at = Origin(str(path))
    arrays = read_arrays(path)
    names = [value.name for value in inputs]
    mistakes = []
    for value in inputs:
        if value.name not in arrays:
            others = [name for name in arrays if name not in names and name != LABELS]
            close = difflib.get_close_matches(value.name, others, n=1, cutoff=0.0)
            mistakes.append(
                f"there is no array '{value.name}'" + (f"; did you mean to rename '{close[0]}'?" if close else "")
            )
        else:
            mistakes += mistakes_of(value, arrays[value.name], leading_axis=leading_axis)
    lengths = {name: len(array) for name, array in arrays.items() if array.ndim and (name in names or name == LABELS)}
    if len(set(lengths.values())) > 1:
        mistakes.append("arrays differ in length: " + ", ".join(f"{n} {c}" for n, c in lengths.items()))
    elif lengths and min(lengths.values()) == 0:
        mistakes.append("it has no samples")
    labels = arrays.get(LABELS) if LABELS not in names else None
    if labels is not None and (labels.ndim != 1 or labels.dtype.kind not in "iu"):
        mistakes.append(
            f"labels must be whole class numbers, one a sample; they are {labels.dtype} {list(labels.shape)}"
        )
    if mistakes:
        wanted = ", ".join(f"{v.name}: {v.dtype} {wanted_shape(v, leading_axis=leading_axis)}" for v in inputs)
        raise InputError(
            "the data set does not fit the model\n" + "\n".join(f"  {m}" for m in mistakes),
            at=at,
            hint=f"the model wants {wanted}",
        )
    unused = tuple(name for name in arrays if name not in names and name != LABELS)
    return DataSet({name: arrays[name] for name in names}, labels, str(path), unused)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read all arrays of an .npz file."""
    at = Origin(str(path))
    if not path.exists():
        raise InputError("there is no such data file", at=at, hint="check the path")
    if not path.is_file():
        raise InputError("this is a folder, not a data file", at=at, hint="name an .npz file")
    try:
        with path.open("rb") as file:
            magic = file.read(6)
        content = np.load(path, allow_pickle=False) if magic.startswith((b"PK", b"\x93NUMPY")) else None
        if isinstance(content, np.lib.npyio.NpzFile):
            with content:
                return {name: content[name] for name in content.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"this is not a readable .npz file: {' '.join(str(error).split())[:200]}",
            at=at,
            hint="numpy.savez(path, **{input_name: array}) writes one",
        ) from error
    found = "this is no numpy archive" if content is None else "this is a single array"
    raise InputError(
        f"{found}; a data set is an .npz file with one array per model input",
        at=at,
        hint="numpy.savez(path, **{input_name: array}) writes one",
    )


def sample_shape(value: Value, *, leading_axis: bool) -> tuple[int | str | None, ...]:
    """Return the shape of one sample."""
    shape = value.shape or ()
    return shape[1:] if leading_axis else shape


def wanted_shape(value: Value, *, leading_axis: bool) -> str:
    """Return the shape of a data array as text."""
    return "[" + ", ".join(["samples", *map(str, sample_shape(value, leading_axis=leading_axis))]) + "]"


def mistakes_of(value: Value, array: np.ndarray, *, leading_axis: bool) -> list[str]:
    """Return what is wrong with one input's array."""
    found = []
    wanted = sample_shape(value, leading_axis=leading_axis)
    if array.ndim != len(wanted) + 1 or any(
        isinstance(w, int) and w != d for w, d in zip(wanted, array.shape[1:], strict=False)
    ):
        found.append(
            f"'{value.name}' must have the shape {wanted_shape(value, leading_axis=leading_axis)}, "
            f"is {list(array.shape)}"
        )
    if array.dtype.name != value.dtype:
        found.append(f"'{value.name}' must be {value.dtype}, is {array.dtype.name}")
    elif array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        found.append(
            f"'{value.name}' holds {len(bad)} values that are NaN or infinite, the first in sample {bad[0][0]}"
        )
    return found


def random_data(graph: Graph, seed: int, like: DataSet | None, macs: int) -> DataSet:
    """Return seeded random samples: uniform in the range of calibration data, else in the model's own input range.

    Args:
        graph: whose inputs are drawn.
        seed: of the draws.
        like: whose range is taken, if any.
        macs: multiply-accumulates of one inference, which limit the number of samples.
    """
    rng = np.random.default_rng(seed)
    samples = max(1, min(RANDOM_SAMPLES, RANDOM_MACS // max(macs, 1)))
    inputs = {}
    for value in graph.inputs:
        shape = [
            dim if isinstance(dim, int) else 1 for dim in sample_shape(value, leading_axis=graph.batch.leading_axis)
        ]
        low, high = DEFAULT_RANGE
        if like is not None:
            low, high = float(like.inputs[value.name].min()), float(like.inputs[value.name].max())
        elif (known := own_range(value, graph)) is not None:
            low, high = known
        drawn = rng.uniform(low, high, (samples, *shape))
        kind = np.dtype(value.dtype)
        inputs[value.name] = (np.rint(drawn) if kind.kind in "iub" else drawn).astype(kind)
    return DataSet(inputs, None, f"{samples} random sample{'' if samples == 1 else 's'} (seed {seed})")


def own_range(value: Value, graph: Graph) -> tuple[float, float] | None:
    """Return the range that a model states for an input: of its first quantization, or of a byte."""
    kind = np.dtype(value.dtype)
    if kind.kind in "iu" and kind.itemsize == 1:
        return float(np.iinfo(kind).min), float(np.iinfo(kind).max)
    for node in graph.readers.get(value.name, []):
        if node.op_type == "QuantizeLinear" and len(node.inputs) == 3:
            scale, zero = (graph.constants.get(name) for name in node.inputs[1:])
            if scale is not None and zero is not None and scale.size == 1 and zero.dtype.kind in "iu":
                limits = np.iinfo(zero.dtype)
                ends = [float(scale.item() * (end - int(zero.item()))) for end in (limits.min, limits.max)]
                return min(ends), max(ends)
    return None
