"""What a vector needs of the layers before it: nothing else changes it, and it can be as little as a window."""

from collections import Counter

import numpy as np
import onnx
import pytest
from conftest import MODELS, GraphMaker
from hypothesis import given, settings
from hypothesis import strategies as st

from rcompile.backends.executor import Executor, Interpreter, runs_of
from rcompile.backends.functional import Functional
from rcompile.backends.im2col import vectors_of
from rcompile.compiler import compile_file
from rcompile.ir.edges import Along, Edge
from rcompile.options import Options
from rcompile.pipeline import Trace
from rcompile.targets import resolve_target


def placed_of(path, tmp_path):
    result = compile_file(path, resolve_target("classroom"), tmp_path / "p.rcx", Options(verify=False), Trace())
    return result.compiled.placed


def inputs_of(source, rng):
    return {
        value.name: rng.normal(size=[1, *(int(d) for d in value.shape[1:])]).astype(np.float32)
        for value in source.inputs
    }


class Recorded:
    """One run of a program, which can be repeated with other outputs of one matrix."""

    def __init__(self, placed, inputs):
        self.source = placed.program.source
        self.codes = {index: [] for index in range(len(self.source.matrices))}
        self.outputs = {index: [] for index in range(len(self.source.matrices))}
        self._runs = list(runs_of(self.source.batch, inputs, 0, 1))
        engine = Executor(Functional(placed))

        def product(index, codes):
            found = engine._matrix(index, codes)
            self.codes[index].append(codes[0])
            self.outputs[index].append(found[0])
            return found

        engine._runs = len(self._runs)
        self.results = Interpreter(self.source, product).run(self._runs)

    def vectors(self, index, codes):
        """All vectors of a matrix, of all steps."""
        return np.concatenate([vectors_of(self.source.matrices[index], one) for one in codes])

    def repeated(self, producer, change):
        """The vectors of each matrix where the outputs of one are changed, number by number of its vectors."""
        seen = {index: [] for index in self.codes}
        calls, done = Counter(), 0

        def product(index, codes):
            nonlocal done
            seen[index].append(codes[0])
            number = calls[index]
            calls[index] += 1
            found = self.outputs[index][number]
            if index != producer:
                return [found]
            matrix = self.source.matrices[index]
            last = np.moveaxis(found, 1, -1) if matrix.window else found
            flat = last.reshape(-1, last.shape[-1]).copy()
            change(flat, np.arange(done, done + len(flat)))
            done += len(flat)
            last = flat.reshape(last.shape)
            return [np.ascontiguousarray(np.moveaxis(last, -1, 1) if matrix.window else last)]

        Interpreter(self.source, product).run(self._runs)
        return {index: self.vectors(index, codes) for index, codes in seen.items()}


def check(placed, seed=0, tried=4):
    """Vectors that are not there yet, or are finished, make no difference."""
    rng = np.random.default_rng(seed)
    recorded = Recorded(placed, inputs_of(placed.program.source, rng))
    for edge in placed.program.source.edges:
        whole = recorded.vectors(edge.consumer, recorded.codes[edge.consumer])
        assert len(whole) == len(edge.needed)
        for v in rng.integers(0, len(whole), tried).tolist():

            def later(flat, numbers, first=int(edge.needed[v])):
                flat[numbers >= first] = flat.max() if flat.dtype.kind != "f" else rng.normal(3, 9, flat.shape[1])

            def earlier(flat, numbers, last=int(edge.finished[v])):
                flat[numbers < last] = flat.max() if flat.dtype.kind != "f" else rng.normal(3, 9, flat.shape[1])

            found = recorded.repeated(edge.producer, later)[edge.consumer]
            np.testing.assert_array_equal(found[: v + 1], whole[: v + 1])
            found = recorded.repeated(edge.producer, earlier)[edge.consumer]
            np.testing.assert_array_equal(found[v:], whole[v:])


def constant(m: GraphMaker, name: str, *values: int) -> str:
    return m.constant(name, np.array(values, np.int64))


SAME = {"pads": [1, 1, 1, 1]}

