"""What `rcompile doctor` prints: what computes here, and whether it computes right."""

import os
import platform
from importlib import metadata

import numpy as np
from rich.console import Console

from rcompile.devices.normals import normals, seeds_of
from rcompile.kernels import CHOICE, Columns, Kernels, all_kernels, chosen
from rcompile.workers import processors

LIBRARIES = ("numpy", "onnx", "onnxruntime", "ortools", "scipy")


def examine(console: Console) -> bool:
    """Print what computes here; return whether it computes right."""
    console.print(
        f"rcompile {metadata.version('rcompile')}, Python {platform.python_version()}, "
        f"{platform.system()} {platform.machine()}",
        highlight=False,
    )
    console.print(f"processors: {processors()} of {os.cpu_count()} may be used", highlight=False)
    console.print("libraries: " + ", ".join(f"{name} {metadata.version(name)}" for name in LIBRARIES), highlight=False)
    kernels = all_kernels()
    if not kernels:
        console.print(
            "engine: numpy; kernels were not compiled when rcompile was installed. It computes the same, several times "
            "more slowly.\nhint: install a C++17 compiler (g++ or clang), then: "
            "pip install --force-reinstall --no-deps --no-cache-dir rcompile"
        )
        return True
    used = chosen()
    by_choice = f", as {CHOICE} asks" if CHOICE in os.environ else ", the best of those that run here"
    console.print(f"engine: {'numpy' if used is None else f'kernels {used.name}'}{by_choice}", highlight=False)
    sound = True
    for one in kernels:
        if not one.runs:
            console.print(f"  {one.name}: compiled; this processor lacks it", highlight=False)
            continue
        right = draws_right(one) and reads_right(one)
        sound = sound and right
        text = (
            "compiled; computes what numpy does" if right else "[bold red]WRONG[/]: it does not compute what numpy does"
        )
        console.print(f"  {one.name}: {text}", highlight=False)
    return sound


def draws_right(kernels: Kernels) -> bool:
    """Tell whether kernels do what numpy does, on the operations that differ most between processors."""
    seeds, columns = seeds_of((1, 2), np.arange(1000), 3), np.arange(16, dtype=np.uint32)
    return all(np.array_equal(kernels.normals(seeds, columns, w), normals(seeds, columns, w)) for w in (0, 1))


def reads_right(kernels: Kernels) -> bool:
    """Tell whether kernels read a crossbar as numpy does, with cells of few and of many bits."""
    rng = np.random.default_rng(0)
    rows, columns, vectors = 45, 7, 33
    inputs = rng.integers(0, 256, (vectors, rows), np.uint8)
    packed = kernels.pack(inputs, np.array([[0, rows]]), 8)
    digits = inputs[:, :, None] >> np.arange(8, dtype=np.uint8) & 1
    for bits, top in ((2, 20), (15, 2**14)):
        cells = np.zeros((columns, kernels.groups(rows) * kernels.group), np.uint16)
        cells[:, :rows] = rng.integers(0, 2**bits, (columns, rows))
        low, shift = rng.integers(0, 9, (columns, 8), np.int32), rng.integers(0, 3, (columns, 8), np.int32)
        each, none = np.arange(columns, dtype=np.int32), np.zeros((columns, 8), np.int32)
        read = Columns(
            cells, 0, -(-bits // 5), min(bits, 5), low, shift, none + top, none, none[:, 0].copy(), each,
            each.astype(np.int64), narrow=bits == 2,
        )  # fmt: skip
        found = np.zeros((columns, vectors))
        kernels.read(packed, read, 1, found)
        sums = np.einsum("vrd,cr->vcd", digits.astype(np.int64), cells[:, :rows].astype(np.int64))
        codes = np.clip(sums - low >> shift, 0, top)
        if not np.array_equal(found.T, codes @ 2.0 ** np.arange(8)):
            return False
    return True
