"""`rcompile`: the verbs and their flags."""

import difflib
import os
import signal
import sys
import traceback
import warnings
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter, UnusedCliTokensError
from cyclopts.validators import Number

from rcompile.errors import InternalError, RcompileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

INTERRUPTED = 130

REPORT_A_BUG = "this is a bug in rcompile: please report it with the command, this message and `rcompile --version`"

app = App(
    name="rcompile",
    help="Compile an ONNX model to RRAM crossbar tiles, execute the mapped program, and say whether it is right.",
    usage="Usage: rcompile MODEL.onnx [OPTIONS]\n       rcompile COMMAND [OPTIONS] FILE\n",
    version=lambda: f"rcompile {metadata.version('rcompile')}",
    result_action="return_value",
)

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
ExactSamples = Annotated[
    int,
    Parameter(validator=Number(gte=0), help="Samples to compare crossbar by crossbar; 0: what some seconds allow."),
]
Seed = Annotated[int, Parameter(validator=Number(gte=0), help="Seed of everything drawn at random.")]
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


@app.default
def compile(  # noqa: A001, PLR0913 - the verb's own name; each flag is a parameter
    model: Annotated[Path, Parameter(help="The ONNX file. It is not changed.")],
    /,
    *,
    target: Annotated[
        str, Parameter(help="The architecture: a name that `rcompile targets` lists, or a .toml file.")
    ] = "isaac",
    set_: Settings = (),
    data: Data = None,
    calibration: Annotated[
        Path | None,
        Parameter(help="Samples for the activation ranges of a float model: .npz; default: those of --data."),
    ] = None,
    faults: Faults = None,
    output: Annotated[
        Path | None, Parameter(name=["--output", "-o"], help="The folder to write; default: MODEL.rcompile.")
    ] = None,
    dim: Dimensions = (),
    weightless: Weightless = False,
    weight_bits: Annotated[Bits, Parameter(help="Bits of a float model's weights, 1 to 24.")] = 8,
    input_bits: Annotated[Bits, Parameter(help="Bits of a float model's activations, 1 to 24.")] = 8,
    precision: Annotated[
        Path | None,
        Parameter(help="Bits of single layers: .toml with [layers.NAME] tables of weight_bits, input_bits, adc_bits."),
    ] = None,
    objective: Annotated[
        Literal["crossbars", "throughput", "latency"],
        Parameter(help="Fewest crossbars, or copies of layers on free ones for more inferences/s or a faster one."),
    ] = "crossbars",
    effort: Annotated[
        Literal["low", "normal", "high"],
        Parameter(help="How hard to search for copies and places: amounts of work, the same on any machine."),
    ] = "normal",
    fit: Annotated[
        float | None,
        Parameter(
            validator=Number(gte=0),
            help="Take the smallest chip that makes so many inferences/s; 0: that holds the model.",
        ),
    ] = None,
    rounds: Annotated[
        int,
        Parameter(
            validator=Number(gte=1, lte=1024),
            help="Most rounds in which a model larger than the target may run, its crossbars programmed anew between.",
        ),
    ] = 1,
    verify: Annotated[
        bool,
        Parameter(
            negative="--no-verify",
            help="Execute the program and compare it with the model (on unless --no-verify).",
            show_default=False,
        ),
    ] = True,
    exact_samples: ExactSamples = 0,
    seed: Seed = 0,
    print_ir_after: Annotated[
        tuple[str, ...],
        Parameter(
            negative=(),
            consume_multiple=False,
            show_default=False,
            help="Print the program after a pass (to stderr); may be repeated.",
        ),
    ] = (),
    json: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="Where to write report.json as well; '-' is stdout.")
    ] = None,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Compile a model, verify the mapped program by executing it, and write a report."""
    from rcompile.api import compile_model
    from rcompile.cli.progress import RichProgress
    from rcompile.options import Effort, Objective, Options
    from rcompile.pipeline import Trace
    from rcompile.precision import Precision, load_precision
    from rcompile.report.console import print_summary
    from rcompile.report.schema import to_json
    from rcompile.targets import resolve_target

    console = human_console(to_stderr=json == "-" or not sys.stdout.isatty())
    if json not in {None, "-"}:
        require_writable(Path(json))
    folder = output or Path(f"{model.stem}.rcompile")
    bits = Precision(weight_bits, input_bits)
    if precision is not None:
        bits = load_precision(precision, bits)
    with RichProgress() as progress:
        report = compile_model(
            model,
            target=resolve_target(target, parse_settings(set_)),
            data=data,
            calibration=calibration,
            faults=faults,
            output=folder,
            options=Options(
                weight_bits=bits.weight_bits,
                input_bits=bits.input_bits,
                layers=bits.layers,
                layers_from="" if precision is None else str(precision),
                objective=Objective(objective),
                effort=Effort(effort),
                fit=fit,
                rounds=rounds,
                verify=verify,
                exact_samples=exact_samples,
                seed=seed,
                dimensions=parse_dimensions(dim),
                weightless=weightless,
            ),
            trace=Trace(print_after=print_ir_after, show=lambda text: print(text, file=sys.stderr), progress=progress),  # noqa: T201
            command=("rcompile", *sys.argv[1:]),
        )
    print_summary(report, console, f"{folder}{os.sep}")
    if json == "-":
        sys.stdout.write(to_json(report).decode())
    elif json is not None:
        Path(json).write_bytes(to_json(report))
    return 6 if report.verification.exact.status == "fail" else 0


@app.command
def verify(
    program: Annotated[Path, Parameter(help="program.rcx, or the folder that holds it.")],
    /,
    *,
    data: Data = None,
    exact_samples: ExactSamples = 0,
    adc_bits: Annotated[
        int | None,
        Parameter(
            validator=Number(gte=1, lte=24), help="Lower adjustable converters to so many bits (adc.adjustable)."
        ),
    ] = None,
    faults: Faults = None,
    seed: Seed = 0,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Check and execute a program file again, from the file alone."""
    from rcompile import api
    from rcompile.cli.progress import RichProgress
    from rcompile.pipeline import Trace
    from rcompile.report.console import plural, rounded

    with RichProgress() as progress:
        found = api.verify(
            program,
            data=data,
            exact_samples=exact_samples,
            seed=seed,
            adc_bits=adc_bits,
            faults=faults,
            trace=Trace(progress=progress),
        )
    console = human_console(to_stderr=False)
    rounding = sum(not item.lossless for item in found.compiled.placed.program.matrices)
    console.print(
        f"[bold green]PASS[/] {plural(len(found.exact.layers), 'layer')}, each equal to integer arithmetic bit for "
        f"bit, on {found.exact.samples} of {found.data.samples} samples ({found.data.origin}){rounded(rounding)}"
    )
    for name, value in (
        ("quantized model", found.accuracy.quantized_model),
        ("mapped program", found.accuracy.mapped_program),
        ("same top-1 as onnxruntime", found.accuracy.agreement),
        (f"on the die of {faults}", found.on_die),
    ):
        if value is not None:
            console.print(f"{name}: {100 * value:.2f} %")
    return 0


