"""What each layer of a placed program makes the chip do in one inference: targets/actions.py says what is counted.

Counts are of full activity: a row counts as driven, and a cell as read, whatever digit the input has. Work that copies
share is counted once, since each takes its part of the vectors.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.crossbar import BlockTable, CrossbarMatrix
from rcompile.ir.encoding import Memory
from rcompile.ir.matrix import Matrix
from rcompile.ir.placed import PlacedProgram
from rcompile.mapper.topology import fabric_of
from rcompile.mapper.traffic import Spread, firsts, numbered, spreads
from rcompile.targets import Target
from rcompile.targets.actions import ACTIONS


@dataclass(frozen=True)
class Counted:
    """What one layer does in one inference.

    Attributes:
        actions: how often, by the names of ACTIONS.
        conversions: how many of each resolution that is paid for.
        at_work_s: by level, seconds in which what holds the layer is at work, summed over all that hold it.
    """

    actions: dict[str, float]
    conversions: dict[int, float]
    at_work_s: dict[str, float]


def count(placed: PlacedProgram, target: Target) -> tuple[Counted, ...]:
    """Return what each matrix does, in the order of the program."""
    found = spreads(placed.program, placed.places, placed.floorplan.crossbars_per_tile)
    work = at_work(placed, target)
    heights = placed.program.heights()
    counted = []
    for index in range(len(placed.program.matrices)):
        inside, conversions = reading_actions(placed, target, index, heights)
        actions = inside | moving_actions(placed, found, index)
        actions["conversion"] = sum(conversions.values())
        counted.append(Counted(actions, conversions, {level: float(seconds[index]) for level, seconds in work.items()}))
    return tuple(counted)


def count_digital(placed: PlacedProgram, target: Target) -> Counted:
    """Return what the operators between matrices do: digital units work on their elements, wherever those are."""
    elements = sum(item.elements for item in placed.program.source.placements)
    actions = dict.fromkeys((name for name in ACTIONS if name != "time"), 0.0) | {"element": float(elements)}
    return Counted(actions, {}, dict.fromkeys(target.levels, 0.0))


def reading_actions(
    placed: PlacedProgram, target: Target, index: int, heights: NDArray[np.int64]
) -> tuple[dict[str, float], dict[int, float]]:
    """Return what happens inside the crossbars and cores of a matrix, and its conversions by resolution."""
    program = placed.program
    item, own = program.matrices[index], program.blocks["matrix"] == index
    blocks, crossbar = program.blocks[own], placed.places["crossbar"][own]
    heights = heights[own]
    widths = (blocks["column_stop"] - blocks["column_start"]).astype(np.int64)
    slices = item.presented.slices
    pulses = target.inputs.encoding == "pulse_width"
    digits, cycles = len(slices), sum(s.top if pulses else 1 for s in slices)
    each = item.matrix.vectors / item.replicas  # vectors of a copy
    partition = (blocks["replica"], blocks["group"], blocks["row_start"], blocks["column_start"])
    in_sram = np.array([s.memory is Memory.SRAM for s in item.weight_slices])[blocks["weight_slice"]]
    read = activations(placed, item, blocks, crossbar)
    turns = float(read.sum()) * (program.crossbar_rows / program.rows_at_once if placed.takes_turns else 1)
    rows = firsts(crossbar, *partition)
    core = crossbar // target.hierarchy.counts[0]
    taken = firsts(core, *partition[:3])
    handed = firsts(core, *partition)
    input_rows = (blocks["row_stop"] - blocks["row_start"]).astype(np.int64)
    plain = conversions(item, target)
    converted = sum(plain.values())
    units = turns * digits * each * target.crossbar.unit_columns if item.needs_input_sums and plain else 0.0
    actions = {
        "read": float(read[~in_sram].sum()) * cycles * each,
        "sram_read": float(read[in_sram].sum()) * cycles * each,
        "cell": float((heights * widths)[~in_sram].sum()) * cycles * each,
        "row": float(heights[rows].sum()) * digits * each,
        "sample": converted,
        "shift_add": converted,
        "input_byte": float(input_rows[taken].sum()) * item.matrix.input.bits / 8 * each,
        "output_byte": float(widths[handed].sum()) * item.sent.bytes_each * each,
        "element": float(item.matrix.vectors * item.matrix.groups * item.matrix.columns),
    }
    return actions, plain | ({target.adc.bits: plain.get(target.adc.bits, 0.0) + units} if units else {})


def activations(
    placed: PlacedProgram, item: CrossbarMatrix, blocks: BlockTable, crossbar: NDArray[np.integer]
) -> NDArray[np.float64]:
    """Return for each block how often its crossbar is read for a digit on its account: of those read together, once.

    A read of fewer rows than the crossbar has counts as their share of it.
    """
    partition = (blocks["replica"], blocks["group"], blocks["row_start"], blocks["column_start"])
    found = np.zeros(len(blocks))
    if placed.takes_turns:
        first = firsts(crossbar, *partition)
        borders = np.searchsorted(item.read_cuts, [blocks["row_start"][first], blocks["row_stop"][first]])
        found[first] = (borders[1] - borders[0]) * placed.program.rows_at_once / placed.program.crossbar_rows
    else:
        found[firsts(crossbar, blocks["replica"])] = 1
    return found


def conversions(item: CrossbarMatrix, target: Target) -> dict[int, float]:
    """Return how many conversions of each resolution a matrix needs, those of unit columns apart.

    Converters that can stop early are paid by the bits that they resolve, others by those that they have.
    """
    adc, have = item.converter, target.adc.bits
    if adc.kind == "none":
        return {}
    every = prod(item.conversions) * item.matrix.vectors
    bits, counts = np.unique(adc.bits, return_counts=True)
    stops_early = target.adc.adjustable or target.adc.resolution == "adaptive"
    found: dict[int, float] = {}
    for resolution, number in zip(bits.tolist(), counts.tolist(), strict=True):
        if resolution:  # those of none are left out
            paid = resolution if stops_early else max(resolution, have)
            found[paid] = found.get(paid, 0.0) + every * number / adc.bits.size
    return found


def moving_actions(placed: PlacedProgram, found: Sequence[Spread], index: int) -> dict[str, float]:
    """Return what a matrix moves through buffers, over the mesh and between chips; what it sends is on its account."""
    program, own = placed.program, found[index]
    item = program.matrices[index]
    matrix, each = item.matrix, item.sent.bytes_each
    edges = enumerate(program.source.edges)
    incoming = sum(edge.bytes * float(own.gets[n].sum()) for n, edge in edges if edge.consumer == index)
    fetched = float(own.reads.sum()) * matrix.groups * matrix.rows * matrix.vectors * matrix.input.bits / 8
    arrived = incoming or float(own.reads.sum()) * input_codes(matrix) * matrix.input.bits / 8
    sums = own.sums[2]
    handed = item.sent.count * each
    hops = chips = 0.0
    for senders, receivers, amounts in sent(placed, found, index):
        near, far = travelled(placed, senders, receivers)
        hops += float((amounts * near).sum())
        chips += float((amounts * far).sum())
    partial = float(sums.sum()) * each
    return {
        "buffer_byte": arrived + partial + fetched,
        "bus_byte": fetched + handed,
        "hop_byte": hops,
        "chip_byte": chips,
    }


def input_codes(matrix: Matrix) -> int:
    """Return how many codes the tensor has that a matrix reads; a convolution reads each several times."""
    if matrix.window is None:
        return matrix.vectors * matrix.groups * matrix.rows
    channels = matrix.groups * matrix.rows // prod(matrix.window.kernel)
    return matrix.vectors // matrix.window.positions * channels * prod(matrix.window.input_shape)


def sent(
    placed: PlacedProgram, found: Sequence[Spread], index: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.floating]]]:
    """Return (sending tiles, receiving tiles, bytes) of a matrix: partial sums, then outputs for each consumer."""
    own = found[index]
    source, destination, sums = own.sums
    flows = [(own.tiles[source], own.tiles[destination], sums * float(placed.program.matrices[index].sent.bytes_each))]
    for number, edge in enumerate(placed.program.source.edges):
        if edge.producer == index:
            consumer = found[edge.consumer]
            senders, receivers = np.repeat(own.tiles, len(consumer.tiles)), np.tile(consumer.tiles, len(own.tiles))
            flows.append((senders, receivers, edge.bytes * np.outer(own.makes, consumer.gets[number]).reshape(-1)))
    return flows


def travelled(
    placed: PlacedProgram, senders: NDArray[np.int64], receivers: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return hops inside chips, and from chip to chip, of what tiles send each other; none between rounds."""
    plan = placed.floorplan
    fabric, slots, rounds = fabric_of(plan), np.array(plan.slots), np.array(plan.rounds)
    start, stop = slots[senders], slots[receivers]
    together = (rounds[senders] == rounds[receivers]).astype(np.int64)
    far = np.abs(start // plan.tiles_per_chip - stop // plan.tiles_per_chip)
    return (fabric.hops(start, stop) - far) * together, far * together


def at_work(placed: PlacedProgram, target: Target) -> dict[str, NDArray[np.float64]]:
    """Return by level how long what holds each matrix is at work, summed over all that hold it.

    What holds several matrices is at work for the sum of their times, at most for the interval, and shared among
    them in proportion: that they overlap is not known in general.
    """
    program, plan = placed.program, placed.floorplan
    busy = np.zeros(len(program.matrices))
    for stage in placed.stages:
        busy[stage.matrix] = stage.busy_s
    place = placed.places["crossbar"].astype(np.int64)
    chip = np.array(plan.slots)[placed.tile_of(place)] // plan.tiles_per_chip
    found: dict[str, NDArray[np.float64]] = {}
    for level, size in target.levels.items():
        held = numbered(place // size if level != "chip" else chip, program.blocks["matrix"])
        first = np.unique(held, return_index=True)[1]
        matrix = program.blocks["matrix"][first]
        holder = numbered((place // size if level != "chip" else chip)[first])
        total = np.bincount(holder, busy[matrix])
        scale = np.minimum(1.0, placed.interval_s / np.maximum(total, np.finfo(float).tiny))
        found[level] = np.bincount(matrix, busy[matrix] * scale[holder], len(busy)).astype(np.float64)
    return found
