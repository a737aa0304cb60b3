"""A mapping error shows up as a wrong number: the backends execute the program, not the model."""

import dataclasses

import numpy as np
import pytest
from conftest import MODELS

from rcompile.compiler import compile_file, data_for
from rcompile.ir import container
from rcompile.options import Options
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target
from rcompile.verification.exact import verify_exact
from rcompile.verification.verify import reference_of


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    path = tmp_path_factory.mktemp("programs") / "program.rcx"
    compile_file(MODELS / "digits_lenet_int8.onnx", resolve_target("isaac"), path, Options(verify=False), Trace())
    return container.load(path)


def exact(compiled, placed):
    graph, matrices = reference_of(compiled)
    data = data_for(graph, MODELS / "digits_test.npz")
    return verify_exact(placed, graph, matrices, data, 8, lambda _: None, spot_check=False)


def with_matrix(placed, index, **changes):
    matrices = list(placed.program.matrices)
    matrices[index] = dataclasses.replace(matrices[index], **changes)
    return dataclasses.replace(placed, program=dataclasses.replace(placed.program, matrices=tuple(matrices)))


def test_the_program_itself_passes(compiled):
    assert exact(compiled, compiled.placed).passed


def test_a_swapped_place_is_seen(compiled):
    places = compiled.placed.places.copy()
    places[[0, 1]] = places[[1, 0]]
    found = exact(compiled, dataclasses.replace(compiled.placed, places=places))
    assert found.passed, "swapping two blocks' columns moves their cells with them"
    places["column"][1] = places["column"][0]
    found = exact(compiled, dataclasses.replace(compiled.placed, places=places))
    assert not found.passed
    assert found.first_failure().startswith("layer conv1: accumulators differ by up to")


def test_any_choice_of_flips_is_right(compiled):
    """Cells are stored and sums undone by the same table: a flip changes what the ADC must resolve, not the result."""
    item = compiled.placed.program.matrices[2]
    flips = item.flips.copy()
    flips[0, 0, 0, 0] ^= True
    wide = dataclasses.replace(item.adc, bits=np.full_like(item.adc.bits, 9))
    assert exact(compiled, with_matrix(compiled.placed, 2, flips=flips, adc=wide)).passed


def test_a_wrong_slice_order_is_seen(compiled):
    slices = compiled.placed.program.matrices[1].weight_slices
    wrong = (dataclasses.replace(slices[0], shift=slices[1].shift), *slices[1:])
    assert not exact(compiled, with_matrix(compiled.placed, 1, weight_slices=wrong)).passed


def test_too_few_adc_bits_are_seen(compiled):
    adc = compiled.placed.program.matrices[0].adc
    found = exact(
        compiled, with_matrix(compiled.placed, 0, adc=dataclasses.replace(adc, bits=np.full_like(adc.bits, 2)))
    )
    assert not found.passed


def test_a_wrong_cell_is_seen(compiled):
    item = compiled.placed.program.matrices[3]
    codes = item.encoding.codes.copy()
    codes[0, 0, np.argmax(codes[0, 0, :, 0]), 0] ^= 128
    encoding = dataclasses.replace(item.encoding, codes=codes)
    assert not exact(compiled, with_matrix(compiled.placed, 3, encoding=encoding)).passed