# what stands between a convolution that makes 4 x 8 x 8 and one of 3 x 3 that reads it: operators, then the vectors of
# the first one that the first vector of the second one needs (padding 0: of the rows 0 to 2, up to column 2)
BETWEEN = {
    "nothing": (lambda _, x: x, 19),
    "Relu": (lambda m, x: m.add("Relu", [x], "t"), 19),
    "Sigmoid": (lambda m, x: m.add("Sigmoid", [x], "t"), 19),
    "bias": (lambda m, x: m.add("Add", [x, m.weight("c", 4, 1, 1)], "t"), 19),
    "residual": (lambda m, x: m.add("Add", [x, m.add("Relu", [x], "r")], "t"), 19),
    "MaxPool": (lambda m, x: m.add("MaxPool", [x], "t", kernel_shape=[2, 2], strides=[2, 2]), 8 * 5 + 6),
    "MaxPool padded": (lambda m, x: m.add("MaxPool", [x], "t", kernel_shape=[3, 3], strides=[2, 2], **SAME), 8 * 5 + 6),
    "AveragePool": (lambda m, x: m.add("AveragePool", [x], "t", kernel_shape=[3, 1], auto_pad="SAME_UPPER"), 8 * 3 + 3),
    "Concat": (lambda m, x: m.add("Concat", [x, m.add("Neg", [x], "n")], "t", axis=1), 19),
    "Concat of rows": (lambda m, x: m.add("Concat", [x, m.add("Neg", [x], "n")], "t", axis=2), 8 * 7 + 3),
    "Transpose": (lambda m, x: m.add("Transpose", [x], "t", perm=[0, 1, 3, 2]), 19),
    "Pad": (lambda m, x: m.add("Pad", [x, constant(m, "p", 0, 0, 1, 0, 0, 0, 1, 0)], "t"), 8 * 1 + 3),
    "Pad reflecting": (
        lambda m, x: m.add("Pad", [x, constant(m, "p", 0, 0, 1, 0, 0, 0, 1, 0)], "t", mode="reflect"),
        8 * 7 + 3,
    ),
    "Resize": (lambda m, x: m.add("Resize", [x, "", m.constant("s", np.float32([1, 1, 2, 2]))], "t"), 8 * 1 + 2),
    "Resize threefold": (
        lambda m, x: m.add(
            "Resize",
            [x, "", m.constant("s", np.float32([1, 1, 3, 3]))],
            "t",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        ),
        1,
    ),
    "Resize aligned": (
        lambda m, x: m.add(
            "Resize",
            [x, "", m.constant("s", np.float32([1, 1, 2, 2]))],
            "t",
            coordinate_transformation_mode="align_corners",
        ),
        8 * 3 + 4,
    ),
    "Resize linear": (
        lambda m, x: m.add("Resize", [x, "", m.constant("s", np.float32([1, 1, 2, 2]))], "t", mode="linear"),
        8 * 3 + 4,
    ),
    "DepthToSpace": (lambda m, x: m.add("DepthToSpace", [x], "t", blocksize=2), 8 * 1 + 2),
    "SpaceToDepth": (lambda m, x: m.add("SpaceToDepth", [x], "t", blocksize=2), 8 * 5 + 6),
    "Slice": (
        lambda m, x: m.add("Slice", [x, constant(m, "a", 1), constant(m, "e", 9), constant(m, "d", 3)], "t"),
        8 * 2 + 8,
    ),
    "Softmax of channels": (lambda m, x: m.add("Softmax", [x], "t", axis=1), 19),
    "Softmax of columns": (lambda m, x: m.add("Softmax", [x], "t"), 8 * 3),
    "LRN": (lambda m, x: m.add("LRN", [x], "t", size=3), 19),
    "mean of channels": (
        lambda m, x: m.add("Sub", [x, m.add("ReduceMean", [x], "r", axes=[1])], "t"),
        19,
    ),
    "InstanceNormalization": (
        lambda m, x: m.add("InstanceNormalization", [x, m.weight("i", 4), m.weight("j", 4)], "t"),
        64,
    ),
    "squeeze and excite": (lambda m, x: m.add("Mul", [x, m.add("GlobalAveragePool", [x], "g")], "t"), 64),
    "Reshape of channels": (
        lambda m, x: m.add(
            "Reshape",
            [
                m.add(
                    "Transpose",
                    [m.add("Reshape", [x, constant(m, "r", 0, 2, 2, 8, 8)], "a")],
                    "b",
                    perm=[0, 2, 1, 3, 4],
                ),
                constant(m, "q", 0, 4, 8, 8),
            ],
            "t",
        ),
        19,
    ),
    "CumSum": (lambda m, x: m.add("CumSum", [x, m.constant("k", np.int64(2))], "t"), 64),
}


