"""What a compilation leaves behind, for reports."""

from dataclasses import dataclass
from pathlib import Path

from rcompile.backends.compensation import Correction
from rcompile.devices import Device
from rcompile.devices.faults import FaultMap
from rcompile.ir.container import Compiled
from rcompile.ir.graph import Graph
from rcompile.mapper.replication import Replication
from rcompile.options import Options
from rcompile.targets import Target
from rcompile.verification.curve import AtBits
from rcompile.verification.verify import Verified


@dataclass(frozen=True)
class Origins:
    """Where ranges come from: 'model', 'calibration', 'data' or 'random'.

    Attributes:
        activations: those of activations.
        converters: those of converters and partial sums; '' where none were calibrated.
    """

    activations: str
    converters: str


@dataclass(frozen=True)
class Result:
    """Everything about one compilation.

    Attributes:
        path: the ONNX file.
        sha256: of the ONNX file.
        graph: the model as loaded.
        compiled: what program.rcx holds.
        program_hash: digest of program.rcx.
        origins: where ranges come from.
        replication: how many copies of each matrix, and the bound on what they reach.
        ignored: what the user asked for that does not apply to a model that came quantized.
        faults: of the die that the program is for; None without one.
        correct: what was corrected on dies.
        verified: None where verification was switched off.
        curve: the accuracy with other converters, where that was asked for.
    """

    path: Path
    sha256: str
    graph: Graph
    compiled: Compiled
    program_hash: str
    target: Target
    device: Device
    options: Options
    origins: Origins
    replication: Replication
    ignored: tuple[str, ...]
    verified: Verified | None
    curve: tuple[AtBits, ...] = ()
    faults: FaultMap | None = None
    correct: Correction = Correction.NONE
