"""The independent checker: proves from program.rcx alone that a program is sound.

It shares no code with the compiler or its program representation: it reads the archive, the JSON and the arrays
itself. It proves, for each matrix and copy, that

- slices hold each bit of a code once, and codes decode to the integer weights;
- the blocks of each group, polarity and slice tile the matrix: each weight bit sits in exactly one cell;
- no two blocks share a cell of a crossbar, and none leaves it; where all blocks are read together, none share a
  column, and no two partitions a row; where only a layer's groups may share a crossbar, no other copy is there;
- each partial sum is reduced once;
- the input slices add up to each input; no slice is wider than a cell, or a DAC, of the target, and no more rows are
  read at once than it drives together;
- converters that are said to lose nothing resolve every sum that their columns' cells can cause;
- what SRAM holds shares no crossbar with what RRAM holds;
- where lines of crossbars were chosen, each row and column has one of its own that exists;
- each matrix computes once, after what it reads has begun and not before that has ended, and inferences do not follow
  each other faster than the busiest crossbars allow;
- tiles have slots of their own, and no more crossbars are used than exist.
"""

import io
import json
import zipfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

Json = Any

Reader = Callable[[Json], np.ndarray]
"""Reads an array of the archive."""

NARROW_BITS = 24
"""Codes of up to so many bits are compared in 32-bit integers."""

PROVEN_INPUT_BITS = 16
"""Inputs of up to so many bits are all tried; of wider ones, as many evenly spaced ones."""

TIMES = 1e-9
"""Relative rounding of times."""

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
        check_sections(item, program["rows_at_once"])
        if item["adc"]["lossless"]:
            check_lossless(item, array)
    rule(bool(np.isin(blocks["matrix"], np.arange(len(program["matrices"]))).all()), "a block belongs to no matrix")
    check_memories(program, blocks, places)
    check_cells(program, placed["floorplan"]["crossbars_used"], blocks, places, placed["sharing"])
    check_reduction(array(placed["reduction"]), len(blocks))
    check_floorplan(placed["floorplan"])
    check_schedule(placed)
    if placed["wiring"] is not None:
        check_wiring(placed, manifest["target"]["crossbar"], array)


def rule(holds: object, message: str) -> None:
    """Raise Unsound unless a rule holds."""
    if not holds:
        raise Unsound(message)


def check_codes(item: Json, array: Reader) -> tuple[int, ...]:
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
    check_inputs(item["inputs"], item["matrix"]["input"], name)
    return tuple(codes.shape)


def rows_of_a_weight(item: Json) -> int:
    """Return how many rows a weight takes: two where its pair of cells stands in one column."""
    return 2 if item["encoding"]["scheme"] in {"differential_rows", "xnor_pair"} else 1


def block_polarities(item: Json) -> int:
    """Return how many blocks hold a slice: one a polarity, unless a pair stands in one column."""
    pairs = {"differential_columns", "differential_arrays", "center_offset", "ternary_pair"}
    return 2 if item["encoding"]["scheme"] in pairs else 1


