"""The Python interface: what the command line does, as calls."""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from rcompile.backends.chip import Chip
from rcompile.backends.onnx_export import emulation
from rcompile.compiler import PASSES, compile_file, data_for
from rcompile.devices import IDEAL, Device
from rcompile.errors import UsageError, VerificationFailed
from rcompile.ir import container
from rcompile.ir.container import Compiled
from rcompile.ir.graph import Graph
from rcompile.options import Options
from rcompile.passes.emit import emit
from rcompile.pipeline import Trace
from rcompile.report.build import build_report
from rcompile.report.csv import to_csv
from rcompile.report.graph_view import graph_view
from rcompile.report.html import to_html
from rcompile.report.output import OutputFolder, write_whole
from rcompile.report.read import read_report
from rcompile.report.schema import Report, to_json
from rcompile.report.trace import to_trace
from rcompile.targets import Target, resolve_target
from rcompile.targets.schema import from_dict
from rcompile.verification.data import DataSet, random_data
from rcompile.verification.instructions import InstructionRun, run_instructions
from rcompile.verification.trials import conditions_of
from rcompile.verification.verify import Verified, reference_of, verify_file

DEFAULT_TARGET = "isaac"


def compile_model(  # noqa: PLR0913 - as many as the command line has
    model: str | Path,
    *,
    target: str | Path | Target = DEFAULT_TARGET,
    data: str | Path | None = None,
    calibration: str | Path | None = None,
    device: str | Device = IDEAL,
    faults: str | Path | None = None,
    trials: int = 5,
    until_ci: float | None = None,
    at: Sequence[str] = (),
    correct: str = "none",
    output: str | Path | None = None,
    options: Options | None = None,
    trace: Trace | None = None,
    command: tuple[str, ...] | None = None,
) -> Report:
    """Compile a model, verify the program by executing it, and write program.rcx and the report.

    Args:
        model: an ONNX file; it is not changed.
        target: a preset's name, a .toml file, or a Target.
        data: an .npz file to verify on: one array per model input, samples along axis 0, optional `labels`.
        calibration: an .npz file for the activation ranges of a float model; without, `data` is used.
        device: its cells: a preset's name or a .toml file, with @TIME and ?SECTION.FIELD=VALUE, or a Device.
        faults: an .npz file with what of a die does not work: it is avoided, and the accuracy on the die is measured.
        trials: dies with random draws of their own on which the accuracy is measured, at most.
        until_ci: fewer dies where the 95 % interval of the mean accuracy is no wider on either side.
        at: times after writing at which the accuracy is measured, too: ("1h", "1day", "1year").
        correct: digital correction of outputs, fitted on `calibration`: "none", "drift", "offset" or "affine".
        output: the folder to write; without, `<model stem>.rcompile` in the current folder.
        options: choices, else the defaults.
        trace: records and shows what happens.
        command: what to name in the report as the command that made it.

    Returns:
        The report. Its `verification.exact.status` says whether the program computes what the model says.

    Raises:
        RcompileError: one of its subclasses, each with one clear message.

    Examples:
        >>> report = compile_model("digits_lenet_int8.onnx", data="digits_test.npz", output="lenet")
        >>> report.verification.exact.status, report.totals.crossbars_used
        ('pass', 4)
        >>> [layer.name for layer in report.layers if layer.latency_s == report.totals.interval_s]
        ['conv1']
    """
    clock, started = time.perf_counter(), datetime.now(UTC).isoformat(timespec="seconds")
    trace = trace or Trace()
    path = Path(model)
    chosen = target if isinstance(target, Target) else resolve_target(str(target))
    require_passes(trace.print_after)
    with OutputFolder(Path(output) if output else Path(f"{path.stem}.rcompile")) as folder:
        result = compile_file(
            path,
            chosen,
            folder.path("program.rcx"),
            options or Options(),
            trace,
            data_path=Path(data) if data else None,
            calibration_path=Path(calibration) if calibration else None,
            conditions=conditions_of(
                device,
                faults=Path(faults) if faults else None,
                trials=trials,
                until_ci=until_ci,
                at=at,
                correct=correct,
                seed=(options or Options()).seed,
            ),
        )
        report = build_report(
            result,
            command=command or ("rcompile.compile_model", str(model)),
            started=started,
            elapsed_s=time.perf_counter() - clock,
            phases=trace.phases,
        )
        folder.path("report.json").write_bytes(to_json(report))
        folder.path("report.html").write_text(to_html(report), encoding="utf-8")
        folder.path("report.csv").write_text(to_csv(report), encoding="utf-8")
        folder.path("trace.json").write_bytes(to_trace(report))
        folder.commit()
    return report


def require_passes(names: tuple[str, ...]) -> None:
    """Refuse names that no pass has."""
    passes = [step.__name__ for step in PASSES]
    for name in names:
        if name not in passes:
            raise UsageError(f"--print-ir-after: there is no pass '{name}'", hint=f"the passes are {', '.join(passes)}")


def load_program(path: str | Path) -> Compiled:
    """Read program.rcx (or the folder that holds it).

    Examples:
        >>> placed = load_program("lenet").placed
        >>> [item.matrix.name for item in placed.program.matrices]
        ['conv1', 'conv2', 'fc1', 'fc2']
    """
    return container.load(program_file(Path(path)))


