"""What `rcompile targets` and `rcompile inspect --training` print."""

import xml.etree.ElementTree as ET

import pytest
from conftest import MODELS, ROOT

from rcompile.cli.app import app
from rcompile.targets import list_targets


def printed(capsys, *arguments):
    assert app(list(arguments)) == 0
    return capsys.readouterr().out


def test_one_line_for_each_target(capsys):
    lines = printed(capsys, "targets").splitlines()
    assert [line.split()[0] for line in lines] == list(list_targets())


def test_a_target_is_shown_with_what_it_adds_up_to(capsys):
    text = printed(capsys, "targets", "isaac")
    assert text.startswith(
        "# chip: 65.8 W, 85.42 mm2; converters 49.0 % of the power and 22.7 % of the area, 168 x tile\n"
    )
    assert "#   tile: 330 mW, 0.3723 mm2; converters 58.2 % of the power and 30.9 % of the area, 12 x ima\n" in text
    assert "# 483.32 GOPS/s/mm2, 627.39 GOPS/s/W, 0.73749 MiB/mm2\n" in text


@pytest.mark.parametrize("name", list_targets())
def test_what_is_shown_is_a_target_file(capsys, tmp_path, name):
    shown = printed(capsys, "targets", name)
    (tmp_path / "again.toml").write_text(shown, encoding="utf-8")
    assert printed(capsys, "targets", str(tmp_path / "again.toml")) == shown


def test_check_says_what_is_assumed_left_out_and_unpriced(capsys):
    text = printed(capsys, "targets", str(ROOT / "docs" / "example_target.toml"), "--check")
    assert text.startswith("my_chip is sound: each value has a source, or says that it is assumed\n")
    assert "assumed: weights.sign: not stated: differential columns\n" in text
    assert "left out, and taken as: tile.buffer_bytes = 0\n" in text
    assert (
        "no component states the energy of: sram_read, input_byte, output_byte, buffer_byte, bus_byte, element" in text
    )


def test_the_plot_is_one_picture_with_every_target(capsys, tmp_path):
    path = tmp_path / "all.svg"
    text = printed(capsys, "targets", str(ROOT / "docs" / "example_target.toml"), "--plot", str(path))
    assert text == f"wrote {path}\n"
    drawing = ET.parse(path)
    titles = {name for item in drawing.iter("{http://www.w3.org/2000/svg}title") for name in item.text.split(", ")}
    assert titles == {*list_targets(), "my_chip"}
    marked = [item for item in drawing.iter("{http://www.w3.org/2000/svg}circle") if item.get("fill") == "#c2410c"]
    assert len(marked) == 2


def test_training_is_estimated_for_a_program(capsys, tmp_path):
    app([str(MODELS / "digits_lenet_int8.onnx"), "--no-verify", "-o", str(tmp_path / "out")])
    capsys.readouterr()
    text = printed(capsys, "inspect", str(tmp_path / "out"), "--training", "--samples", "1437", "--batch", "32")
    rows = {tuple(line.split())[:3] for line in text.splitlines()}
    assert ("cell", "by", "cell") in rows
    assert "14,368" in text
    assert "an epoch of 1,437 samples, 32 an update: 45 updates" in text
    named = printed(capsys, "inspect", str(tmp_path / "out"), "--training", "--device", "hfo2_1t1r")
    assert "hfo2_1t1r states none of them; else Krestinskaya et al." in " ".join(named.split())
