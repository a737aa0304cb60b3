"""The verb that checks and executes a program file again."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from rcompile.cli.arguments import limits_of
from rcompile.cli.output import human_console
from rcompile.cli.parameters import (
    At,
    Correct,
    Data,
    Debug,
    DeviceName,
    ExactSamples,
    Faults,
    Memory,
    Seed,
    Threads,
    TrialCount,
    UntilCi,
)


def verify(  # noqa: PLR0913 - each flag is a parameter
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
    instructions: Annotated[
        bool, Parameter(negative=(), help="Run the instruction streams of the tiles as well, against the clock.")
    ] = False,
    device: DeviceName = "ideal",
    faults: Faults = None,
    trials: TrialCount = 5,
    until_ci: UntilCi = None,
    at: At = None,
    correct: Correct = "none",
    calibration: Annotated[Path | None, Parameter(help="Samples that corrections are fitted on: .npz.")] = None,
    seed: Seed = 0,
    threads: Threads = 0,
    memory: Memory = 0.25,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Check and execute a program file again, from the file alone."""
    from rcompile import api
    from rcompile.cli.progress import RichProgress
    from rcompile.devices import resolve_device
    from rcompile.pipeline import Trace
    from rcompile.report.console import print_streams, rounded, trials_line
    from rcompile.report.words import plural

    with limits_of(threads, memory), RichProgress() as progress:
        found = api.verify(
            program,
            data=data,
            exact_samples=exact_samples,
            seed=seed,
            adc_bits=adc_bits,
            device=device,
            faults=faults,
            trials=trials,
            until_ci=until_ci,
            at=at.split(",") if at else (),
            correct=correct,
            calibration=calibration,
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
    ):
        if value is not None:
            console.print(f"{name}: {100 * value:.2f} %")
    for series in found.trials:
        console.print(f"{trials_line(resolve_device(device).name, faults, series)}", highlight=False)
    if instructions:
        with limits_of(threads, memory), RichProgress() as progress:
            streams = api.run_streams(
                program, data=data, samples=exact_samples, seed=seed, trace=Trace(progress=progress)
            )
        print_streams(streams, console)
    return 0