@app.command
def inspect(
    file: Annotated[Path, Parameter(help="program.rcx, the folder that holds it, or an ONNX file.")],
    /,
    *,
    blocks: Annotated[bool, Parameter(negative=(), help="List every block with its place.")] = False,
    dim: Dimensions = (),
    weightless: Weightless = False,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Show what a program holds, or what of a model can be mapped."""
    from rcompile.cli.inspect import inspect_file
    from rcompile.frontend.load import Source

    source = Source(parse_dimensions(dim), weightless=weightless)
    inspect_file(file, human_console(to_stderr=False), source, blocks=blocks)
    return 0


@app.command
def targets(
    name: Annotated[str | None, Parameter(help="Show this target, a preset or a .toml file, with its sources.")] = None,
    /,
    *,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """List the architectures, or show one."""
    from rcompile.cli.inspect import target_text
    from rcompile.targets import list_targets, resolve_target

    console = human_console(to_stderr=False)
    if name is not None:
        sys.stdout.write(target_text(resolve_target(name)) + "\n")
        return 0
    for preset, summary in list_targets().items():
        console.print(f"[bold]{preset:12}[/] {summary}", highlight=False)
    return 0


@app.command
def schema(*, debug: Debug = False) -> int:  # noqa: ARG001 - read by main
    """Print the JSON Schema of report.json."""
    import json

    from rcompile.report.schema import json_schema

    sys.stdout.write(json.dumps(json_schema(), indent=1) + "\n")
    return 0


def parse_settings(settings: tuple[str, ...]) -> dict[str, str]:
    """Split FIELD=VALUE texts."""
    found = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set: '{text}' is not FIELD=VALUE", hint="for example --set crossbar.rows=256")
        found[name.strip()] = value.strip()
    return found


def parse_dimensions(settings: tuple[str, ...]) -> dict[str, int]:
    """Split NAME=SIZE texts; a name may hold an equals sign."""
    found = {}
    for text in settings:
        name, _, size = text.rpartition("=")
        if not name or not size.strip().isdecimal() or int(size) < 1:
            raise UsageError(f"--dim: '{text}' is not NAME=SIZE", hint="for example --dim sequence=128")
        found[name.strip()] = int(size)
    return found


def require_writable(path: Path) -> None:
    """Refuse a file that could not be written in the end, before any work is done."""
    folder = path.absolute().parent
    if path.is_dir() or not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"--json: {path} cannot be written", hint="name a file in a folder that you may write to")


def human_console(*, to_stderr: bool) -> "Console":
    """Return where people read; colours only on terminals."""
    from rich.console import Console

    console = Console(stderr=to_stderr, highlight=False)
    if not console.is_terminal:
        console = Console(stderr=to_stderr, highlight=False, width=110, soft_wrap=False)
    return console


def not_a_verb(word: str) -> str | None:
    """Return what is wrong with a first word that is neither a flag, nor a verb, nor anything like a file."""
    verbs = [name for name in app if not name.startswith("-")]
    if word.startswith("-") or word in verbs or Path(word).suffix or Path(word).exists():
        return None
    close = difflib.get_close_matches(word, verbs, n=1)
    hint = (
        f"did you mean '{close[0]}'?" if close else f"the verbs are {', '.join(verbs)}; to compile, name an .onnx file"
    )
    return f"there is no verb or file '{word}'\nhint: {hint}"


def run(call: "Callable[[], object]", *, debug: bool) -> int:
    """Run a verb; turn what it raises into a message and an exit code."""
    try:
        code = call()
    except KeyboardInterrupt:
        return fail("interrupted; nothing was written", INTERRUPTED)
    except BrokenPipeError:
        return 141
    except RcompileError as error:
        if debug:
            traceback.print_exc()
        notes = "".join(f"\n{note}" for note in getattr(error, "__notes__", ()))
        hint = f"\n{REPORT_A_BUG}" if isinstance(error, InternalError) else ""
        return fail(f"{error}{notes}{hint}", error.exit_code)
    except MemoryError:
        return fail("out of memory", InternalError.exit_code)
    except Exception as error:
        if debug:
            traceback.print_exc()
        return fail(f"{type(error).__name__}: {error}\n{REPORT_A_BUG}", InternalError.exit_code)
    return code if isinstance(code, int) else 0


def fail(message: str, code: int) -> int:
    """Print an error to stderr."""
    sys.stderr.write(f"error: {message}\n")
    return code


def interrupt(number: int, frame: object) -> None:  # noqa: ARG001 - a signal handler
    """Turn a signal into what Ctrl-C raises."""
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line and exit."""
    arguments = sys.argv[1:]
    if not arguments:
        arguments = ["--help"]
    if (problem := not_a_verb(arguments[0])) is not None:
        sys.exit(fail(problem, UsageError.exit_code))
    try:
        command, bound, _ = app.parse_args(arguments, exit_on_error=False, print_error=False)
    except UnusedCliTokensError as error:
        extra = " ".join(error.unused_tokens or ())
        sys.exit(fail(f"one file at a time; '{extra}' is too much\nhint: rcompile --help lists the verbs and flags", 2))
    except CycloptsError as error:
        sys.exit(fail(f"{error}\nhint: rcompile --help lists the verbs and flags", UsageError.exit_code))
    warnings.simplefilter("ignore", RuntimeWarning)  # what numpy says of NaN is reported as what it means
    signal.signal(signal.SIGTERM, interrupt)  # so that a batch queue's kill tidies up as Ctrl-C does
    sys.exit(run(lambda: command(*bound.args, **bound.kwargs), debug="--debug" in arguments))
