"""`rcompile`: the verbs and their flags."""

import os
import sys
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from rcompile.cli.arguments import limits_of, parse_dimensions, parse_range, parse_settings, require_writable
from rcompile.cli.export import export
from rcompile.cli.output import human_console, list_presets, plot_targets
from rcompile.cli.parameters import (
    At,
    Bits,
    Correct,
    Data,
    Debug,
    DeviceName,
    Dimensions,
    ExactSamples,
    Faults,
    Memory,
    Seed,
    Settings,
    Threads,
    TrialCount,
    UntilCi,
    Weightless,
)
from rcompile.cli.reading import compare, demo, explain
from rcompile.cli.verify import verify as verify_program
from rcompile.errors import UsageError, VerificationFailed

OVER_BUDGET = 7
"""The exit code where what was asked for is not reached."""

app = App(
    name="rcompile",
    help="Compile an ONNX model to RRAM crossbar tiles, execute the mapped program, and say whether it is right.",
    usage="Usage: rcompile MODEL.onnx [OPTIONS]\n       rcompile COMMAND [OPTIONS] FILE\n",
    version=lambda: f"rcompile {metadata.version('rcompile')}",
    result_action="return_value",
    help_format="plaintext",
)
for verb in (compare, demo, explain, export, verify_program):
    app.command(verb)


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
    device: DeviceName = "ideal",
    faults: Faults = None,
    trials: TrialCount = 5,
    until_ci: UntilCi = None,
    at: At = None,
    correct: Correct = "none",
    adc_curve: Annotated[
        str | None, Parameter(help="Measure the accuracy with converters of FROM:TO bits as well, for example 3:8.")
    ] = None,
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
    threads: Threads = 0,
    memory: Memory = 0.25,
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
    quiet: Annotated[
        bool, Parameter(name=["--quiet", "-q"], negative=(), help="Print the verdict and warnings only.")
    ] = False,
    verbose: Annotated[
        bool, Parameter(name=["--verbose", "-v"], negative=(), help="Print every layer, hint and phase.")
    ] = False,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Compile a model, verify the mapped program by executing it, and write a report."""
    from rcompile.api import compile_model
    from rcompile.cli.progress import RichProgress
    from rcompile.options import Effort, Objective, Options
    from rcompile.pipeline import Trace
    from rcompile.precision import Precision, load_precision
    from rcompile.report.chip_diagnostics import RATE_MISSED
    from rcompile.report.console import Detail, print_summary
    from rcompile.report.output import write_whole
    from rcompile.report.schema import to_json
    from rcompile.targets import resolve_target

    if quiet and verbose:
        raise UsageError("--quiet and --verbose contradict each other", hint="leave one out")
    console = human_console(to_stderr=json == "-" or not sys.stdout.isatty())
    if json not in {None, "-"}:
        require_writable(Path(json), "--json")
    folder = output or Path(f"{model.stem}.rcompile")
    bits = Precision(weight_bits, input_bits)
    if precision is not None:
        bits = load_precision(precision, bits)
    with limits_of(threads, memory), RichProgress() as progress:
        report = compile_model(
            model,
            target=resolve_target(target, parse_settings(set_)),
            data=data,
            calibration=calibration,
            device=device,
            faults=faults,
            trials=trials,
            until_ci=until_ci,
            at=at.split(",") if at else (),
            correct=correct,
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
                adc_curve=parse_range(adc_curve, "--adc-curve"),
                seed=seed,
                dimensions=parse_dimensions(dim),
                weightless=weightless,
            ),
            trace=Trace(print_after=print_ir_after, show=lambda text: print(text, file=sys.stderr), progress=progress),  # noqa: T201
            command=("rcompile", *sys.argv[1:]),
        )
    detail = Detail.BRIEF if quiet else Detail.ALL if verbose else Detail.SCREEN
    print_summary(report, console, f"{folder}{os.sep}", detail)
    if json == "-":
        sys.stdout.write(to_json(report).decode())
    elif json is not None:
        write_whole(Path(json), to_json(report))
    if report.verification.exact.status == "fail":
        return VerificationFailed.exit_code
    return OVER_BUDGET if any(item.code == RATE_MISSED for item in report.diagnostics) else 0


@app.command
def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell.")],
    /,
    *,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Print a script with which a shell completes verbs, flags and choices."""
    sys.stdout.write(f"{app.generate_completion(shell=shell).rstrip()}\n")
    return 0


