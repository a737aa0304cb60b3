"""program.rcx: what is read is what was written, and damage is noticed."""

import dataclasses

import numpy as np
import pytest
from conftest import MODELS

from rcompile.compiler import compile_file
from rcompile.errors import InputError
from rcompile.ir import container
from rcompile.options import Options
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    path = tmp_path_factory.mktemp("programs") / "program.rcx"
    result = compile_file(MODELS / "digits_mlp.onnx", resolve_target("classroom"), path, Options(verify=False), Trace())
    return path, result


def same(first: object, second: object) -> bool:
    """Compare dataclasses that hold arrays."""
    if isinstance(first, np.ndarray):
        return first.dtype == second.dtype and np.array_equal(first, second)
    if dataclasses.is_dataclass(first):
        return all(same(getattr(first, f.name), getattr(second, f.name)) for f in dataclasses.fields(first))
    if isinstance(first, tuple):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second


def test_reading_gives_back_the_program(program):
    path, result = program
    found = container.load(path)
    assert same(found.placed, result.compiled.placed)
    assert found.reference == result.compiled.reference
    assert container.file_digest(path) == result.program_hash


def test_writing_again_gives_the_same_bytes(program, tmp_path):
    path, _ = program
    container.save(container.load(path), tmp_path / "again.rcx")
    assert (tmp_path / "again.rcx").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("position", [0.2, 0.5, 0.9])
def test_a_flipped_bit_is_noticed(program, tmp_path, position):
    path, _ = program
    data = bytearray(path.read_bytes())
    data[int(len(data) * position)] ^= 1
    (tmp_path / "damaged.rcx").write_bytes(data)
    with pytest.raises(InputError, match=r"damaged|truncated"):
        container.load(tmp_path / "damaged.rcx")


def test_a_truncated_file_is_noticed(program, tmp_path):
    path, _ = program
    (tmp_path / "short.rcx").write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="truncated"):
        container.load(tmp_path / "short.rcx")


def test_a_failed_write_leaves_nothing(program, tmp_path):
    _, result = program
    broken = dataclasses.replace(result.compiled, target={"odd": object()})
    with pytest.raises(NotImplementedError):
        container.save(broken, tmp_path / "never.rcx")
    assert list(tmp_path.iterdir()) == []
