"""A program's steps as one ONNX graph: segments as they are, loops as Scan, matrices as a subclass says."""

from abc import ABC, abstractmethod

from rcompile.frontend.draft import Draft, names_in, opset_of
from rcompile.ir.matrix import Loop, MatrixProgram, Segment, Step

DEFAULT_OPSET = 17
"""Where no segment says otherwise."""


class Assembly(ABC):
    """A program as a graph under construction.

    Args:
        source: the program.
    """

    def __init__(self, source: MatrixProgram) -> None:
        self._source = source
        self.opset = max((opset_of(segment.model) for segment in source.segments), default=DEFAULT_OPSET)
        self._root = self._draft = Draft(self.opset, self._prefix(), apart=False)

    def model(self) -> bytes:
        """Return the model."""
        self._steps(self._source.order)
        return self._root.model(self._source.inputs, self._source.outputs, self._source.name)

    def _prefix(self) -> str:
        """Return what none of the model's own names begins with."""
        names = {m.output for m in self._source.matrices}
        for segment in self._source.segments:
            names |= names_in(segment.model)
        prefix = "rcompile."
        while any(name.startswith(prefix) for name in names):
            prefix += "_"
        return prefix

    def _steps(self, order: tuple[Step, ...]) -> None:
        for step in order:
            item = self._source.at(step)
            if isinstance(item, Segment):
                self._draft.inline(item.model)
            elif isinstance(item, Loop):
                self._loop(item)
            else:
                self._matrix(step.index)

    def _loop(self, loop: Loop) -> None:
        outer, self._draft = self._draft, self._draft.body()
        self._steps(loop.order)
        body, self._draft = self._draft, outer
        inputs = [(s.initial, s.inside) for s in loop.states] + [(s.outside, s.inside) for s in loop.scanned]
        outputs = [(s.following, s.final) for s in loop.states] + [(s.inside, s.outside) for s in loop.collected]
        self._draft.scan(body, inputs, outputs, len(loop.scanned))

    @abstractmethod
    def _matrix(self, index: int) -> None:
        """Append a matrix: from its input tensor to its output tensor."""
