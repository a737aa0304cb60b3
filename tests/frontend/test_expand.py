"""Operators that contain products compute, taken apart and mapped, what onnxruntime computes."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rcompile.backends.onnx_backend import Compiled
from rcompile.frontend.runtime import Session
from rcompile.precision import Precision

RELATIVE = 1e-3
"""What 16 bits of weights and inputs leave, generously."""


def weights(*shape, scale=0.5, seed=0):
    return (np.random.default_rng([seed, *shape]).standard_normal(shape) * scale).astype(np.float32)


def model_of(nodes, inputs, constants, outputs=("y",), opset=17, domains=("com.microsoft",)):
    kinds = {np.dtype(np.float32): 1, np.dtype(np.uint8): 2, np.dtype(np.int8): 3, np.dtype(np.int32): 6}
    kinds |= {np.dtype(np.float16): 10, np.dtype(np.float64): 11}
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(name, kinds[a.dtype], a.shape) for name, a in inputs.items()],
        [onnx.ValueInfoProto(name=name) for name in outputs],
        [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()],
    )
    for value in graph.output:
        value.type.tensor_type.elem_type = TensorProto.FLOAT
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(domain, 1) for domain in domains)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def typed(model, feeds, outputs):
    """State the outputs' true types, which the checker wants."""
    for value in model.graph.output:
        value.ClearField("type")
    found = Session(model.SerializeToString(), optimize=False).run(feeds)
    for value in model.graph.output:
        kind = helper.np_dtype_to_tensor_dtype(found[value.name].dtype)
        value.CopyFrom(helper.make_tensor_value_info(value.name, kind, found[value.name].shape))
    return model, [found[name] for name in outputs]


def check(model, feeds, matrices, outputs=("y",), *, exact=False):
    """Compile a model, execute its program, and compare it with onnxruntime."""
    model, expected = typed(model, feeds, outputs)
    compiled = Compiled(model, feeds, Precision(16, 16))
    found = compiled.run(feeds)
    assert len(compiled.program.matrices) == matrices
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        if exact:
            np.testing.assert_array_equal(one, other)
        else:
            error = np.sqrt(np.mean((one.astype(np.float64) - other) ** 2))
            assert error <= RELATIVE * np.sqrt(np.mean(other.astype(np.float64) ** 2)) + 1e-12


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(
    op_type, direction="forward", *, lengths=None, given=False, peepholes=False, dtype=np.float32, **attributes
):
    """Return a recurrent model and its inputs: T = 5, B = 3, I = 6, H = 4."""
    count, gates = (2 if direction == "bidirectional" else 1), GATES[op_type]
    x = weights(5, 3, 6, scale=1.0).astype(dtype)
    constants = {
        "w": weights(count, gates * 4, 6).astype(dtype),
        "r": weights(count, gates * 4, 4, seed=1).astype(dtype),
        "b": weights(count, 2 * gates * 4, seed=2).astype(dtype),
    }
    inputs = ["x", "w", "r", "b"]
    if lengths is not None:
        constants["lengths"] = np.array(lengths, np.int32)
    inputs.append("lengths" if lengths is not None else "")
    if given:
        constants["h"] = weights(count, 3, 4, seed=3)
        constants["c"] = weights(count, 3, 4, seed=4)
        inputs += ["h", "c"] if op_type == "LSTM" else ["h"]
    if peepholes:
        constants["p"] = weights(count, 12, seed=5)
        inputs += [*([] if given else ["", ""]), "p"]
    outputs = ("y", "yh", "yc")[: 3 if op_type == "LSTM" else 2]
    node = helper.make_node(op_type, inputs, outputs, "cell", direction=direction, hidden_size=4, **attributes)
    return model_of([node], {"x": x}, constants, outputs), {"x": x}, outputs


