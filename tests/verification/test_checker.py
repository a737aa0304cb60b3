"""The independent checker accepts what the compiler makes, and names the rule that a mutation breaks."""

import dataclasses

import numpy as np
import pytest
from conftest import MODELS

from rcompile.compiler import compile_file
from rcompile.ir import container
from rcompile.options import Options
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target
from rcompile.verification.checker import Unsound, check_program


@pytest.fixture(scope="module", params=["offset_flip", "differential_columns"])
def compiled(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("programs") / "program.rcx"
    target = resolve_target("isaac", {"weights.sign": request.param, "crossbar.rows": "32", "crossbar.columns": "32"})
    options = Options(verify=False)
    compile_file(MODELS / "digits_lenet_int8.onnx", target, path, options, Trace())
    check_program(path)
    return container.load(path)


def check(compiled, tmp_path, **changes) -> None:
    """Save a program with some tables changed, and check the file."""
    placed = compiled.placed
    program = dataclasses.replace(
        placed.program, **{key: changes.pop(key) for key in ("blocks", "matrices", "cell_bits") if key in changes}
    )
    changed = dataclasses.replace(compiled, placed=dataclasses.replace(placed, program=program, **changes))
    container.save(changed, tmp_path / "program.rcx")
    check_program(tmp_path / "program.rcx")


BLOCK_MUTATIONS = {
    "row_stop": (-1, "in 0 cells"),
    "row_start": (1, "in 0 cells"),
    "column_stop": (-1, "in 0 cells"),
    "column_start": (1, "in 0 cells"),
    "weight_slice": (1, "cells, not in one|does not exist"),
    "replica": (1, "does not exist"),
    "group": (1, "does not exist"),
    "polarity": (1, "does not exist|cells, not in one"),
    "matrix": (1, "cells, not in one|outside|does not exist|belongs to no matrix"),
}


@pytest.mark.parametrize("field", BLOCK_MUTATIONS)
@pytest.mark.parametrize("seed", range(4))
def test_a_wrong_block_is_named(compiled, tmp_path, field, seed):
    change, message = BLOCK_MUTATIONS[field]
    blocks = compiled.placed.program.blocks.copy()
    blocks[field][np.random.default_rng(seed).integers(len(blocks))] += change
    with pytest.raises(Unsound, match=rf"{message}|is empty|outside"):
        check(compiled, tmp_path, blocks=blocks)


@pytest.mark.parametrize("seed", range(4))
def test_a_block_listed_twice_in_place_of_another_is_named(compiled, tmp_path, seed):
    blocks = compiled.placed.program.blocks.copy()
    first, second = np.random.default_rng(seed).choice(len(blocks), 2, replace=False)
    blocks[first] = blocks[second]
    with pytest.raises(Unsound, match=r"cells, not in one|is held"):
        check(compiled, tmp_path, blocks=blocks)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("crossbar", 10**6, "there are only"),
        ("crossbar", -1, "there are only"),
        ("row", 31, "leaves the crossbar"),
        ("row", -1, "leaves the crossbar"),
        ("column", 32, "leaves the crossbar"),
    ],
)
def test_a_place_off_the_chip_is_named(compiled, tmp_path, field, value, message):
    places = compiled.placed.places.copy()
    places[field][len(places) // 2] = value
    with pytest.raises(Unsound, match=message):
        check(compiled, tmp_path, places=places)


def shared(sharing: str, folder):
    target = resolve_target("isaac", {"crossbar.sharing": sharing})
    compile_file(MODELS / "digits_lenet.onnx", target, folder / "program.rcx", Options(verify=False), Trace())
    check_program(folder / "program.rcx")
    return container.load(folder / "program.rcx")


def of_two_layers(compiled) -> tuple[int, int]:
    """Blocks of different layers on one crossbar."""
    places, blocks = compiled.placed.places, compiled.placed.program.blocks
    for first in range(len(blocks)):
        beside = (places["crossbar"] == places["crossbar"][first]) & (blocks["matrix"] != blocks["matrix"][first])
        if beside.any():
            return first, int(np.flatnonzero(beside)[0])
    raise AssertionError("no crossbar is shared")


@pytest.mark.parametrize(
    ("sharing", "field", "message"),
    [
        ("concurrent", "column", r"shares a column with another block|leaves the crossbar"),
        ("concurrent", "row", r"shares a row with another partition|leaves the crossbar"),
    ],
)
def test_layers_on_the_same_rows_or_columns_are_named(tmp_path, sharing, field, message):
    compiled = shared(sharing, tmp_path)
    first, second = of_two_layers(compiled)
    places = compiled.placed.places.copy()
    places[field][first] = places[field][second]
    with pytest.raises(Unsound, match=message):
        check(compiled, tmp_path, places=places)


def test_layers_on_the_same_cells_are_named(tmp_path):
    compiled = shared("exclusive", tmp_path)
    first, second = of_two_layers(compiled)
    places = compiled.placed.places.copy()
    places[first] = places[second]
    with pytest.raises(Unsound, match=r"shares a cell with another block|leaves the crossbar"):
        check(compiled, tmp_path, places=places)


@pytest.mark.parametrize("seed", range(4))
def test_two_blocks_on_the_same_columns_are_named(compiled, tmp_path, seed):
    places = compiled.placed.places.copy()
    first, second = np.random.default_rng(seed).choice(len(places), 2, replace=False)
    places[first] = places[second]
    with pytest.raises(Unsound, match=r"shares a column|leaves the crossbar"):
        check(compiled, tmp_path, places=places)


@pytest.mark.parametrize("seed", range(4))
def test_a_partial_sum_reduced_twice_is_named(compiled, tmp_path, seed):
    reduction = compiled.placed.reduction.copy()
    first, second = np.random.default_rng(seed).choice(len(reduction), 2, replace=False)
    reduction[first] = reduction[second]
    with pytest.raises(Unsound, match="the partial sum of block"):
        check(compiled, tmp_path, reduction=reduction)


@pytest.mark.parametrize("seed", range(4))
def test_a_wrong_cell_is_named(compiled, tmp_path, seed):
    rng = np.random.default_rng(seed)
    matrices = list(compiled.placed.program.matrices)
    index = rng.integers(len(matrices))
    codes = matrices[index].encoding.codes.copy()
    codes.flat[rng.integers(codes.size)] ^= 1
    encoding = dataclasses.replace(matrices[index].encoding, codes=codes)
    matrices[index] = dataclasses.replace(matrices[index], encoding=encoding)
    with pytest.raises(Unsound, match="1 codes do not stand for their weights"):
        check(compiled, tmp_path, matrices=tuple(matrices))


@pytest.mark.parametrize("what", ["weight bit", "input bit"])
def test_a_bit_that_is_lost_or_held_twice_is_named(compiled, tmp_path, what):
    matrices = list(compiled.placed.program.matrices)
    item = matrices[0]
    if what == "weight bit":
        slices = (item.weight_slices[0], item.weight_slices[0], *item.weight_slices[2:])
        matrices[0] = dataclasses.replace(item, weight_slices=slices)
    else:
        slices = (item.inputs.slices[0], item.inputs.slices[0], *item.inputs.slices[2:])
        matrices[0] = dataclasses.replace(item, inputs=dataclasses.replace(item.inputs, slices=slices))
    with pytest.raises(Unsound, match=what):
        check(compiled, tmp_path, matrices=tuple(matrices))


def test_converters_that_only_claim_to_lose_nothing_are_named(compiled, tmp_path):
    matrices = list(compiled.placed.program.matrices)
    adc = matrices[2].adc
    matrices[2] = dataclasses.replace(matrices[2], adc=dataclasses.replace(adc, bits=adc.bits - 1))
    with pytest.raises(Unsound, match="fc1: a converter of section 0, slice 0 is said to lose nothing"):
        check(compiled, tmp_path, matrices=tuple(matrices))


def test_a_slice_wider_than_a_cell_is_named(compiled, tmp_path):
    with pytest.raises(Unsound, match="conv1: a slice of 2 bits meets a cell of 1"):
        check(compiled, tmp_path, cell_bits=1)


def test_two_tiles_in_one_slot_are_named(compiled, tmp_path):
    plan = compiled.placed.floorplan
    slots = (plan.slots[0],) * max(len(plan.slots), 2)
    with pytest.raises(Unsound, match="two tiles sit in one slot"):
        check(compiled, tmp_path, floorplan=dataclasses.replace(plan, slots=slots, rounds=(0,) * len(slots)))
