"""The independent checker: proves from program.rcx alone that a program is sound.

It shares no code with the compiler or its program representation: it reads the archive, the JSON and the arrays
itself. It proves, for each matrix and copy, that

- slices hold each bit of a code once, and codes decode to the integer weights;
- the blocks of each group, polarity and slice tile the matrix: each weight bit sits in exactly one cell;
- no two blocks share a cell, or a column, of a crossbar, and none leaves its crossbar;
- each partial sum is reduced once;
- each input bit is presented in one cycle; no slice is wider than a cell, or a DAC, of the target;
- tiles have slots of their own, and no more crossbars are used than exist.
"""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

Json = Any

NARROW_BITS = 24
"""Codes of up to so many bits are compared in 32-bit integers."""

SLAB_ROWS = 256
"""Rows of a matrix that are checked together: large layers would fill the memory."""


class Unsound(Exception):  # noqa: N818 - a verdict
    """The rule that a program breaks."""


def check_program(path: Path) -> None:
    """Check a program file.

    Raises:
        Unsound: with the broken rule, the matrix and the values.
    """
    with zipfile.ZipFile(path) as archive:
        check_archive(archive)


def check_archive(archive: zipfile.ZipFile) -> None:
    """Check an open program file; arrays are read when they are needed, and let go."""
    manifest = json.loads(archive.read("manifest.json"))

    def array(value: Json) -> np.ndarray:
        return np.load(io.BytesIO(archive.read(f"arrays/{value['array']}.npy")))

    placed = manifest["placed"]
    program = placed["program"]
    blocks, places = array(program["blocks"]), array(placed["places"])
    rule(len(blocks) == len(places), f"{len(blocks)} blocks have {len(places)} places")
    for index, item in enumerate(program["matrices"]):
        own = blocks[blocks["matrix"] == index]
        shape = check_codes(item, array)
        check_cover(item, own, shape)
        check_widths(item, program["cell_bits"], manifest["target"]["inputs"]["dac_bits"])
    rule(bool(np.isin(blocks["matrix"], np.arange(len(program["matrices"]))).all()), "a block belongs to no matrix")
    check_cells(program, placed["floorplan"]["crossbars_used"], blocks, places)
    check_reduction(array(placed["reduction"]), len(blocks))
    check_floorplan(placed["floorplan"])


def rule(holds: object, message: str) -> None:
    """Raise Unsound unless a rule holds."""
    if not holds:
        raise Unsound(message)


def check_codes(item: Json, array: Any) -> tuple[int, ...]:  # noqa: ANN401 - the reader of arrays
    """Check that codes stand for the weights and slices for their bits; return the codes' shape."""
    name = item["matrix"]["name"]
    encoding = item["encoding"]
    codes, weights = array(encoding["codes"]), array(item["matrix"]["weights"])
    offset, step = array(encoding["offset"])[:, None, :], array(encoding["step"])[:, None, :]
    plain = bool((step == 1).all())
    if encoding["code_bits"] <= NARROW_BITS and plain:
        offset, step = offset.astype(np.int32), step.astype(np.int32)
    rule(codes.shape[1:] == weights.shape, f"{name}: there are not as many codes as weights")
    for start in range(0, weights.shape[1], SLAB_ROWS):
        part = codes[:, :, start : start + SLAB_ROWS].astype(step.dtype)
        value = part[0] - part[1] if len(part) == 2 else part[0]
        value = offset + (value if plain else step * value)
        wrong = np.argwhere(value != weights[:, start : start + SLAB_ROWS])
        rule(
            len(wrong) == 0,
            f"{name}: {len(wrong)} codes do not stand for their weights, the first at "
            f"{[[g, int(k) + start, n] for g, k, n in wrong[:1].tolist()]}",
        )
    rule(int(codes.max()) < 2 ** encoding["code_bits"], f"{name}: a code exceeds {encoding['code_bits']} bits")
    check_bits(item["weight_slices"], encoding["code_bits"], f"{name}: weight")
    check_bits(item["input_slices"], item["matrix"]["input"]["bits"], f"{name}: input")
    return tuple(codes.shape)


def check_bits(slices: Json, bits: int, what: str) -> None:
    """Check that slices hold each bit once."""
    held = np.zeros(max([bits, *(s["shift"] + s["bits"] for s in slices)]), int)
    for item in slices:
        held[item["shift"] : item["shift"] + item["bits"]] += 1
    expected = np.arange(len(held)) < bits
    wrong = np.flatnonzero(held != expected)
    rule(len(wrong) == 0, f"{what} bit {wrong[:1].tolist()} is held {held[wrong[:1]].tolist()} times, not once")


def check_widths(item: Json, cell_bits: int, dac_bits: int) -> None:
    """Check that a cell can hold its weight slice and a DAC can present its input slice."""
    name = item["matrix"]["name"]
    for slices, limit, what in ((item["weight_slices"], cell_bits, "cell"), (item["input_slices"], dac_bits, "DAC")):
        widest = max(s["bits"] for s in slices)
        rule(widest <= limit, f"{name}: a slice of {widest} bits meets a {what} of {limit}")


