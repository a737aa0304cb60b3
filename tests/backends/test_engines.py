"""Random programs: the reference equals integer matrix arithmetic, and the functional engine equals the reference."""

from dataclasses import replace

import numpy as np
from conftest import random_faults
from hypothesis import given, settings
from hypothesis import strategies as st

from rcompile.backends.chip import Chip, Die
from rcompile.backends.functional import Functional
from rcompile.backends.mixed import Mixed
from rcompile.backends.reference import Reference
from rcompile.backends.spot_check import SpotCheck
from rcompile.devices.faults import HIGH, LOW
from rcompile.encodings.encode import encode
from rcompile.errors import Origin
from rcompile.ir.encoding import SignScheme
from rcompile.ir.graph import Batch, Value
from rcompile.ir.matrix import Epilogue, InputCode, Matrix, MatrixProgram, Step, StepKind
from rcompile.mapper.faults import weight_error
from rcompile.options import Effort
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.assign_partial_sums import assign_partial_sums
from rcompile.passes.avoid_faults import avoid_faults
from rcompile.passes.flip_weights import flip_weights
from rcompile.passes.partition import partition
from rcompile.passes.place import place
from rcompile.passes.replicate import replicate
from rcompile.passes.schedule import schedule
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.targets import resolve_target
from rcompile.targets.sections import SIGNS


@st.composite
def matrices(draw) -> Matrix:
    """A matrix of bounded size with random integer weights, bits, zero points and vectors."""
    groups, rows, columns = draw(st.integers(1, 3)), draw(st.integers(1, 40)), draw(st.integers(1, 9))
    weight_bits, input_bits = (
        draw(st.sampled_from([1, 2, 3, 4, 7, 8, 11, 16, 20])),
        draw(st.sampled_from([1, 3, 4, 8, 13, 16, 22])),
    )
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    step = 2 if weight_bits == 1 else 1
    low = rng.integers(-(2 ** (weight_bits - 1)), 1, (groups, columns)) if step == 1 else np.full((groups, columns), -1)
    weights = low[:, None, :] + step * rng.integers(0, 2**weight_bits, (groups, rows, columns))
    minimum = draw(st.sampled_from([0, -(2 ** (input_bits - 1))]))
    input_step = 1
    if input_bits == 1 and draw(st.booleans()):
        minimum, input_step = -1, 2
    dtype = f"{'int' if minimum else 'uint'}{8 if input_bits <= 8 else 16 if input_bits <= 16 else 32}"
    zero = minimum + int(rng.integers(0, 2**input_bits)) if input_step == 1 else 0
    return Matrix(
        name="m",
        op_type="MatMul",
        origin=Origin(),
        weights=weights,
        weight_bits=weight_bits,
        weight_low=low,
        weight_step=np.full((groups, columns), step),
        input=InputCode("x", dtype, input_bits, minimum, zero, input_step),
        output="y",
        window=None,
        vectors=draw(st.integers(1, 5)),
        epilogue=Epilogue(np.ones(groups * columns, np.float32), None, None, None),
    )


def program_of(matrix: Matrix) -> MatrixProgram:
    return MatrixProgram(
        name="random",
        origin=Origin(),
        inputs=(Value("x", matrix.input.dtype, None),),
        outputs=(Value("y", "float32", None),),
        batch=Batch(free=True, leading_axis=True),
        segments=(),
        matrices=(matrix,),
        loops=(),
        order=(Step(StepKind.MATRIX, 0),),
        edges=(),
        placements=(),
        parameters=0,
    )


SCHEMES = list(SIGNS)