def verify(  # noqa: PLR0913 - as many as the command line has
    program: str | Path,
    *,
    data: str | Path | None = None,
    exact_samples: int = 0,
    seed: int = 0,
    adc_bits: int | None = None,
    device: str | Device = IDEAL,
    faults: str | Path | None = None,
    trials: int = 5,
    until_ci: float | None = None,
    at: Sequence[str] = (),
    correct: str = "none",
    calibration: str | Path | None = None,
    trace: Trace | None = None,
) -> Verified:
    """Verify a program file on data, from the file alone.

    Args:
        program: program.rcx or the folder that holds it.
        data: an .npz file; without, seeded random inputs.
        exact_samples: samples of the exact comparison; 0: as many as the work limit allows.
        seed: of random inputs and dies.
        device: see compile_model; so are trials, until_ci, at and correct.
        faults: an .npz file with what of a die does not work: the accuracy on the die is measured, too.
        trials: dies.
        until_ci: fewer of them.
        at: times.
        correct: what is corrected.
        calibration: an .npz file that corrections are fitted on.
        adc_bits: resolution that adjustable converters are lowered to, without mapping again.
        trace: records and shows what happens.

    Raises:
        VerificationFailed: the program computes something else than its model.

    Examples:
        >>> found = verify("lenet", data="digits_test.npz", device="ideal?lognormal.sigma=0.3", trials=2)
        >>> found.exact.passed, found.accuracy.agreement
        (True, 1.0)
        >>> found.trials[0].mean < found.accuracy.mapped_program
        True
    """
    conditions = conditions_of(
        device,
        faults=Path(faults) if faults else None,
        trials=trials,
        until_ci=until_ci,
        at=at,
        correct=correct,
        seed=seed,
    )
    conditions.require_samples(given=calibration is not None)
    path = program_file(Path(program))
    graph, samples = graph_and_samples(container.load(path), data, seed)
    found = verify_file(
        path,
        samples,
        trace or Trace(),
        exact_samples=exact_samples,
        adc_bits=adc_bits,
        conditions=conditions,
        calibration=data_for(graph, Path(calibration) if calibration else None),
    )
    if not found.exact.passed:
        raise VerificationFailed(f"the program computes something else than its model: {found.exact.first_failure()}")
    return found


def run_streams(
    program: str | Path,
    *,
    data: str | Path | None = None,
    samples: int = 0,
    seed: int = 0,
    trace: Trace | None = None,
) -> InstructionRun:
    """Execute a program's instruction streams: their numbers on data, and their times on an event-driven machine.

    Args:
        program: program.rcx or the folder that holds it.
        data: an .npz file; without, seeded random inputs.
        samples: whose outputs are compared; 0: as many as the work limit allows.
        seed: of random inputs.
        trace: records and shows what happens.

    Raises:
        VerificationFailed: outputs differ from the program's, or threads wait for each other for ever.

    Examples:
        >>> found = run_streams("lenet", data="digits_test.npz")
        >>> found.outputs, found.stuck
        (0.0, ())
        >>> 0.99 < found.interval_s / found.planned_interval_s < 1.01
        True
    """
    compiled = load_program(program)
    _, chosen = graph_and_samples(compiled, data, seed)
    found = run_instructions(compiled.placed, from_dict(compiled.target), chosen, samples, trace or Trace())
    if not found.passed:
        raise VerificationFailed(f"the instruction streams do not do what the program does: {found.failure()}")
    return found


def export_onnx(
    program: str | Path,
    path: str | Path,
    *,
    device: str | Device = IDEAL,
    faults: str | Path | None = None,
    seed: int = 0,
    trial: int = 0,
) -> None:
    """Write a program as a plain ONNX model, with which onnxruntime alone computes what its crossbars do.

    Args:
        program: program.rcx or the folder that holds it.
        path: the .onnx file to write.
        device: of the die: see compile_model. Its reads must be products that draw nothing.
        faults: an .npz file with what of the die does not work.
        seed: of the die's draws.
        trial: the number of the die, as in `verification.accuracy.trials` of a report.

    Raises:
        UsageError: no fixed model computes what the die does.

    Examples:
        >>> export_onnx("lenet", "emulation.onnx")
        >>> import numpy, onnxruntime
        >>> session = onnxruntime.InferenceSession("emulation.onnx")
        >>> images = numpy.load("digits_test.npz")["image"][:3]
        >>> session.run(None, {"image": images})[0].argmax(axis=1) == numpy.load("digits_test.npz")["labels"][:3]
        array([ True,  True,  True])
    """
    compiled = load_program(program)
    conditions = conditions_of(device, faults=Path(faults) if faults else None, seed=seed)
    target = from_dict(compiled.target)
    conditions.require_target(target)
    die = replace(conditions.dies(target)[0], trial=trial)
    write_whole(Path(path), emulation(compiled.placed, Chip(compiled.placed, die)))


def export_instructions(program: str | Path, path: str | Path) -> None:
    """Write what each tile does for an inference: its instructions, thread by thread, as text.

    Args:
        program: program.rcx or the folder that holds it.
        path: the file to write.
    """
    compiled = load_program(program)
    stream = Trace().run(emit, compiled.placed, from_dict(compiled.target))
    write_whole(Path(path), f"{stream}\n".encode())


def export_graph(folder: str | Path, path: str | Path) -> None:
    """Write a program as a graph for viewers: each matrix is a node that says where it lies and what it takes.

    Args:
        folder: that `compile_model` wrote.
        path: the .onnx file to write.
    """
    report = read_report(Path(folder))
    write_whole(Path(path), graph_view(load_program(folder).placed.program.source, report))


def graph_and_samples(compiled: Compiled, data: str | Path | None, seed: int) -> tuple[Graph, DataSet]:
    """Return the model that a program implements, and the samples to run it on: those named, else random ones."""
    graph, matrices = reference_of(compiled)
    return graph, data_for(graph, Path(data) if data else None) or random_data(graph, seed, None, matrices.macs)


def program_file(path: Path) -> Path:
    """Return the program file that a path means: itself, or the one in a folder."""
    return path / "program.rcx" if path.is_dir() else path
