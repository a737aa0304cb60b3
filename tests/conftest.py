"""Shared fixtures: small ONNX graphs, the example models, third-party test data, golden texts."""

import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from rcompile.devices.faults import FaultMap

ROOT = Path(__file__).parent.parent
MODELS = ROOT / "models"
TESTDATA = ROOT.parent / "shared" / "testdata"
GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden texts anew")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Compare a text with tests/golden/NAME.txt; a missing file is a failure unless --update-golden is given."""

    def check(name: str, text: str) -> None:
        path = GOLDEN / f"{name}.txt"
        if request.config.getoption("--update-golden"):
            path.write_text(text + "\n", encoding="utf-8")
        assert path.exists(), f"{path} is missing: look at the text and run pytest --update-golden"
        assert path.read_text(encoding="utf-8") == text + "\n"

    return check


def script(name: str):
    """Load a script of docs/, which finds the others there."""
    if str(ROOT / "docs") not in sys.path:
        sys.path.append(str(ROOT / "docs"))
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look for their module
    spec.loader.exec_module(module)
    return module


class GraphMaker:
    """Builds small ONNX models node by node."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, array: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weight(self, name: str, *shape: int) -> str:
        return self.constant(name, self.rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape).astype(np.float32))

    def add(self, op_type: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(
            helper.make_node(op_type, inputs, [output], name=attributes.pop("name", output), **attributes)
        )
        return output

    def model(self, inputs: dict[str, list], outputs: dict[str, list], opset: int = 17) -> onnx.ModelProto:
        def value(name: str, shape: list) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

        graph = helper.make_graph(
            self.nodes,
            "small",
            [value(*item) for item in inputs.items()],
            [value(*item) for item in outputs.items()],
            self.constants,
        )
        return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", opset)])


@pytest.fixture
def maker() -> GraphMaker:
    return GraphMaker()


def small_cnn() -> onnx.ModelProto:
    """A convolution with padding and stride, BatchNorm, a residual Add, a product with added bias."""
    m = GraphMaker()
    m.add("Conv", ["x", m.weight("w1", 4, 2, 3, 3), m.weight("b1", 4)], "conv1", pads=[1, 1, 1, 1], strides=[2, 2])
    norm = [m.constant(f"n{i}", v.astype(np.float32)) for i, v in enumerate(np.abs(m.rng.normal(1, 0.2, (4, 4))))]
    m.add("BatchNormalization", ["conv1", *norm], "norm1")
    m.add("Relu", ["norm1"], "relu1")
    m.add("Conv", ["relu1", m.weight("w2", 4, 2, 3, 3)], "conv2", pads=[1, 1, 1, 1], group=2)
    m.add("Add", ["conv2", "relu1"], "sum")
    m.add("Flatten", ["sum"], "flat")
    m.add("MatMul", ["flat", m.weight("w3", 64, 5)], "product")
    m.add("Add", ["product", m.weight("b3", 5)], "y")
    return m.model({"x": ["N", 2, 8, 8]}, {"y": ["N", 5]})


@pytest.fixture
def cnn_file(tmp_path: Path) -> Path:
    path = tmp_path / "small_cnn.onnx"
    onnx.save(small_cnn(), path)
    return path


@pytest.fixture
def cnn_data(tmp_path: Path) -> Path:
    path = tmp_path / "small_cnn.npz"
    rng = np.random.default_rng(1)
    np.savez(path, x=rng.normal(size=(6, 2, 8, 8)).astype(np.float32), labels=rng.integers(0, 5, 6))
    return path


def random_faults(
    positions: Sequence[int], lines: tuple[int, int], *, stuck_at_g_min: float, stuck_at_g_max: float, seed: int
) -> FaultMap:
    """Return the map of a die whose cells are stuck independently of each other.

    Args:
        positions: of the crossbars; what is drawn for one depends on its position alone.
        lines: (for rows, for columns) of a crossbar, spare ones included.
        stuck_at_g_min: share of the cells.
        stuck_at_g_max: share of the cells.
        seed: of the draws.
    """
    low: list[np.ndarray] = []
    high: list[np.ndarray] = []
    for crossbar in positions:
        drawn = np.random.default_rng((seed, crossbar)).random(lines)
        for found, cells in (
            (low, drawn < stuck_at_g_min),
            (high, (drawn >= stuck_at_g_min) & (drawn < stuck_at_g_min + stuck_at_g_max)),
        ):
            places = np.argwhere(cells)
            found.append(np.concatenate([np.full((len(places), 1), crossbar), places], axis=1))
    none = np.zeros((0, 3), np.int64)
    at_g_min, at_g_max = (np.concatenate([none, *found]) for found in (low, high))
    return FaultMap(at_g_min, at_g_max, none[:, :2], none[:, :2], none[:, :1])