RECURRENT = {
    "lstm": ("LSTM", {}, 2),
    "lstm reverse": ("LSTM", {"direction": "reverse"}, 2),
    "lstm both ways, lengths": ("LSTM", {"direction": "bidirectional", "lengths": [5, 2, 3]}, 4),
    "lstm initial states": ("LSTM", {"given": True}, 2),
    "lstm peepholes": ("LSTM", {"peepholes": True, "given": True}, 2),
    "lstm clip": ("LSTM", {"clip": 0.4}, 2),
    "lstm input_forget": ("LSTM", {"input_forget": 1}, 2),
    "lstm activations": ("LSTM", {"activations": ["HardSigmoid", "Softsign", "ScaledTanh"], "activation_alpha": [0.3, 0.8], "activation_beta": [0.4, 0.9]}, 2),
    "gru": ("GRU", {}, 3),
    "gru linear_before_reset": ("GRU", {"linear_before_reset": 1}, 2),
    "gru both ways": ("GRU", {"direction": "bidirectional", "given": True}, 6),
    "gru lengths reverse": ("GRU", {"direction": "reverse", "lengths": [1, 5, 4]}, 3),
    "rnn": ("RNN", {}, 2),
    "rnn relu": ("RNN", {"activations": ["Relu"]}, 2),
    "rnn both ways": ("RNN", {"direction": "bidirectional", "activations": ["Tanh", "LeakyRelu"], "activation_alpha": [0.1]}, 4),
}  # fmt: skip


@pytest.mark.parametrize("case", RECURRENT)
def test_recurrent_operators(case):
    op_type, options, matrices = RECURRENT[case]
    model, feeds, outputs = recurrent(op_type, **options)
    check(model, feeds, matrices, outputs)


def test_recurrent_weights_are_programmed_once():
    model, feeds, _ = recurrent("LSTM")
    model, _ = typed(model, feeds, ("y",))
    program = Compiled(model, feeds, Precision(8, 8)).program
    loop = program.loops[0]
    inside = [program.matrices[step.index] for step in program.flat(loop.order) if step.kind == "matrix"]
    assert [matrix.name for matrix in inside] == ["cell.forward.recurrent"]
    assert [matrix.name for matrix in program.matrices] == ["cell.forward.input", "cell.forward.recurrent"]
    assert inside[0].serial
    assert inside[0].vectors == 5 * 3  # each step, each sample of the batch that the model fixes


EQUATIONS = {
    "bij,jk->bik": ((2, 3, 4), (4, 5)),
    "bhid,hdk->bhik": ((2, 3, 4, 5), (3, 5, 6)),
    "ij,kj->ik": ((3, 4), (5, 4)),
    "...i,ij->...j": ((2, 3, 4), (4, 5)),
    "nkctv,kvw->nctw": ((2, 3, 4, 5, 6), (3, 6, 6)),
    "abc,cd": ((2, 3, 4), (4, 5)),
    "ijk,lk->jl": ((2, 3, 4), (5, 4)),
}


@pytest.mark.parametrize("equation", EQUATIONS)
@pytest.mark.parametrize("static", [0, 1])
def test_einsum_with_a_static_operand(equation, static):
    if static == 0 and "..." in equation:
        pytest.skip("the ellipsis is the other operand's")
    shapes = EQUATIONS[equation]
    feeds = {"x": weights(*shapes[1 - static], scale=1.0)}
    names = ["w", "x"] if static == 0 else ["x", "w"]
    nodes = [helper.make_node("Einsum", names, ["y"], "e", equation=equation)]
    check(model_of(nodes, feeds, {"w": weights(*shapes[static])}), feeds, 1)


MATMULS = [
    ((3, 4), (4, 5)), ((2, 3, 4), (4, 5)), ((2, 3, 4), (2, 4, 5)), ((3, 4), (2, 4, 5)), ((1, 3, 4), (2, 4, 5)),
    ((6, 2, 3, 4), (2, 4, 5)), ((6, 2, 3, 4), (1, 2, 4, 5)), ((6, 1, 3, 4), (2, 4, 5)), ((4,), (4, 5)), ((4,), (2, 4, 5)),
    ((3, 4), (4,)), ((2, 3, 4), (4,)), ((2, 3, 4), (1, 1, 4, 5)),
]  # fmt: skip


