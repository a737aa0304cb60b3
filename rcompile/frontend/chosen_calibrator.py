"""onnxruntime's min-max calibrator, for chosen tensors only.

As it comes it watches every tensor of the chosen operator types and looks each up in a list of all nodes, which takes
minutes on thousands of nodes; and it runs on all processors, whose number must not decide a program's bytes.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import onnx
import onnxruntime
from onnx import TensorProto, helper
from onnxruntime.quantization.calibrate import CalibrationDataReader, MinMaxCalibrater

from rcompile.frontend.runtime import session_options
from rcompile.ir.graph import Array

FLAT = "calibration.flat_shape"


class ChosenCalibrator(MinMaxCalibrater):  # type: ignore[misc]
    """Collects least and largest values of named float32 tensors."""

    def __init__(self, model: Path, names: list[str], augmented: Path) -> None:
        super().__init__(model, augmented_model_path=str(augmented))
        self._names = names

    def augment_graph(self) -> None:
        """Append ReduceMin and ReduceMax of each tensor, as the calibrator does, without searching for a place."""
        graph = self.model.graph
        graph.initializer.append(helper.make_tensor(FLAT, TensorProto.INT64, [1], [-1]))
        for name in self._names:
            for operator in ("ReduceMin", "ReduceMax"):
                output = f"{name}_{operator}"  # the calibrator reads the tensor's name from this
                graph.node.append(helper.make_node(operator, [name], [f"{output}_kept"], keepdims=1))
                graph.node.append(helper.make_node("Reshape", [f"{output}_kept", FLAT], [output]))
                graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, [None]))
        onnx.save(self.model, self.augmented_model_path)

    def create_inference_session(self) -> None:
        """Run on one thread."""
        options = session_options(optimize=False)
        self.infer_session = onnxruntime.InferenceSession(
            self.augmented_model_path, options, providers=["CPUExecutionProvider"]
        )

    def collect_data(self, feeds: Iterator[Mapping[str, Array]]) -> None:
        """Run all feeds."""
        super().collect_data(Reader(feeds))


class Reader(CalibrationDataReader):  # type: ignore[misc]
    """Feeds the calibrator."""

    def __init__(self, feeds: Iterator[Mapping[str, Array]]) -> None:
        self._feeds = feeds

    def get_next(self) -> Mapping[str, Array] | None:
        """Return the next run's inputs, None at the end."""
        return next(self._feeds, None)
