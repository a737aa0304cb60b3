"""Files that extend others."""

import pytest

from rcompile.devices import resolve_device
from rcompile.errors import UsageError
from rcompile.targets import resolve_target

HEAD = 'schema_version = 1\nname = "my"\nsummary = "mine"\n'


def written(tmp_path, text, name="my.toml"):
    (tmp_path / name).write_text(HEAD + text, encoding="utf-8")
    return str(tmp_path / name)


def test_own_fields_replace_those_of_the_base_with_sources_of_their_own(tmp_path):
    base, target = (
        resolve_target("isaac"),
        resolve_target(
            written(tmp_path, 'extends = "isaac"\n[crossbar]\nrows = 256\n[sources]\n"crossbar.rows" = "mine"\n')
        ),
    )
    assert (target.name, target.crossbar.rows, target.crossbar.columns) == ("my", 256, 128)
    assert target.sources["crossbar.rows"] == "mine"
    assert target.sources["crossbar.columns"] == base.sources["crossbar"]
    assert target.components == base.components


def test_an_own_field_is_not_covered_by_the_source_of_the_base(tmp_path):
    with pytest.raises(UsageError, match=r"line 6: crossbar\.rows has no source"):
        resolve_target(written(tmp_path, 'extends = "isaac"\n[crossbar]\nrows = 256\n'))


def test_what_is_assumed_stays_assumed_until_it_is_stated(tmp_path):
    file = written(tmp_path, 'extends = "macro"\n[crossbar]\nrows = 64\ncell_bits = 2\n[sources]\ncrossbar = "mine"\n')
    target = resolve_target(file)
    assert "crossbar.rows" not in target.assumed_fields
    assert "crossbar.columns" in target.assumed_fields
    assert target.assumptions["crossbar.columns"] == "not stated: 128"
    assert "crossbar.columns" not in target.sources


def test_a_chain_and_a_file_beside(tmp_path):
    written(tmp_path, 'extends = "newton"\n[adc]\nbits = 7\n[sources]\nadc = "mine"\n', "base.toml")
    target = resolve_target(
        written(tmp_path, 'extends = "base.toml"\n[timing]\nread_cycle_s = 1e-8\n[sources]\ntiming = "x"\n')
    )
    assert (target.adc.bits, target.adc.resolution, target.timing.read_cycle_s) == (7, "adaptive", 1e-8)


def test_a_mistake_that_is_inherited_is_at_the_line_that_inherits_it(tmp_path):
    written(tmp_path, 'extends = "isaac"\n[crossbar]\nrows = 0\n[sources]\ncrossbar = "mine"\n', "base.toml")
    with pytest.raises(UsageError, match=r"line 4: crossbar\.rows must be at least 1, is 0"):
        resolve_target(written(tmp_path, 'extends = "base.toml"\n'))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('extends = "nobody"\n', "there is no target 'nobody'"),
        ('extends = "my.toml"\n', "it extends itself"),
        ('extends = "sub/../my.toml"\n', "it extends itself|cannot be read"),
        ("extends = 3\n", "extends must be a text"),
        ('extends = "absent.toml"\n', "the target file cannot be read"),
    ],
)
def test_bases_that_cannot_be(tmp_path, text, message):
    with pytest.raises(UsageError, match=message):
        resolve_target(written(tmp_path, text))


def test_a_file_may_have_the_name_of_the_preset_that_it_extends(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path, 'extends = "isaac"\n', "isaac.toml")
    assert resolve_target("isaac.toml").name == "my"


def test_tables_are_beside_the_file_that_names_them(tmp_path, monkeypatch):
    (tmp_path / "base").mkdir()
    table = "name,bits,energy_j,power_w,leakage_w,rate_per_s,area_m2,source\na,8,1e-12,,,,1e-9,mine\n"
    (tmp_path / "base" / "t.csv").write_text("\ufeff" + table, encoding="utf-8")
    written(
        tmp_path,
        'extends = "isaac"\n[components.adc]\nmodel = "t.csv#a"\n[sources]\n"components.adc" = "x"\n',
        "base/b.toml",
    )
    monkeypatch.chdir(tmp_path)
    target = resolve_target(written(tmp_path, 'extends = "base/b.toml"\n'))
    assert next(item for item in target.components if item.name == "adc").points[0].energy_j == 1e-12


def test_the_paper_of_another_architecture_is_not_taken_over():
    assert resolve_target("newton").paper.row == 0
    assert "Newton" in resolve_target("newton").paper.title


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("assumed = 4\n", r"line 4: assumed must be a section, \[assumed\], written once"),
        ('sources = "x"\n', r"line 4: sources must be a section, \[sources\], written once"),
        ("[[components]]\nat = 1\n", r"components must be a section, \[components\], written once"),
        (
            'extends = "isaac"\n[crossbar]\nrows = 64\n[sources]\ncrossbar = "a"\n[assumed]\ncrossbar = "b"\n',
            r"line 10: assumed\.crossbar is in \[sources\], too: it is stated, or it is assumed",
        ),
    ],
)
def test_sections_that_are_none_are_the_one_mistake(tmp_path, text, message):
    with pytest.raises(UsageError, match=message) as caught:
        resolve_target(written(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'my.toml'}: 1 mistake ")


def test_devices_extend_too(tmp_path):
    file = written(tmp_path, 'extends = "hfo2_1t1r"\n[lognormal]\nsigma = 0.3\n[sources]\nlognormal = "mine"\n')
    device = resolve_device(file)
    assert device.models["lognormal"].sigma == 0.3
    assert list(device.models) == list(resolve_device("hfo2_1t1r").models)