def check_cover(item: Json, own: np.ndarray, shape: tuple[int, ...]) -> None:
    """Check that the blocks of each copy, group, polarity and slice tile the matrix without gap or overlap."""
    name = item["matrix"]["name"]
    polarities, groups, rows, columns = shape
    counts = (item["replicas"], groups, polarities, len(item["weight_slices"]))
    keys = np.stack([own[key] for key in ("replica", "group", "polarity", "weight_slice")], axis=1).astype(np.int64)
    limits = np.array(counts)
    rule(
        bool(((keys >= 0) & (keys < limits)).all()),
        f"{name}: a block has a copy, group, polarity or slice that does not exist",
    )
    inside = (
        (own["row_start"] >= 0)
        & (own["row_stop"] <= rows)
        & (own["column_start"] >= 0)
        & (own["column_stop"] <= columns)
    )
    solid = (own["row_start"] < own["row_stop"]) & (own["column_start"] < own["column_stop"])
    rule(bool((inside & solid).all()), f"{name}: a block lies outside of the {rows} x {columns} matrix or is empty")
    flat = np.ravel_multi_index(tuple(keys.T), counts)
    row_edges = np.unique(np.concatenate([[0, rows], own["row_start"], own["row_stop"]]))
    column_edges = np.unique(np.concatenate([[0, columns], own["column_start"], own["column_stop"]]))
    cover = np.zeros((int(np.prod(counts)), len(row_edges), len(column_edges)), np.int32)
    top, bottom = np.searchsorted(row_edges, own["row_start"]), np.searchsorted(row_edges, own["row_stop"])
    left, right = np.searchsorted(column_edges, own["column_start"]), np.searchsorted(column_edges, own["column_stop"])
    for row, column, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        np.add.at(cover, (flat, row, column), sign)
    times = cover.cumsum(axis=1).cumsum(axis=2)[:, :-1, :-1]
    wrong = np.argwhere(times != 1)
    if len(wrong):
        which, row, column = wrong[0]
        copy, group, polarity, weight_slice = np.unravel_index(which, counts)
        raise Unsound(
            f"{name}: weight [{row_edges[row]}, {column_edges[column]}] of copy {copy}, group {group}, "
            f"polarity {polarity}, slice {weight_slice} sits in {times[which, row, column]} cells, not in one"
        )


def check_cells(program: Json, crossbars: int, blocks: np.ndarray, places: np.ndarray) -> None:
    """Check that blocks stay inside crossbars that exist, and have their columns to themselves."""
    bottom = places["row"] + blocks["row_stop"] - blocks["row_start"]
    right = places["column"] + blocks["column_stop"] - blocks["column_start"]
    names = [item["matrix"]["name"] for item in program["matrices"]]

    def first(bad: np.ndarray) -> str:
        index = int(np.flatnonzero(bad)[0])
        return f"block {index} of {names[blocks['matrix'][index]]} on crossbar {places['crossbar'][index]}"

    off = (places["crossbar"] < 0) | (places["crossbar"] >= crossbars)
    rule(not off.any(), f"{first(off) if off.any() else ''}: there are only {crossbars} crossbars")
    out = (
        (places["row"] < 0)
        | (places["column"] < 0)
        | (bottom > program["crossbar_rows"])
        | (right > program["crossbar_columns"])
    )
    rule(not out.any(), f"{first(out) if out.any() else ''} leaves the crossbar")
    order = np.lexsort((places["column"], places["crossbar"]))
    clash = np.zeros(len(blocks), bool)
    same = places["crossbar"][order][1:] == places["crossbar"][order][:-1]
    clash[order[1:]] = same & (places["column"][order][1:] < right[order][:-1])
    rule(not clash.any(), f"{first(clash) if clash.any() else ''} shares a column with another block")


def check_reduction(reduction: np.ndarray, blocks: int) -> None:
    """Check that each block's partial sum enters the adder tree once."""
    rule(reduction.min() >= 0 and reduction.max() < blocks, "the reduction names a block that does not exist")
    times = np.bincount(reduction, minlength=blocks)
    wrong = np.flatnonzero(times != 1)
    rule(
        len(wrong) == 0,
        f"the partial sum of block {wrong[:1].tolist()} is reduced {times[wrong[:1]].tolist()} times, not once",
    )


def check_floorplan(plan: Json) -> None:
    """Check tiles and capacity."""
    slots = plan["slots"]
    total = plan["chips"] * plan["mesh_rows"] * plan["mesh_columns"]
    rule(len(set(slots)) == len(slots), "two tiles sit in one slot")
    rule(all(0 <= slot < total for slot in slots), "a tile sits off the mesh")
    rule(len(slots) * plan["crossbars_per_tile"] >= plan["crossbars_used"], "crossbars are used that no tile holds")
