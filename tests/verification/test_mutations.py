"""200 seeded mutations of sound programs: each is refused, with the message that names the broken rule."""

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
from rcompile.verification.trials import conditions_of

SMALL = {
    "crossbar.rows": "32",
    "crossbar.columns": "32",
    "hierarchy.counts": "[2, 1]",
}
PROGRAMS = {
    "layer": ({}, 1),
    "concurrent": ({"crossbar.sharing": "concurrent", "weights.sign": "differential_columns"}, 1),
    "exclusive": ({"crossbar.sharing": "exclusive", "crossbar.rows_at_once": "9"}, 1),
    "rounds": ({"hierarchy.mesh_rows": "2", "hierarchy.mesh_columns": "3"}, 4),
}


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("programs")
    np.savez(folder / "die.npz", stuck_at_g_min=np.array([[0, 1, 2], [1, 5, 5]]), dead_columns=np.array([[0, 7]]))
    for name, (settings, rounds) in PROGRAMS.items():
        target = resolve_target("isaac", {**SMALL, **settings})
        options = Options(verify=False, rounds=rounds)
        model, program = MODELS / "digits_lenet_int8.onnx", folder / f"{name}.rcx"
        compile_file(model, target, program, options, Trace(), conditions=conditions_of(faults=folder / "die.npz"))
        check_program(folder / f"{name}.rcx")
    return {name: container.load(folder / f"{name}.rcx") for name in PROGRAMS}


def block(compiled, rng):
    """A block that covers one row or column more or less, or is of another slice, copy, group or matrix."""
    blocks = compiled.placed.program.blocks.copy()
    field = rng.choice(
        ["row_start", "row_stop", "column_start", "column_stop", "weight_slice", "replica", "group", "matrix"]
    )
    blocks[field][rng.integers(len(blocks))] += -1 if field.endswith("stop") else 1
    return {"blocks": blocks}, r"in \d+ cells, not in one|does not exist|lies outside|is empty|belongs to no matrix"


def twin(compiled, rng):
    """One block listed in place of another."""
    blocks = compiled.placed.program.blocks.copy()
    first, second = rng.choice(len(blocks), 2, replace=False)
    blocks[first] = blocks[second]
    return {"blocks": blocks}, r"in \d+ cells, not in one"


def place(compiled, rng):
    """Two blocks in one place."""
    places = compiled.placed.places.copy()
    first, second = rng.choice(len(places), 2, replace=False)
    places[first] = places[second]
    return {"places": places}, (
        "shares a column with|shares a cell with|leaves the crossbar|shares a row with|beside another copy or layer"
    )


def off(compiled, rng):
    """A block beyond the edge of its crossbar, or on one that does not exist."""
    places = compiled.placed.places.copy()
    field, value = [("row", 40), ("column", 40), ("row", -1), ("column", -1), ("crossbar", 10**6), ("crossbar", -1)][
        rng.integers(6)
    ]
    places[field][rng.integers(len(places))] = value
    return {"places": places}, "leaves the crossbar|there are only"


def reduced(compiled, rng):
    """A partial sum that is added twice, and another that is not."""
    reduction = compiled.placed.reduction.copy()
    first, second = rng.choice(len(reduction), 2, replace=False)
    reduction[first] = reduction[second]
    return {"reduction": reduction}, r"is reduced \[\d\] times, not once"


def code(compiled, rng):
    """A weight whose lowest bit is another."""
    matrices = list(compiled.placed.program.matrices)
    index = int(rng.integers(len(matrices)))
    encoding = matrices[index].encoding
    codes = encoding.codes.copy()
    at = tuple(int(rng.integers(size)) for size in codes.shape)
    codes[at] ^= 1
    matrices[index] = dataclasses.replace(matrices[index], encoding=dataclasses.replace(encoding, codes=codes))
    return {"matrices": tuple(matrices)}, "codes do not stand for their weights"


