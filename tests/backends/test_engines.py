"""Random programs: the reference equals integer matrix arithmetic, and the functional engine equals the reference."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rcompile.backends.functional import Functional
from rcompile.backends.reference import Reference
from rcompile.backends.spot_check import SpotCheck
from rcompile.errors import Origin
from rcompile.ir.graph import Batch, Value
from rcompile.ir.matrix import Epilogue, InputCode, Matrix, MatrixProgram, Step, StepKind
from rcompile.passes.assign_adcs import assign_adcs
from rcompile.passes.flip_weights import flip_weights
from rcompile.passes.partition import partition
from rcompile.passes.place import place
from rcompile.passes.replicate import replicate
from rcompile.passes.schedule import schedule
from rcompile.passes.slice_inputs import slice_inputs
from rcompile.targets import resolve_target


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
    dtype = f"{'int' if minimum else 'uint'}{8 if input_bits <= 8 else 16 if input_bits <= 16 else 32}"
    return Matrix(
        name="m",
        op_type="MatMul",
        origin=Origin(),
        weights=weights,
        weight_bits=weight_bits,
        weight_low=low,
        weight_step=np.full((groups, columns), step),
        input=InputCode("x", dtype, input_bits, minimum, minimum + int(rng.integers(0, 2**input_bits))),
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


@given(
    matrix=matrices(),
    scheme=st.sampled_from(["offset", "offset_flip", "differential_columns"]),
    cell_bits=st.integers(1, 6),
    dac_bits=st.sampled_from([1, 2, 3, 8]),
    size=st.sampled_from([(8, 8), (16, 40), (64, 16), (32, 32)]),
    copies=st.integers(1, 3),
    count=st.sampled_from([1, 2, 7, 33]),
)
@settings(max_examples=150, deadline=None, derandomize=True)
def test_meaning_is_unchanged_by_mapping(matrix, scheme, cell_bits, dac_bits, size, copies, count):
    target = resolve_target(
        "classroom",
        {
            "weights.sign": scheme,
            "crossbar.cell_bits": str(cell_bits),
            "crossbar.rows": str(size[0]),
            "crossbar.columns": str(size[1]),
            "inputs.dac_bits": str(dac_bits),
            "hierarchy.chips": "64",
        },
    )
    program = partition(program_of(matrix), target)
    program.verify()
    program = replicate(assign_adcs(flip_weights(slice_inputs(program, target))), (copies,))
    program.verify()
    placed = schedule(place(program, target), target)
    placed.verify()

    codes = np.random.default_rng(count).integers(0, 2**matrix.input.bits, (count, matrix.groups, matrix.rows))
    real = codes + matrix.input.minimum - matrix.input.zero_point
    expected = np.einsum("vgk,gkn->vgn", real, matrix.weights).reshape(count, -1)
    width = matrix.input.bits
    vectors = codes.astype(np.uint8 if width <= 8 else np.uint16 if width <= 16 else np.uint32)
    found = Reference(placed).accumulate(0, vectors)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(Functional(placed).accumulate(0, vectors), expected)
    np.testing.assert_array_equal(SpotCheck(placed, 0.3).accumulate(0, vectors), expected)
    positions = np.arange(count)[::3]
    np.testing.assert_array_equal(Reference(placed).accumulate(0, vectors[::3], positions), expected[::3])


def test_a_spot_check_takes_its_share_from_the_reference(monkeypatch):
    matrix = replace(next_matrix(), vectors=40)
    target = resolve_target("classroom")
    program = replicate(assign_adcs(flip_weights(slice_inputs(partition(program_of(matrix), target), target))), (1,))
    placed = schedule(place(program, target), target)
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