@st.composite
def targets(draw, matrix):
    """A target that can hold the matrix: any scheme, slicing, DAC, input scheme, subtraction, crossbar and section."""
    scheme = draw(st.sampled_from(SCHEMES))
    cell_bits = 1 if scheme == "ternary_pair" else draw(st.integers(1, 6))
    rows, columns = draw(st.sampled_from([(8, 8), (16, 40), (64, 16), (32, 32)]))
    apart = scheme in {"differential_columns", "differential_arrays"}
    found = {
        "weights.sign": scheme,
        "crossbar.cell_bits": cell_bits,
        "crossbar.rows": rows,
        "crossbar.columns": columns,
        "crossbar.rows_at_once": draw(st.sampled_from([0, 0, 2, 3, 9])) if rows >= 16 else 0,
        "inputs.dac_bits": draw(st.sampled_from([1, 2, 3, 8])),
        "inputs.signed": draw(st.sampled_from(["unsigned", "twos_complement", "two_phase"])),
        "weights.subtraction": draw(st.sampled_from(["digital", "analog"])) if apart else "digital",
        "crossbar.sharing": draw(st.sampled_from(["layer", "concurrent", "exclusive"])),
        "adc.resolution": draw(st.sampled_from(["lossless", "per_column"])),
        "adc.bits": 24,
        "hierarchy.chips": 256,
    }
    code_bits = encode(matrix, SignScheme(scheme)).code_bits
    if draw(st.booleans()):
        found["weights.sram_bits"] = draw(st.integers(0, min(2, code_bits)))
    if draw(st.booleans()):  # any list of slices that holds the codes
        left, widths = code_bits - found.get("weights.sram_bits", 0), []
        while left > 0:
            widths.append(draw(st.integers(1, min(left, cell_bits))))
            left -= widths[-1]
        found["weights.slices"] = widths
    return resolve_target("classroom", {name: str(value) for name, value in found.items()})


def unseen(_: int):
    raise AssertionError("nothing is calibrated")


def mapped(matrix: Matrix, target, copies: int = 1, seen=unseen):
    """The placed program of one matrix, each level verified."""
    program = partition(program_of(matrix), target)
    program.verify()
    program = flip_weights(slice_inputs(program, target))
    program = assign_partial_sums(assign_adcs(program, target, seen), target, None)
    program = replicate(program, (copies,))
    program.verify()
    placed = schedule(place(program, target, Effort.LOW), target)
    placed.verify()
    return placed


def random_codes(matrix: Matrix, count: int) -> np.ndarray:
    codes = np.random.default_rng(count).integers(0, 2**matrix.input.bits, (count, matrix.groups, matrix.rows))
    width = matrix.input.bits
    return codes.astype(np.uint8 if width <= 8 else np.uint16 if width <= 16 else np.uint32)


def integer_product(matrix: Matrix, codes: np.ndarray) -> np.ndarray:
    read = matrix.input
    real = read.minimum + read.step * codes.astype(np.int64) - read.zero_point
    return np.einsum("vgk,gkn->vgn", real, matrix.weights).reshape(len(codes), -1)


@given(data=st.data(), matrix=matrices(), copies=st.integers(1, 3), count=st.sampled_from([1, 2, 7, 33]))
@settings(max_examples=400, deadline=None, derandomize=True)
def test_meaning_is_unchanged_by_mapping(data, matrix, copies, count):
    placed = mapped(matrix, data.draw(targets(matrix)), copies)
    (item,) = placed.program.matrices
    assert item.converter.lossless
    vectors = random_codes(matrix, count)
    expected = integer_product(matrix, vectors)
    found = Reference(placed).accumulate(0, vectors)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(Reference(placed, ideal_converters=True).accumulate(0, vectors), expected)
    np.testing.assert_array_equal(Functional(placed).accumulate(0, vectors), expected)
    np.testing.assert_array_equal(SpotCheck(placed, 0.3).accumulate(0, vectors), expected)
    positions = np.arange(count)[::3]
    np.testing.assert_array_equal(Reference(placed).accumulate(0, vectors[::3], positions), expected[::3])


def test_a_spot_check_takes_its_share_from_the_reference(monkeypatch):
    matrix = replace(next_matrix(), vectors=40)
    placed = mapped(matrix, resolve_target("classroom"))
    vectors = np.zeros((40, 1, 4), np.uint8)
    monkeypatch.setattr(Reference, "accumulate", lambda *_: np.full((10, 3), 77))
    found = SpotCheck(placed, 0.25).accumulate(0, vectors)
    assert np.count_nonzero((found == 77).all(axis=1)) == 10


def next_matrix() -> Matrix:
    weights = np.arange(-6, 6).reshape(1, 4, 3)
    return Matrix(
        name="m",
        op_type="MatMul",
        origin=Origin(),
        weights=weights,
        weight_bits=8,
        weight_low=np.full((1, 3), -128),
        weight_step=np.ones((1, 3), int),
        input=InputCode("x", "uint8", 8, 0, 0),
        output="y",
        window=None,
        vectors=1,
        epilogue=Epilogue(np.ones(3, np.float32), None, None, None),
    )