@pytest.mark.parametrize("case", BETWEEN)
def test_a_convolution_needs_no_more_of_another_one(maker, tmp_path, case):
    between, head = BETWEEN[case]
    maker.add("Conv", ["x", maker.weight("w1", 4, 2, 3, 3)], "a1", pads=[1, 1, 1, 1])
    read = between(maker, "a1")
    channels = {"Concat": 8, "DepthToSpace": 1, "SpaceToDepth": 16}.get(case, 4)
    maker.add("Conv", [read, maker.weight("w2", 3, channels, 3, 3)], "y")
    path = tmp_path / "m.onnx"
    onnx.save(maker.model({"x": ["N", 2, 8, 8]}, {"y": ["N", 3, None, None]}), path)
    placed = placed_of(path, tmp_path)
    (edge,) = placed.program.source.edges
    assert edge.head == head
    check(placed)


def attention(m: GraphMaker) -> None:
    """Tokens that are normalized, projected, look at each other, and pass two more products."""
    one = [m.constant("one", np.ones(6, np.float32)), m.constant("zero", np.zeros(6, np.float32))]
    m.add("MatMul", ["x", m.weight("w0", 5, 6)], "tokens")
    m.add("LayerNormalization", ["tokens", *one], "normal")
    for name in "qkv":
        m.add("MatMul", ["normal", m.weight(f"w{name}", 6, 6)], name)
    m.add("Transpose", ["k"], "turned", perm=[0, 2, 1])
    m.add("Softmax", [m.add("MatMul", ["q", "turned"], "scores")], "shares")
    m.add("MatMul", ["shares", "v"], "seen")
    m.add("MatMul", ["seen", m.weight("w4", 6, 8)], "up")
    m.add("Relu", ["up"], "bent")
    m.add("MatMul", ["bent", m.weight("w5", 8, 6)], "down")
    m.add("Add", ["down", "tokens"], "sum")
    m.add("ReduceMean", ["sum"], "mean", axes=[1], keepdims=0)
    m.add("MatMul", ["mean", m.weight("w6", 6, 3)], "y")


def test_tokens_flow_one_by_one_but_where_they_look_at_each_other(maker, tmp_path):
    attention(maker)
    path = tmp_path / "m.onnx"
    onnx.save(maker.model({"x": ["N", 7, 5]}, {"y": ["N", 3]}), path)
    placed = placed_of(path, tmp_path)
    source = placed.program.source
    heads = {(source.matrices[e.producer].name, source.matrices[e.consumer].name): e.head for e in source.edges}
    assert heads["tokens", "q"] == heads["q", "up"] == heads["up", "down"] == 1
    assert heads["k", "up"] == heads["v", "up"] == heads["down", "y"] == heads["tokens", "y"] == 7
    check(placed)


@pytest.mark.parametrize("name", ["digits_lenet_int8", "digits_row_lstm", "digits_bnn_mlp"])
def test_trained_models_need_no_more(name, tmp_path):
    check(placed_of(MODELS / f"{name}.onnx", tmp_path))


def test_steps_of_a_loop_follow_each_other(tmp_path):
    placed = placed_of(MODELS / "digits_row_lstm.onnx", tmp_path)
    source = placed.program.source
    recurrent = next(i for i, m in enumerate(source.matrices) if m.serial)
    into = [edge for edge in source.edges if edge.consumer == recurrent]
    assert [edge.head for edge in into] == [8]


ALONG = st.builds(
    Along,
    axis=st.just(0),
    step=st.integers(0, 3),
    first=st.integers(-5, 2),
    last=st.integers(-2, 6),
    per=st.integers(1, 3),
)


@given(ALONG, ALONG, st.integers(0, 12))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_what_is_needed_through_a_tensor_between_holds_what_is_needed_step_by_step(one, other, index):
    def span(along, i):
        return range((along.step * i + along.first) // along.per, (along.step * i + along.last) // along.per + 1)

    both = span(one.after(other), index)
    for between in span(other, index):
        assert set(span(one, between)) <= set(both)


def test_vectors_are_counted_along_axes():
    edge = Edge(0, 1, 0, (4, 5), (2, 3), (Along(0, step=2, first=-1, last=1), Along(1, first=-1, last=1)))
    assert edge.needed.tolist() == [7, 8, 9, 17, 18, 19]
    assert edge.finished.tolist() == [0, 0, 1, 5, 5, 6]
    assert (edge.head, edge.tail, edge.held(), edge.held(2)) == (7, 1, 13, 16)
