"""The networks of benchmarks/zoo.py have the published parameters, multiplications and crossbars."""

import onnx
import pytest
import zoo

PARAMETERS = {  # with a scale and a shift for each batch normalisation, of which one is the convolution's bias here
    "lenet5": 61_706,  # LeCun 1998 with full connections
    "alexnet": 60_965_224,  # Krizhevsky 2012
    "vgg16": 138_357_544,
    "vgg19": 143_667_240,
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "googlenet": 6_998_552,
    "inception_v3": 23_834_568,
    "squeezenet": 1_235_496,
    "mobilenet_v1": 4_231_976,
    "mobilenet_v2": 3_504_872,
    "vit_b16": 86_567_656,
    "bert_base": 109_482_240,
    "lstm": 19_780_400,
}
MILLION_MACS = {  # as the papers and model cards state them
    "alexnet": 724, "vgg16": 15_470, "vgg19": 19_632, "resnet18": 1_814, "resnet34": 3_664, "resnet50": 3_858,
    "googlenet": 1_583, "inception_v3": 5_713, "squeezenet": 349, "mobilenet_v1": 569, "mobilenet_v2": 301,
    "vit_b16": 17_564,
}  # fmt: skip
NORMALISED = {"resnet18", "resnet34", "resnet50", "inception_v3", "mobilenet_v1", "mobilenet_v2"}


def convolution_channels(name: str) -> int:
    network, output = zoo.NETWORKS[name]()
    model = network.model(output, "none")
    sizes = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer}
    return sum(sizes[node.input[2]] for node in model.graph.node if node.op_type == "Conv")


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_ones(name):
    network, _ = zoo.NETWORKS[name]()
    folded = convolution_channels(name) if name in NORMALISED else 0
    assert network.parameters + folded == PARAMETERS[name]


@pytest.mark.parametrize("name", MILLION_MACS)
def test_multiplications_are_the_published_ones(name):
    network, _ = zoo.NETWORKS[name]()
    assert round(network.macs / 1e6) == MILLION_MACS[name]


@pytest.mark.parametrize("name", zoo.NETWORKS)
def test_onnx_infers_the_shapes(name):
    network, output = zoo.NETWORKS[name]()
    model = onnx.shape_inference.infer_shapes(network.model(output, "none"), check_type=True, strict_mode=True)
    assert [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim] == [1, *output.shape]


def test_weights_come_from_the_seed(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        zoo.write("lenet5", tmp_path / folder, seed=3)
    assert (tmp_path / "a/lenet5.data").read_bytes() == (tmp_path / "b/lenet5.data").read_bytes()
    onnx.checker.check_model(str(tmp_path / "a/lenet5.onnx"))