def weight_slice(compiled, rng):
    """A weight slice that holds a bit of its neighbour."""
    matrices = list(compiled.placed.program.matrices)
    index = int(rng.integers(len(matrices)))
    slices = list(matrices[index].weight_slices)
    which = int(rng.integers(1, len(slices)))
    slices[which] = dataclasses.replace(slices[which], shift=slices[which].shift - 1)
    matrices[index] = dataclasses.replace(matrices[index], weight_slices=tuple(slices))
    return {"matrices": tuple(matrices)}, r"weight bit \[\d+\] is held"


def converter(compiled, rng):
    """A converter that is said to lose nothing, with a bit too few."""
    matrices = list(compiled.placed.program.matrices)
    index = int(rng.integers(len(matrices)))
    adc = matrices[index].adc
    need = dataclasses.replace(adc, bits=np.maximum(adc.column.most - 1, 0) * np.ones_like(adc.bits))
    matrices[index] = dataclasses.replace(matrices[index], adc=need)
    return {"matrices": tuple(matrices)}, "can sum to more than it resolves"


def slot(compiled, rng):
    """Two tiles in one slot, or one off the mesh."""
    plan = compiled.placed.floorplan
    slots = list(plan.slots)
    if rng.random() < 0.5:
        slots[rng.integers(len(slots))] = 10**6
        message = "a tile sits off the mesh"
    else:
        there = plan.present(int(rng.integers(plan.round_count)))
        if len(there) < 2:
            there = plan.present(plan.round_count - 1)
        first, second = rng.choice(there, 2, replace=False)
        slots[first] = slots[second]
        message = "two tiles sit in one slot"
    return {"floorplan": dataclasses.replace(plan, slots=tuple(slots))}, message


def wired(compiled, rng):
    """Two rows or columns on one line, or one on a line that its crossbar does not have."""
    wiring = compiled.placed.wiring
    kind = str(rng.choice(["rows", "columns"]))
    lines = getattr(wiring, kind).copy()
    crossbar = rng.integers(len(lines))
    if rng.random() < 0.5:
        lines[crossbar, rng.integers(lines.shape[1])] = 32
        message = f"has no line 32 for one of its {kind}"
    else:
        first, second = rng.choice(lines.shape[1], 2, replace=False)
        lines[crossbar, first] = lines[crossbar, second]
        message = rf"two {kind} of crossbar \[{crossbar}\] share a line"
    return {"wiring": dataclasses.replace(wiring, **{kind: lines})}, message


def stage(compiled, rng):
    """A matrix that does not wait, computes never, or longer than it has time; inferences that follow too fast."""
    stages = list(compiled.placed.stages)
    which = int(rng.integers(1, len(stages)))
    kind = rng.integers(4)
    if kind == 0:
        late = dataclasses.replace(stages[which - 1], stop_s=1.0)
        return {"stages": (*stages[: which - 1], late, *stages[which:])}, "does not wait for"
    if kind == 1:
        return {"stages": (*stages[:which], stages[which - 1], *stages[which + 1 :])}, "computes never, or twice"
    if kind == 2:
        stages[which] = dataclasses.replace(stages[which], busy_s=stages[which].stop_s - stages[which].start_s + 1e-6)
        return {"stages": tuple(stages)}, "computes for longer than"
    return {"interval_s": max(item.busy_s for item in stages) * 0.9}, "inferences follow faster than"


MUTATIONS = (block, twin, place, off, reduced, code, weight_slice, converter, slot, wired, stage)


@pytest.mark.parametrize("seed", range(200))
def test_a_mutation_is_refused_by_its_rule(programs, seed, tmp_path):
    rng = np.random.default_rng(seed)
    compiled = programs[list(PROGRAMS)[seed % len(PROGRAMS)]]
    changes, message = MUTATIONS[seed // len(PROGRAMS) % len(MUTATIONS)](compiled, rng)
    program = dataclasses.replace(
        compiled.placed.program, **{key: changes.pop(key) for key in ("blocks", "matrices") if key in changes}
    )
    changed = dataclasses.replace(compiled, placed=dataclasses.replace(compiled.placed, program=program, **changes))
    container.save(changed, tmp_path / "program.rcx")
    with pytest.raises(Unsound, match=message):
        check_program(tmp_path / "program.rcx")