@pytest.mark.parametrize("shapes", MATMULS)
def test_matmul_with_a_static_right_operand(shapes):
    feeds = {"x": weights(*shapes[0], scale=1.0)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], "m")]
    check(model_of(nodes, feeds, {"w": weights(*shapes[1])}), feeds, 1)


@pytest.mark.parametrize(
    "shapes", [((5, 4), (4, 3)), ((5, 4), (2, 4, 3)), ((2, 5, 4), (2, 4, 3)), ((4,), (4, 3)), ((5, 4), (4,))]
)
def test_matmul_with_a_static_left_operand(shapes):
    feeds = {"x": weights(*shapes[1], scale=1.0)}
    nodes = [helper.make_node("MatMul", ["w", "x"], ["y"], "m")]
    check(model_of(nodes, feeds, {"w": weights(*shapes[0])}), feeds, 1)


@pytest.mark.parametrize("transposed", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("bias", [None, (), (1,), (5,), (1, 5), (3, 1), (3, 5)])
def test_gemm(transposed, bias):
    left, right = transposed
    feeds = {"x": weights(*((4, 3) if left else (3, 4)), scale=1.0)}
    constants = {"w": weights(*((5, 4) if right else (4, 5)))}
    if bias is not None:
        constants["c"] = weights(*bias) if bias else np.float32(0.7)
    nodes = [helper.make_node("Gemm", ["x", *constants], ["y"], "m", transA=left, transB=right, alpha=0.5, beta=1.5)]
    check(model_of(nodes, feeds, constants), feeds, 1)


TRANSPOSED_CONVOLUTIONS = [
    ((1, 3, 5), (3, 2, 3), {}), ((2, 3, 5, 4), (3, 2, 3, 3), {"strides": [2, 2]}),
    ((2, 3, 5, 4), (3, 2, 3, 2), {"strides": [3, 2], "pads": [1, 0, 1, 1]}),
    ((1, 4, 5, 4), (4, 2, 3, 3), {"strides": [2, 1], "group": 2}),
    ((1, 2, 4, 4), (2, 2, 3, 3), {"dilations": [2, 2], "strides": [2, 2]}),
    ((1, 2, 4, 4), (2, 2, 3, 3), {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
    ((1, 2, 4, 4), (2, 2, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((1, 2, 4, 4), (2, 2, 3, 3), {"strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    ((1, 2, 4, 4), (2, 2, 3, 3), {"strides": [3, 2], "output_shape": [10, 8]}),
    ((1, 2, 3, 3, 2), (2, 2, 2, 2, 2), {"strides": [2, 1, 2]}),
    ((1, 2, 4, 4), (2, 2, 1, 1), {"strides": [1, 1], "pads": [1, 1, 0, 1]}),
]  # fmt: skip


@pytest.mark.parametrize("case", range(len(TRANSPOSED_CONVOLUTIONS)))
def test_transposed_convolutions(case):
    shape, kernel, attributes = TRANSPOSED_CONVOLUTIONS[case]
    feeds = {"x": weights(*shape, scale=1.0)}
    outputs = kernel[1] * attributes.get("group", 1)
    nodes = [helper.make_node("ConvTranspose", ["x", "w", "b"], ["y"], "d", **attributes)]
    check(model_of(nodes, feeds, {"w": weights(*kernel), "b": weights(outputs)}), feeds, 1)


def codes(*shape, dtype=np.uint8, seed=0):
    limits = np.iinfo(dtype)
    return np.random.default_rng([seed, *shape]).integers(limits.min, limits.max, shape, dtype, endpoint=True)


@pytest.mark.parametrize("dynamic_zero", [False, True])
@pytest.mark.parametrize("pads", [[0, 0, 0, 0], [1, 0, 1, 2]])
def test_convinteger_is_exact(dynamic_zero, pads):
    feeds = {"x": codes(2, 3, 6, 5)}
    constants = {"w": codes(4, 3, 3, 2, dtype=np.int8), "z": np.uint8(7)}
    if dynamic_zero:
        feeds["z"] = np.array([131], np.uint8)
        del constants["z"]
    nodes = [helper.make_node("ConvInteger", ["x", "w", "z"], ["y"], "c", pads=pads)]
    check(model_of(nodes, feeds, constants), feeds, 1, exact=True)


@pytest.mark.parametrize("dynamic_zero", [False, True])
@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_matmulinteger_is_exact(dynamic_zero, kind):
    feeds = {"x": codes(2, 3, 8)}
    constants = {"w": codes(8, 4, dtype=kind), "z": np.uint8(7), "v": codes(4, dtype=kind, seed=1)}
    if dynamic_zero:
        feeds["z"] = np.array(131, np.uint8)
        del constants["z"]
    nodes = [helper.make_node("MatMulInteger", ["x", "w", "z", "v"], ["y"], "m")]
    check(model_of(nodes, feeds, constants), feeds, 1, exact=True)


def test_dynamic_quantization_is_exact():
    feeds = {"x": weights(3, 8, scale=1.0)}
    nodes = [
        helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        helper.make_node("MatMulInteger", ["q", "w", "z"], ["i"], "m"),
        helper.make_node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["f", "s"], ["y"]),
    ]
    check(model_of(nodes, feeds, {"w": codes(8, 4, dtype=np.int8)}), feeds, 1, exact=True)


def quantization(scale, zero, dtype=np.uint8):
    return np.float32(scale), np.array(zero, dtype)


def test_qlinearconv_and_qlinearmatmul_are_within_a_step():
    feeds = {"x": codes(2, 3, 6, 5)}
    constants = {"w": codes(4, 3, 3, 3, dtype=np.int8), "b": codes(4, dtype=np.int32) // 2**20}
    constants |= {"sw": np.abs(weights(4)) / 50 + np.float32(0.001), "zw": np.zeros(4, np.int8)}
    constants |= dict(zip(("sx", "zx"), quantization(0.02, 120), strict=True))
    constants |= dict(zip(("sy", "zy"), quantization(0.05, 128), strict=True))
    inputs = ["x", "sx", "zx", "w", "sw", "zw", "sy", "zy", "b"]
    nodes = [helper.make_node("QLinearConv", inputs, ["y"], "c")]
    model, (expected,) = typed(model_of(nodes, feeds, constants), feeds, ("y",))
    compiled = Compiled(model, feeds, Precision())
    assert len(compiled.program.matrices) == 1
    assert np.abs(compiled.run(feeds)[0].astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("transposed", [False, True])
def test_blockwise_weights_keep_their_scales(size, transposed):
    inputs, outputs = 18, 5
    blocks = -(-inputs // size)
    shape, scales = ((outputs, inputs), (outputs, blocks)) if transposed else ((inputs, outputs), (blocks, outputs))
    constants = {"q": codes(*shape, dtype=np.int8), "s": np.abs(weights(*scales)) / 50 + np.float32(0.01)}
    feeds = {"x": weights(2, 3, inputs, scale=1.0)}
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s"], ["w"], axis=1 if transposed else 0, block_size=size),
        *([helper.make_node("Transpose", ["w"], ["t"], perm=[1, 0])] if transposed else []),
        helper.make_node("MatMul", ["x", "t" if transposed else "w"], ["y"], "m"),
    ]
    check(model_of(nodes, feeds, constants, opset=21), feeds, 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("op_type", ["MatMul", "Gemm"])
def test_other_floats_are_cast_around_the_product(dtype, op_type):
    feeds = {"x": weights(3, 8, scale=1.0).astype(dtype)}
    nodes = [helper.make_node(op_type, ["x", "w"], ["y"], "m")]
    check(model_of(nodes, feeds, {"w": weights(8, 4).astype(dtype)}), feeds, 1)


FUSED = {
    "FusedMatMul": (["x", "w"], {"w": (5, 8)}, {"transB": 1, "alpha": 0.5}),
    "FusedGemm": (["x", "w", "c"], {"w": (8, 5), "c": (5,)}, {"activation": "Relu"}),
}


@pytest.mark.parametrize("op_type", FUSED)
def test_operators_of_the_optimizer(op_type):
    inputs, shapes, attributes = FUSED[op_type]
    feeds = {"x": weights(3, 8, scale=1.0)}
    nodes = [helper.make_node(op_type, inputs, ["y"], "m", domain="com.microsoft", **attributes)]
    check(model_of(nodes, feeds, {name: weights(*shape) for name, shape in shapes.items()}), feeds, 1)


def test_attention_is_its_projection_and_digital_attention():
    feeds = {"x": weights(2, 6, 8, scale=1.0)}
    nodes = [helper.make_node("Attention", ["x", "w", "b"], ["y"], "a", domain="com.microsoft", num_heads=2)]
    check(model_of(nodes, feeds, {"w": weights(8, 24), "b": weights(24)}), feeds, 1)


@pytest.mark.parametrize("condition", [True, False])
def test_a_known_condition_is_decided(condition):
    def branch(name):
        nodes = [helper.make_node("MatMul", ["x", name], [f"{name}.y"], f"{name}.m")]
        graph = helper.make_graph(nodes, name, [], [helper.make_tensor_value_info(f"{name}.y", 1, None)])
        graph.initializer.append(numpy_helper.from_array(weights(8, 4, seed=len(name)), name))
        return graph

    feeds = {"x": weights(3, 8, scale=1.0)}
    nodes = [helper.make_node("If", ["c"], ["y"], "i", then_branch=branch("yes"), else_branch=branch("no"))]
    check(model_of(nodes, feeds, {"c": np.array(condition)}), feeds, 1)


def quant_by_formula(x, scale, zero, bits, *, signed, narrow, rounding):
    low, high = (-(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1 - narrow)
    steps = x.astype(np.float64) / scale + zero
    rounded = {"ROUND": np.rint, "CEIL": np.ceil, "FLOOR": np.floor, "ROUND_TO_ZERO": np.trunc}[rounding](steps)
    return (np.clip(rounded, low, high) - zero) * scale


@pytest.mark.parametrize("domain", ["onnx.brevitas", "finn.custom_op.general", "qonnx.custom_op.general"])
@pytest.mark.parametrize("rounding", ["ROUND", "CEIL", "FLOOR", "ROUND_TO_ZERO"])
@pytest.mark.parametrize(("bits", "signed", "narrow"), [(8, 1, 1), (4, 1, 0), (3, 0, 0), (2, 1, 1)])
def test_qonnx_is_what_its_formula_says(domain, rounding, bits, signed, narrow):
    x, w = np.abs(weights(3, 8, scale=1.0)) if not signed else weights(3, 8, scale=1.0), weights(8, 4)
    scales = np.abs(weights(1, 4)) / 4 + np.float32(0.125)
    constants = {"w": w, "sw": scales, "sx": np.float32(0.25), "z": np.float32(0), "b": np.float32(bits)}
    options = {"signed": signed, "narrow": narrow, "rounding_mode": rounding}
    nodes = [
        helper.make_node("Quant", ["x", "sx", "z", "b"], ["xq"], "qx", domain=domain, **options),
        helper.make_node("Quant", ["w", "sw", "z", "b"], ["wq"], "qw", domain=domain, **{**options, "signed": 1}),
        helper.make_node("MatMul", ["xq", "wq"], ["y"], "m"),
    ]
    model = model_of(nodes, {"x": x}, constants, domains=())  # exporters forget to import the domain
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", 1, (3, 4)))
    compiled = Compiled(model, {"x": x}, Precision())
    given = {"signed": signed, "narrow": narrow, "rounding": rounding}
    expected = quant_by_formula(x, 0.25, 0, bits, **given) @ quant_by_formula(
        w, scales, 0, bits, **{**given, "signed": 1}
    )
    np.testing.assert_allclose(compiled.run({"x": x})[0], expected, rtol=1e-5, atol=1e-5)
    (matrix,) = compiled.program.matrices
    assert matrix.weight_bits <= bits
    assert matrix.input.bits == bits
