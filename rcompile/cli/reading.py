"""The verbs that read reports: compare and explain; and demo, which makes one."""

import os
import shlex
import sys
from importlib import resources
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from rcompile.cli.arguments import limits_of, require_writable
from rcompile.cli.output import human_console
from rcompile.cli.parameters import Debug, Memory, Threads
from rcompile.errors import UsageError

DEMO_DEVICE = "hfo2_1t1r"
DEMO_DIES = 10

Written = Annotated[Path, Parameter(help="A folder that rcompile wrote, or its report.json.")]


def compare(
    first: Written,
    second: Written,
    /,
    *,
    html: Annotated[Path | None, Parameter(help="Write the comparison as a page as well: .html.")] = None,
    json: Annotated[
        str | None, Parameter(allow_leading_hyphen=True, help="Where to write it as JSON as well; '-' is stdout.")
    ] = None,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Show two programs side by side: what was asked for, what came out, layer by layer."""
    import msgspec

    from rcompile.report.compare import compare as compare_reports
    from rcompile.report.output import write_whole
    from rcompile.report.read import read_report
    from rcompile.report.side_by_side import comparison_page, print_comparison

    if html is not None and html.suffix != ".html":
        raise UsageError(f"--html: {html} must end in .html")
    for file, flag in ((html, "--html"), (None if json in {None, "-"} else Path(str(json)), "--json")):
        if file is not None:
            require_writable(file, flag)
    found = compare_reports(read_report(first), read_report(second))
    print_comparison(found, human_console(to_stderr=json == "-"))
    if html is not None:
        write_whole(html, comparison_page(found).encode())
    text = msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n"
    if json == "-":
        sys.stdout.write(text.decode())
    elif json is not None:
        write_whole(Path(json), text)
    return 0


def explain(
    folder: Annotated[str, Parameter(help="A folder that rcompile wrote, its report.json; or a diagnostic's code.")],
    what: Annotated[str | None, Parameter(help="A node of the model, or a diagnostic's code.")] = None,
    /,
    *,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Say why a node is where it is, or what a diagnostic means, and what would change it."""
    from rcompile.report.codes import CODES
    from rcompile.report.explain import code_lines, contents
    from rcompile.report.explain import explain as explain_report
    from rcompile.report.read import read_report

    if what is not None and folder in CODES and Path(what).exists():
        folder, what = what, folder
    if what is None and folder in CODES:
        lines = code_lines(folder, CODES[folder])
    elif what is None and not Path(folder).exists():
        raise UsageError(
            f"'{folder}' is neither a folder that rcompile wrote nor a diagnostic's code",
            hint=f"rcompile explain FOLDER NODE; the codes are {', '.join(CODES)}",
        )
    else:
        report = read_report(Path(folder))
        lines = contents(report) if what is None else explain_report(report, what)
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


def demo(
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The folder to write.")] = Path(
        "digits_lenet_int8.rcompile"
    ),
    threads: Threads = 0,
    memory: Memory = 0.25,
    debug: Debug = False,  # noqa: ARG001 - read by main
) -> int:
    """Compile a small network that comes with rcompile, and measure what accuracy survives on real cells."""
    from rcompile.api import compile_model
    from rcompile.cli.progress import RichProgress
    from rcompile.pipeline import Trace
    from rcompile.report.console import print_summary

    console = human_console(to_stderr=not sys.stdout.isatty())
    files = resources.files("rcompile") / "demo"
    with (
        resources.as_file(files / "digits_lenet_int8.onnx") as model,
        resources.as_file(files / "digits_test.npz") as data,
        limits_of(threads, memory),
        RichProgress() as progress,
    ):
        chosen = ("--data", str(data), "--device", DEMO_DEVICE, "--trials", f"{DEMO_DIES}", "-o", str(output))
        command = ("rcompile", str(model), *chosen)
        console.print(f"$ {shlex.join(command)}", highlight=False, soft_wrap=True)
        report = compile_model(
            model,
            data=data,
            device=DEMO_DEVICE,
            trials=DEMO_DIES,
            output=output,
            trace=Trace(progress=progress),
            command=command,
        )
    print_summary(report, console, f"{output}{os.sep}")
    console.print(
        f"now open {output / 'report.html'}, or ask on: rcompile explain {output} conv2; your own model: rcompile "
        "MODEL.onnx --data SAMPLES.npz",
        highlight=False,
    )
    return 0