def check_inputs(inputs: Json, code: Json, name: str) -> None:
    """Check that what the DACs present adds up to each input, from its least to its largest."""
    count = 2 ** min(code["bits"], PROVEN_INPUT_BITS)
    steps = np.unique(np.linspace(0, 2 ** code["bits"] - 1, count).astype(np.int64))
    values = code["minimum"] + code["step"] * steps
    total = np.zeros_like(values)
    x = (values - inputs["base"]) // inputs["step"]
    for item in inputs["slices"]:
        source = x if item["part"] == 0 else np.maximum(item["part"] * x, 0)
        digit = (source // 2 ** item["shift"]) % 2 ** item["bits"]
        total += (-1 if item["negative"] else 1) * 2 ** item["shift"] * digit
    wrong = np.flatnonzero(inputs["base"] + inputs["step"] * total != values)
    rule(
        len(wrong) == 0,
        f"{name}: {len(wrong)} inputs are not what their slices add up to, the first is {values[wrong[:1]].tolist()}: "
        "an input bit is held twice or not at all",
    )


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
    pairs = ((item["weight_slices"], cell_bits, "cell"), (item["inputs"]["slices"], dac_bits, "DAC"))
    for slices, limit, what in pairs:
        widest = max(s["bits"] for s in slices)
        rule(widest <= limit, f"{name}: a slice of {widest} bits meets a {what} of {limit}")


def check_sections(item: Json, rows_at_once: int) -> None:
    """Check that sections cut each row partition into rows that may be read at once."""
    name, cuts, rows = item["matrix"]["name"], item["read_cuts"], np.diff(item["read_cuts"])
    rule(set(item["row_cuts"]) <= set(cuts), f"{name}: a section crosses the border of a row partition")
    rule(rows.min() > 0, f"{name}: a section is empty")
    most = int(rows.max()) * rows_of_a_weight(item)
    rule(most <= rows_at_once, f"{name}: {most} rows are read at once, the target drives {rows_at_once}")


def check_lossless(item: Json, array: Reader) -> None:
    """Check that converters resolve every sum that cells can cause, one level a code."""
    name, adc = item["matrix"]["name"], item["adc"]
    codes, cuts = array(item["encoding"]["codes"]), item["read_cuts"]
    flips = None if item["flips"] is None else array(item["flips"])
    bits, low, step = (array(adc[key]).astype(np.int64) for key in ("bits", "low", "step"))
    rule(
        (array(adc["origin"]) == low).all(),
        f"{name}: a converter is said to lose nothing, but reads beside its lowest sum",
    )
    high = low + 2**bits - 1
    tops = np.array([2 ** s["bits"] - 1 for s in item["inputs"]["slices"]]).reshape(-1, 1, 1)
    for section, (start, stop) in enumerate(pairwise(cuts)):
        for index, part in enumerate(item["weight_slices"]):
            levels = (codes[:, :, start:stop].astype(np.int64) >> part["shift"]) & (2 ** part["bits"] - 1)
            if flips is not None:
                inverted = flips[:, section, index][:, None, :]
                levels = np.where(inverted, 2 ** part["bits"] - 1 - levels, levels)
            for polarity, (least, most) in enumerate(extreme_sums(item, levels, 2 ** part["bits"] - 1)):
                place = (slice(None), section, polarity, index)
                own = [picked(table, place) for table in (low, high, step, bits)]
                fits = (own[0] <= tops * least) & (own[1] >= tops * most) & (own[2] == 1) & (own[3] > 0)
                rule(
                    fits.all(),
                    f"{name}: a converter of section {section}, slice {index} is said to lose nothing, but a column "
                    "can sum to more than it resolves",
                )


def extreme_sums(item: Json, levels: np.ndarray, top: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the least and largest sum (G, N) of levels (P, G, K, N) for each polarity that is converted."""
    if item["encoding"]["scheme"] == "xnor_pair":
        other = top - levels[0]
        return [(np.minimum(levels[0], other).sum(axis=1), np.maximum(levels[0], other).sum(axis=1))]
    if len(levels) == 2 and item["analog"]:
        signed = levels[0] - levels[1]
        return [(np.minimum(signed, 0).sum(axis=1), np.maximum(signed, 0).sum(axis=1))]
    return [(np.zeros_like(level.sum(axis=1)), level.sum(axis=1)) for level in levels]


def picked(table: np.ndarray, place: tuple[int | slice, ...]) -> np.ndarray:
    """Return entries of a converter table; an axis of size 1 stands for all."""
    index = [
        slice(None) if isinstance(p, slice) else p if n > 1 else 0 for n, p in zip(table.shape, place, strict=False)
    ]
    return np.asarray(table[tuple(index)])


def check_memories(program: Json, blocks: np.ndarray, places: np.ndarray) -> None:
    """Check that no crossbar holds slices of both memories."""
    most = max(len(item["weight_slices"]) for item in program["matrices"])
    in_sram = np.zeros((len(program["matrices"]), most), bool)
    for index, item in enumerate(program["matrices"]):
        in_sram[index, : len(item["weight_slices"])] = [s["memory"] == "sram" for s in item["weight_slices"]]
    sram = in_sram[blocks["matrix"], blocks["weight_slice"]]
    both = np.intersect1d(places["crossbar"][sram], places["crossbar"][~sram])
    rule(len(both) == 0, f"crossbar {both[:1].tolist()} holds slices of SRAM and of RRAM")


def check_cover(item: Json, own: np.ndarray, shape: tuple[int, ...]) -> None:
    """Check that the blocks of each copy, group, polarity and slice tile the matrix without gap or overlap."""
    name = item["matrix"]["name"]
    _, groups, rows, columns = shape
    counts = (item["replicas"], groups, block_polarities(item), len(item["weight_slices"]))
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


def check_cells(program: Json, crossbars: int, blocks: np.ndarray, places: np.ndarray, sharing: str) -> None:
    """Check that blocks stay inside crossbars that exist, and have cells, or rows and columns, to themselves."""
    per_weight = np.array([rows_of_a_weight(item) for item in program["matrices"]])
    bottom = places["row"] + (blocks["row_stop"] - blocks["row_start"]) * per_weight[blocks["matrix"]]
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
    if sharing == "exclusive":
        by_crossbar = np.argsort(places["crossbar"], kind="stable")
        numbers = places["crossbar"][by_crossbar]
        for crossbar in np.unique(places["crossbar"][clash]):
            start, stop = np.searchsorted(numbers, crossbar), np.searchsorted(numbers, crossbar, side="right")
            block = overlapping(by_crossbar[start:stop], places, bottom, right)
            if block is not None:
                raise Unsound(f"{first(np.arange(len(blocks)) == block)} shares a cell with another block")
        return
    rule(not clash.any(), f"{first(clash) if clash.any() else ''} shares a column with another block")
    inputs = np.stack([blocks[key] for key in ("matrix", "replica", "group", "row_start", "column_start")], axis=1)
    order = np.lexsort((places["row"], places["crossbar"]))
    before, after = order[:-1], order[1:]
    same = (places["crossbar"][before] == places["crossbar"][after]) & (places["row"][after] < bottom[before])
    alike = (inputs[before] == inputs[after]).all(axis=1) & (places["row"][before] == places["row"][after])
    mixed = np.zeros(len(blocks), bool)
    mixed[after] = same & ~alike
    rule(not mixed.any(), f"{first(mixed) if mixed.any() else ''} shares a row with another partition")
    if sharing == "layer":
        order = np.argsort(places["crossbar"], kind="stable")
        before, after = order[:-1], order[1:]
        other = np.zeros(len(blocks), bool)
        other[after] = (places["crossbar"][before] == places["crossbar"][after]) & (
            inputs[before, :2] != inputs[after, :2]
        ).any(axis=1)
        rule(not other.any(), f"{first(other) if other.any() else ''} stands beside another copy or layer")


def overlapping(own: np.ndarray, places: np.ndarray, bottom: np.ndarray, right: np.ndarray) -> int | None:
    """Return a block of one crossbar that shares a cell with another one, if any does."""
    used = np.zeros((int(bottom[own].max()), int(right[own].max())), bool)
    for block in own:
        area = used[places["row"][block] : bottom[block], places["column"][block] : right[block]]
        if area.any():
            return int(block)
        area[:] = True
    return None


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
    total = plan["chips"] * plan["mesh_layers"] * plan["mesh_rows"] * plan["mesh_columns"]
    rounds = np.array(plan["rounds"])
    rule(len(rounds) == len(slots), f"{len(slots)} tiles have {len(rounds)} rounds")
    for number in range(int(rounds.max()) + 1):
        there = [slots[t] for t in range(len(slots)) if rounds[t] == number or t >= plan["resident"]]
        rule(len(set(there)) == len(there), "two tiles sit in one slot")
    rule(all(0 <= slot < total for slot in slots), "a tile sits off the mesh")
    rule(len(slots) * plan["crossbars_per_tile"] >= plan["crossbars_used"], "crossbars are used that no tile holds")


def check_schedule(placed: Json) -> None:
    """Check that stages are in an order in which they can compute, and that the interval leaves them time."""
    matrices, stages = placed["program"]["matrices"], placed["stages"]
    names = [item["matrix"]["name"] for item in matrices]
    turns = {stage["matrix"]: turn for turn, stage in enumerate(stages)}
    rule(sorted(turns) == list(range(len(names))) and len(stages) == len(names), "a matrix computes never, or twice")
    for stage in stages:
        name, lasting = names[stage["matrix"]], stage["stop_s"] - stage["start_s"]
        rule(stage["start_s"] >= 0, f"{name} computes before the first inference begins")
        rule(stage["busy_s"] <= lasting * (1 + TIMES), f"{name} computes for longer than from its start to its stop")
        rule(stage["busy_s"] <= placed["interval_s"] * (1 + TIMES), f"inferences follow faster than {name} computes")
    for edge in placed["program"]["source"]["edges"]:
        first, then = turns[edge["producer"]], turns[edge["consumer"]]
        if first < then:  # not what a loop carries back
            early = stages[then]["start_s"] < stages[first]["start_s"] * (1 - TIMES)
            early |= stages[then]["stop_s"] < stages[first]["stop_s"] * (1 - TIMES)
            rule(not early, f"{names[edge['consumer']]} does not wait for {names[edge['producer']]}, which it reads")


def check_wiring(placed: Json, crossbar: Json, array: Reader) -> None:
    """Check that rows and columns of each crossbar have lines of their own."""
    crossbars = placed["floorplan"]["crossbars_used"]
    for kind in ("rows", "columns"):
        lines, count = array(placed["wiring"][kind]), placed["program"][f"crossbar_{kind}"]
        have = crossbar[kind] + crossbar[f"spare_{kind}"]
        rule(lines.shape == (crossbars, count), f"the {kind} of {crossbars} crossbars are not all wired")
        off = np.argwhere(lines >= have)
        rule(len(off) == 0, f"crossbar {off[:1, 0].tolist()} has no line {lines.max()} for one of its {kind}")
        ordered = np.sort(lines, axis=1)
        twice = np.flatnonzero((ordered[:, 1:] == ordered[:, :-1]).any(axis=1))
        rule(len(twice) == 0, f"two {kind} of crossbar {twice[:1].tolist()} share a line")