@app.command
def inspect(  # noqa: PLR0913 - each flag is a parameter
    file: Annotated[Path, Parameter(help="program.rcx, the folder that holds it, or an ONNX file.")],
    /,
    *,
    blocks: Annotated[bool, Parameter(negative=(), help="List every block with its place.")] = False,
    training: Annotated[
        bool, Parameter(negative=(), help="Estimate what training the weights on the chip would take.")
    ] = False,
    samples: Annotated[
        int | None, Parameter(validator=Number(gte=1), help="Samples of an epoch of --training; default: 50,000.")
    ] = None,
    batch: Annotated[
        int | None, Parameter(validator=Number(gte=1), help="Samples of an update of --training; default: 64.")
    ] = None,
    device: Annotated[
        str | None, Parameter(help="Whose writes --training counts; what it does not say is the survey's.")
    ] = None,
    dim: Dimensions = (),
    weightless: Weightless = False,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Show what a program holds, or what of a model can be mapped."""
    from rcompile.cli.inspect import inspect_file
    from rcompile.frontend.load import Source

    if training:
        from rcompile.cli.training import print_training
        from rcompile.devices import resolve_device

        written = None if device is None else resolve_device(device)
        print_training(file, human_console(to_stderr=False), written, samples or 50_000, batch or 64)
        return 0
    if samples or batch or device:
        raise UsageError(
            "--samples, --batch and --device are of --training", hint=f"rcompile inspect {file} --training"
        )
    source = Source(parse_dimensions(dim), weightless=weightless)
    inspect_file(file, human_console(to_stderr=False), source, blocks=blocks)
    return 0


@app.command
def targets(
    name: Annotated[str | None, Parameter(help="Show this target, a preset or a .toml file, with its sources.")] = None,
    /,
    *,
    check: Annotated[
        bool, Parameter(negative=(), help="Say what NAME states, assumes and leaves out, instead of showing it.")
    ] = False,
    plot: Annotated[
        Path | None, Parameter(help="Draw bits of cells and weights, and power and density, of all presets: .svg.")
    ] = None,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """List the architectures, or show one."""
    from rcompile.targets import list_targets, resolve_target

    if check and name is None:
        raise UsageError("--check takes a target", hint="rcompile targets my.toml --check")
    if plot is not None:
        plot_targets(plot, name)
    elif name is not None and check:
        from rcompile.cli.describe import check_lines

        sys.stdout.write("\n".join(check_lines(resolve_target(name))) + "\n")
    elif name is None:
        list_presets(list_targets())
    else:
        from rcompile.cli.describe import target_text

        sys.stdout.write(target_text(resolve_target(name)) + "\n")
    return 0


@app.command
def devices(
    name: Annotated[str | None, Parameter(help="Show this device, a preset or a .toml file, with its sources.")] = None,
    /,
    *,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """List the devices, or show one."""
    from rcompile.cli.describe import device_text
    from rcompile.devices import list_devices, resolve_device

    if name is None:
        list_presets(list_devices())
    else:
        sys.stdout.write(device_text(resolve_device(name)) + "\n")
    return 0


@app.command
def doctor(*, debug: Debug = False) -> int:  # noqa: ARG001 - read by main
    """Say what executes programs on this machine, and why; check that it computes right."""
    from rcompile.cli.doctor import examine

    return 0 if examine(human_console(to_stderr=False)) else 70


@app.command
def schema(*, debug: Debug = False) -> int:  # noqa: ARG001 - read by main
    """Print the JSON Schema of report.json."""
    import json

    from rcompile.report.schema import json_schema

    sys.stdout.write(json.dumps(json_schema(), indent=1) + "\n")
    return 0
