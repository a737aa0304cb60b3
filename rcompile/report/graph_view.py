"""A mapped program as a graph to look at: digital operators as they are, matrices as nodes that say where they lie."""

import msgspec

from rcompile.backends.assembly import Assembly
from rcompile.ir.matrix import MatrixProgram
from rcompile.report.schema import LayerInfo, Report

DOMAIN = "rcompile"


def graph_view(source: MatrixProgram, report: Report) -> bytes:
    """Return an ONNX file that viewers draw; no runtime executes it."""
    return View(source, report).model()


class View(Assembly):
    """A program with one node for each matrix.

    Args:
        source: the program.
        report: of its compilation: what nodes say.
    """

    def __init__(self, source: MatrixProgram, report: Report) -> None:
        super().__init__(source)
        self._layers = report.layers

    def _matrix(self, index: int) -> None:
        matrix, layer = self._source.matrices[index], self._layers[index]
        self._draft.add(
            f"Crossbar{layer.op_type}",
            matrix.input.tensor,
            name=matrix.output,
            domain=DOMAIN,
            node=layer.name,
            **attributes(layer),
        )


def attributes(layer: LayerInfo) -> dict[str, object]:
    """Return the plain figures of a layer: numbers, texts, and lists of numbers."""
    found = msgspec.to_builtins(layer)
    for own in ("name", "node", "op_type"):  # the node has them
        del found[own]
    return {
        name: int(value) if isinstance(value, bool) else value
        for name, value in found.items()
        if value is not None and not isinstance(value, dict) and not (isinstance(value, list) and name != "tiles")
    }
