"""Parameters that several verbs have."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

Bits = Annotated[int, Parameter(validator=Number(gte=1, lte=24))]
Debug = Annotated[bool, Parameter(negative=(), show_default=False, help="Show a traceback when something fails.")]
Data = Annotated[
    Path | None,
    Parameter(help="Samples to verify on: .npz, one array per model input, samples along axis 0, optional 'labels'."),
]
Faults = Annotated[
    Path | None,
    Parameter(help="What of a die does not work: .npz of stuck cells, dead rows, columns and crossbars."),
]
DeviceName = Annotated[
    str,
    Parameter(
        help="Cells: a name that `rcompile devices` lists, or a .toml file; @TIME reads them later, "
        "?SECTION.FIELD=VALUE changes them (hfo2_1t1r@1day?lognormal.sigma=0.1)."
    ),
]
TrialCount = Annotated[
    int, Parameter(validator=Number(gte=1), help="Dies with random draws of their own to measure the accuracy on.")
]
UntilCi = Annotated[
    float | None,
    Parameter(
        validator=Number(gt=0, lt=1),
        help="Fewer dies where the 95 % interval of the accuracy is this narrow on either side (0.01: one point).",
    ),
]
At = Annotated[str | None, Parameter(help="Times after writing to measure the accuracy at as well: 1s,1h,1day,1year.")]
Correct = Annotated[
    Literal["none", "drift", "offset", "affine"],
    Parameter(
        help="Correct outputs of the dies digitally, as --calibration fits: by one gain a layer and copy (drift), an "
        "offset of each, or gain and offset of each (affine)."
    ),
]
ExactSamples = Annotated[
    int,
    Parameter(validator=Number(gte=0), help="Samples to compare crossbar by crossbar; 0: what some seconds allow."),
]
Seed = Annotated[int, Parameter(validator=Number(gte=0), help="Seed of everything drawn at random.")]
Threads = Annotated[
    int,
    Parameter(
        validator=Number(gte=0, lte=1024),
        help="Threads that execute the program; 0: one for each processor. Same results.",
    ),
]
Memory = Annotated[
    float,
    Parameter(
        name="--memory",
        validator=Number(gt=0),
        help="GiB for the samples that are executed at once, beside the program. Same results.",
    ),
]
Settings = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        show_default=False,
        negative=(),
        consume_multiple=False,
        help="Override a field of the target, FIELD=VALUE (e.g. crossbar.rows=256); may be repeated.",
    ),
]
Dimensions = Annotated[
    tuple[str, ...],
    Parameter(
        name="--dim",
        show_default=False,
        negative=(),
        consume_multiple=False,
        help="Size of a free dimension, NAME=SIZE, or INPUT.AXIS=SIZE where it has no name; may be repeated.",
    ),
]
Weightless = Annotated[
    bool,
    Parameter(
        negative=(),
        show_default=False,
        help="Map a model whose weights are missing by its shapes: random weights, nothing verified.",
    ),
]
