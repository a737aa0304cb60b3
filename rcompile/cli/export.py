"""The verb that writes programs in forms that other tools read."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from rcompile.cli.arguments import require_writable
from rcompile.cli.output import human_console
from rcompile.cli.parameters import Debug, DeviceName, Faults, Seed
from rcompile.errors import UsageError


def export(  # noqa: PLR0913 - each flag is a parameter
    folder: Annotated[Path, Parameter(help="A folder that rcompile wrote.")],
    /,
    *,
    onnx: Annotated[
        Path | None,
        Parameter(help="Write a model of standard operators that computes what the crossbars do: .onnx."),
    ] = None,
    graph: Annotated[
        Path | None, Parameter(help="Write a graph for viewers, each matrix a node with its figures: .onnx.")
    ] = None,
    instructions: Annotated[
        Path | None, Parameter(help="Write what each tile does, instruction by instruction: .txt.")
    ] = None,
    device: DeviceName = "ideal",
    faults: Faults = None,
    trial: Annotated[int, Parameter(validator=Number(gte=0), help="Number of the die that --onnx computes.")] = 0,
    seed: Seed = 0,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Write a program as plain ONNX that onnxruntime executes, as a graph to look at, or as instructions of tiles."""
    from rcompile import api

    if onnx is None and graph is None and instructions is None:
        raise UsageError("there is nothing to write", hint=f"rcompile export {folder} --onnx emulation.onnx")
    if onnx is None and (device != "ideal" or faults is not None or trial or seed):
        raise UsageError("--device, --faults, --trial and --seed are of --onnx", hint="name its file: --onnx FILE.onnx")
    console = human_console(to_stderr=False)
    for path, flag, suffix in (
        (onnx, "--onnx", ".onnx"),
        (graph, "--graph", ".onnx"),
        (instructions, "--instructions", ".txt"),
    ):
        if path is not None and path.suffix != suffix:
            raise UsageError(f"{flag}: {path} must end in {suffix}")
        if path is not None:
            require_writable(path, flag)
    if onnx is not None:
        api.export_onnx(folder, onnx, device=device, faults=faults, seed=seed, trial=trial)
        console.print(f"wrote {onnx}: onnxruntime computes with it what the crossbars do", highlight=False)
    if graph is not None:
        api.export_graph(folder, graph)
        console.print(f"wrote {graph}: to be looked at, for example in Netron", highlight=False)
    if instructions is not None:
        api.export_instructions(folder, instructions)
        console.print(f"wrote {instructions}: what each tile does", highlight=False)
    return 0