@st.composite
def dies(draw, placed, target):
    """A die with faults of any kind, on crossbars that are used."""
    rates = draw(st.sampled_from([(0.0, 0.0), (0.05, 0.0), (0.0, 0.05), (0.1, 0.1)]))
    positions = [placed.position_of(crossbar) for crossbar in np.unique(placed.places["crossbar"]).tolist()]
    seed = draw(st.integers(0, 99))
    faults = random_faults(positions, target.lines, stuck_at_g_min=rates[0], stuck_at_g_max=rates[1], seed=seed)
    dead = np.array([[draw(st.sampled_from(positions)), 0] for _ in range(draw(st.integers(0, 2)))], np.int64)
    return replace(faults, dead_rows=dead.reshape(-1, 2), dead_columns=dead.reshape(-1, 2))


@given(data=st.data(), matrix=matrices(), copies=st.integers(1, 2), aware=st.booleans())
@settings(max_examples=120, deadline=None, derandomize=True)
def test_engines_agree_on_faulty_dies(data, matrix, copies, aware):
    target = data.draw(targets(matrix))
    placed = mapped(matrix, target, copies)
    faults = data.draw(dies(placed, target))
    if aware:
        placed = avoid_faults(placed, faults, target)
        placed.verify()
    chip = Chip(placed, Die(faults=faults, lines=target.lines))
    vectors = random_codes(matrix, 7)
    found = Reference(placed, chip).accumulate(0, vectors)
    fast = Functional(placed, chip)
    if fast.can_run(0):
        np.testing.assert_array_equal(fast.accumulate(0, vectors), found)
    np.testing.assert_array_equal(Mixed(placed, chip).accumulate(0, vectors), found)
    # whatever lines are chosen, a sound die computes what the matrix says
    np.testing.assert_array_equal(Reference(placed).accumulate(0, vectors), integer_product(matrix, vectors))


def test_faults_are_where_the_map_and_the_wiring_say():
    """Cells seen through the wiring are those of a crossbar that is programmed line by line."""
    matrix = replace(next_matrix(), vectors=1)
    target = resolve_target("classroom", {"crossbar.spare_rows": "2", "crossbar.spare_columns": "3"})
    placed = mapped(matrix, target)
    faults = random_faults(range(target.positions), target.lines, stuck_at_g_min=0.2, stuck_at_g_max=0.2, seed=4)
    aware = avoid_faults(placed, faults, target)
    for crossbar in np.unique(aware.places["crossbar"]).tolist():
        rows, columns = aware.wiring.rows[crossbar], aware.wiring.columns[crossbar]
        lines = np.zeros(target.lines, int)
        lines[np.ix_(rows, columns)] = Chip(aware).levels(crossbar)
        states = faults.states(aware.position_of(crossbar), *target.lines)
        lines[states == LOW] = 0
        lines[states == HIGH] = 2**target.crossbar.cell_bits - 1
        np.testing.assert_array_equal(
            Chip(aware, Die(faults=faults, lines=target.lines)).levels(crossbar), lines[np.ix_(rows, columns)]
        )


def test_weight_error_is_that_of_the_weights_which_the_backend_reads():
    """With one cell a weight, squared errors of cells are squared errors of weights."""
    matrix = replace(next_matrix(), weight_bits=4, weight_low=np.full((1, 3), -8))
    target = resolve_target("isaac", {"crossbar.cell_bits": "4", "adc.resolution": "lossless"})
    placed = mapped(matrix, target)
    faults = random_faults(range(96), target.lines, stuck_at_g_min=0.1, stuck_at_g_max=0.1, seed=3)
    for program in (placed, avoid_faults(placed, faults, target)):
        held = Functional(program, Chip(program, Die(faults=faults, lines=target.lines))).effective_weights(0, 0)
        wanted = Functional(program).effective_weights(0, 0)
        error = float(np.square(held.astype(int) - wanted).sum())
        assert weight_error(program, faults, target.lines) == error
    assert weight_error(placed, faults, target.lines) > error
