"""Wrong commands of the verbs that read, compare and export: one clear message, nothing on stdout, nothing written."""

import shutil

import onnx
import pytest
from conftest import small_cnn
from test_bad_input import run

from rcompile.report.codes import CODES


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verbs")
    onnx.save(small_cnn(), folder / "ok.onnx")
    assert run(folder, "ok.onnx", "-o", "out", "--no-verify").returncode == 0
    (folder / "empty").mkdir()
    (folder / "old").mkdir()
    text = (folder / "out" / "report.json").read_text()
    (folder / "old" / "report.json").write_text(text.replace('"node": "conv1",', "", 1))
    (folder / "bad.json").write_text("{")
    return folder


NO_REPORT = "hint: name the folder that rcompile wrote, MODEL.rcompile, or its report.json"
OLD = (
    "old/report.json: this is no report of this version of rcompile: Object missing required field `node` - at "
    "`$.layers[0]`\nhint: compile the model again"
)
CASES = {
    "explain nothing": (
        ["explain"], 2,
        'Command "explain" parameter FOLDER requires an argument.\nhint: rcompile explain --help shows what it takes',
    ),
    "explain a node without its folder": (
        ["explain", "conv1"], 2,
        "'conv1' is neither a folder that rcompile wrote nor a diagnostic's code\n"
        f"hint: rcompile explain FOLDER NODE; the codes are {', '.join(CODES)}",
    ),
    "explain a node that is none": (
        ["explain", "out", "convv1"], 2,
        "'convv1' is neither a node of ok nor the code of a diagnostic\nhint: did you mean 'conv1'?",
    ),
    "explain two nodes": (
        ["explain", "out", "conv1", "conv2"], 2, "'conv2' is too much\nhint: rcompile explain --help shows what it takes"
    ),
    "explain an empty folder": (
        ["explain", "empty", "conv1"], 3, f"empty/report.json: there is no report\n{NO_REPORT}"
    ),
    "explain a report of another version": (["explain", "old"], 3, OLD),
    "explain no report": (
        ["explain", "bad.json"], 3,
        "bad.json: this is no report of this version of rcompile: Input data was truncated\nhint: compile the model again",
    ),
    "compare one": (
        ["compare", "out"], 2,
        'Command "compare" parameter SECOND requires an argument.\nhint: rcompile compare --help shows what it takes',
    ),
    "compare with nothing": (["compare", "out", "nowhere"], 3, f"nowhere: there is no report\n{NO_REPORT}"),
    "compare with another version": (["compare", "out", "old", "--json", "-"], 3, OLD),
    "a page that is none": (["compare", "out", "out", "--html", "x.txt"], 2, "--html: x.txt must end in .html"),
    "a page in no folder": (
        ["compare", "out", "out", "--html", "nodir/x.html"], 2,
        "--html: nodir/x.html cannot be written\nhint: name a file in a folder that you may write to",
    ),
    "a flag of no verb": (
        ["compare", "out", "out", "--csv", "x"], 2,
        "Unknown option: --csv.\nhint: rcompile compare --help shows what it takes",
    ),
    "export nothing": (
        ["export", "out"], 2, "there is nothing to write\nhint: rcompile export out --onnx emulation.onnx"
    ),
    "export from nowhere": (
        ["export", "nowhere", "--onnx", "e.onnx"], 3,
        "nowhere: there is no such program file\nhint: rcompile MODEL.onnx writes one",
    ),
    "export a model": (
        ["export", "ok.onnx", "--onnx", "e.onnx"], 3,
        "ok.onnx: this is a model, not a program\nhint: rcompile ok.onnx makes one of it",
    ),
    "compile what was compiled": (
        ["out"], 3,
        "out: this is a folder, not an ONNX file\nhint: rcompile verify, inspect or explain out",
    ),
    "the verb that there is not": (
        ["compile", "ok.onnx"], 2, "there is no verb 'compile'\nhint: name the model: rcompile MODEL.onnx"
    ),
    "compare a program": (
        ["compare", "out", "out/program.rcx"], 3,
        "out/program.rcx: this is no report\nhint: name the folder that rcompile wrote, or its report.json",
    ),
    "export to what is no model": (["export", "out", "--onnx", "e.txt"], 2, "--onnx: e.txt must end in .onnx"),
    "export what is noisy": (
        ["export", "out", "--onnx", "e.onnx", "--device", "hfo2_1t1r"], 2,
        "ok.onnx: reads of the device are noisy, and an ONNX model computes the same each time\n"
        "hint: another device, or this one without noise of reads ('hfo2_1t1r?read_noise.sigma=0')",
    ),
    "export on no device": (
        ["export", "out", "--onnx", "e.onnx", "--device", "nobody"], 2,
        "there is no device 'nobody'; `rcompile devices` lists the 22 that there are\n"
        "hint: a file of your own must end in .toml",
    ),
    "a die of a graph": (
        ["export", "out", "--graph", "g.onnx", "--seed", "3"], 2,
        "--device, --faults, --trial and --seed are of --onnx\nhint: name its file: --onnx FILE.onnx",
    ),
    "a die of a negative number": (
        ["export", "out", "--onnx", "e.onnx", "--trial", "-1"], 2,
        'Invalid value "-1" for --trial. Must be >= 0.\nhint: rcompile export --help shows what it takes',
    ),
    "a verb misspelt": (["exprot", "out"], 2, "there is no verb or file 'exprot'\nhint: did you mean 'export'?"),
    "a topology that is none": (
        ["ok.onnx", "--set", "noc.topology=torus"], 2,
        "--set: noc.topology must be one of mesh, h_tree, bus, is 'torus'",
    ),
    "layers of a bus": (
        ["ok.onnx", "--target", "classroom", "--set", "noc.topology=bus", "--set", "hierarchy.mesh_layers=2"], 2,
        "classroom.toml: 1 mistake in the target file, as --set changes it\n"
        "  --set: hierarchy.mesh_layers must be 1 where noc.topology is bus, is 2: only meshes are connected from layer "
        "to layer\nhint: `rcompile targets isaac` shows a complete target",
    ),
    "a demonstration of something": (
        ["demo", "extra"], 2, "'extra' is too much\nhint: rcompile demo --help shows what it takes"
    ),
    "JSON of a failure": (
        ["ok.onnx", "--json", "-", "--data", "nothing.npz"], 3,
        "nothing.npz: there is no such data file\nhint: check the path",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_one_clear_message(case, written, tmp_path):
    arguments, code, message = CASES[case]
    folder = tmp_path / "work"
    shutil.copytree(written, folder)
    before = sorted(folder.rglob("*"))
    result = run(folder, *arguments)
    assert result.stderr == f"error: {message}\n"
    assert result.returncode == code
    assert result.stdout == ""
    assert sorted(folder.rglob("*")) == before, "a file was left behind"
