"""Components of targets: figures by resolution, tables, mistakes."""

import pytest
from conftest import ROOT

from rcompile.cost.prices import price, unpaid, vector_s
from rcompile.cost.roll_up import levels, peak
from rcompile.errors import UsageError
from rcompile.report.roll_up import roll_up_lines
from rcompile.targets import resolve_target
from rcompile.targets.components import Component, Point

TABLE = "name,bits,energy_j,power_w,leakage_w,rate_per_s,area_m2,source\n"


def converter(*points, scaling="bits"):
    return Component("adc", "crossbar", 1, "conversion", (), scaling, "", points)


def test_leakage_is_part_of_the_power_and_not_of_an_action_s_energy():
    isaac = resolve_target("isaac", {"components.sigmoid.leakage_w": "0.06e-3", "components.edram.leakage_w": "1e-3"})
    by_name = {item.name: price(item, isaac) for item in isaac.components}
    assert by_name["sigmoid"].energy_j == pytest.approx(0.2e-3 / 1.2e9)
    assert by_name["sigmoid"].power_w == pytest.approx(0.26e-3)
    derived = resolve_target(str(ROOT / "docs" / "example_target.toml"))
    logic = next(price(item, derived) for item in derived.components if item.name == "logic")
    assert logic.power_w == pytest.approx(0.05e-12 * 3.2e9 + 10e-6)


def test_converters_and_their_number_are_stated_once():
    """A component of conversions follows adc.per_crossbar, and may not contradict it."""
    shared = resolve_target("isaac", {"adc.per_crossbar": "0.25"})
    assert next(item for item in shared.components if item.name == "adc").count == 2
    with pytest.raises(UsageError, match=r"components\.adc\.count is 4 for 8 crossbars, and adc\.per_crossbar says 8"):
        resolve_target("isaac", {"components.adc.count": "4"})


def test_what_is_not_there_has_no_price():
    panther = resolve_target("panther")
    assert unpaid(panther) == ["read", "conversion"]
    assert peak(panther).per_power is None


@pytest.mark.parametrize(
    ("target", "changes", "seconds"),
    [
        ("isaac", {}, 16 * 100e-9),
        ("isaac", {"adc.per_crossbar": "0.5"}, 16 * 200e-9),
        ("isaac", {"crossbar.rows_at_once": "16"}, 8 * 16 * 100e-9),
        ("isaac", {"inputs.encoding": "amplitude"}, 100e-9),
        ("timely", {}, 2 * 15 * 10e-9),
        ("classroom", {"weights.subtraction": "analog", "adc.per_crossbar": "0.5"}, 8 * 50e-9),
    ],
)
def test_peak_figures_time_vectors_as_the_schedule_does(target, changes, seconds):
    assert vector_s(resolve_target(target, changes)) == pytest.approx(seconds)


def test_unknown_is_not_zero():
    chip = levels(resolve_target("prime"))[-1]
    assert (chip.stated, chip.power_w, chip.area_m2) == (False, 0, 0)
    assert "chip: no components stated" in "\n".join(roll_up_lines(resolve_target("prime")))
    crossbar = levels(resolve_target("neurram"))[0]
    assert not crossbar.stated
    assert roll_up_lines(resolve_target("mnsim2"))[0] == "without what a read takes, which is not stated:"


def test_a_single_point_scales_with_bits_or_levels():
    point = Point(8, energy_j=8e-12, area_m2=255e-12)
    assert converter(point).at_bits(6).energy_j == pytest.approx(6e-12)
    assert converter(point, scaling="levels").at_bits(4).area_m2 == pytest.approx(15e-12)
    assert converter(Point(0, energy_j=3e-12)).at_bits(4).energy_j == 3e-12


@pytest.mark.parametrize(
    ("scaling", "nine", "two"), [("bits", 4e-12 * 9 / 7, 1e-12 / 2), ("levels", 4e-12 * 511 / 127, 1e-12 * 3 / 15)]
)
def test_between_points_on_a_line_and_beyond_by_the_law(scaling, nine, two):
    found = converter(Point(4, energy_j=1e-12), Point(6, energy_j=2e-12), Point(7, energy_j=4e-12), scaling=scaling)
    assert found.at_bits(5).energy_j == pytest.approx(1.5e-12)
    assert found.at_bits(6).energy_j == 2e-12
    assert found.at_bits(9).energy_j == pytest.approx(nine)
    assert found.at_bits(2).energy_j == pytest.approx(two)
    energies = [found.at_bits(bits).energy_j for bits in range(1, 16)]
    assert energies == sorted(energies)


def test_energy_follows_from_power_and_rate_and_the_other_way():
    isaac = resolve_target("isaac")
    by_name = {item.name: price(item, isaac) for item in isaac.components}
    assert by_name["adc"].power_w == pytest.approx(2e-3, rel=1e-4)
    assert by_name["dac"].energy_j == pytest.approx(4e-3 / 1024 * 100e-9)
    assert by_name["sigmoid"].energy_j == pytest.approx(0.26e-3 / 1.2e9)
    assert by_name["max_pool"].energy_j == by_name["max_pool"].power_w


def written(tmp_path, text, table=None):
    (tmp_path / "my.toml").write_text(
        'schema_version = 1\nname = "my"\nsummary = "mine"\nextends = "isaac"\n' + text, encoding="utf-8"
    )
    if table is not None:
        (tmp_path / "my.csv").write_text(table, encoding="utf-8")
    return str(tmp_path / "my.toml")


def test_a_table_of_ones_own(tmp_path):
    file = written(
        tmp_path,
        '[components.adc]\nmodel = "my.csv#sar"\n[sources]\n"components.adc" = "measured"\n',
        TABLE + "sar,6,1e-12,,,,2e-9,measured\nsar,8,2e-12,,,,3e-9,measured\n",
    )
    target = resolve_target(file)
    (adc,) = (item for item in target.components if item.name == "adc")
    assert (adc.at, adc.count, adc.per) == ("ima", 8, "conversion")  # as isaac has them
    assert price(adc, target).energy_j == 2e-12
    assert price(adc, target).power_w == pytest.approx(2e-12 * 1.28e9)  # of adc.rate_per_s
    assert price(adc, target, 7).area_m2 == pytest.approx(2.5e-9)


@pytest.mark.parametrize(
    ("text", "table", "message"),
    [
        ('[components.adc]\nmodel = "none"\n[sources]\ncomponents = "x"\n', None, "has no 'none'; it has isaac_adc"),
        (
            '[components.adc]\nmodel = "my.csv#a"\n[sources]\ncomponents = "x"\n',
            None,
            "table of components cannot be read",
        ),
        (
            '[components.adc]\nmodel = "my.csv#a"\n[sources]\ncomponents = "x"\n',
            "name,bits\na,1\n",
            "has no column energy_j",
        ),
        (
            '[components.adc]\nmodel = "my.csv#a"\n[sources]\ncomponents = "x"\n',
            TABLE + "a,6,2e-12,,,,,x\na,8,1e-12,,,,,x\n",
            "a: energy_j must rise with bits, is 2e-12 and then 1e-12",
        ),
        (
            '[components.adc]\nmodel = "my.csv#a"\n[sources]\ncomponents = "x"\n',
            TABLE + "a,6,much,,,,,x\n",
            "a: energy_j is no number: much",
        ),
        (
            '[components.adc]\nmodel = "my.csv#a"\n[sources]\ncomponents = "x"\n',
            TABLE + "a,6,1e-12,,,,,\n",
            "a at 6 bits has no source",
        ),
        (
            '[components.adc]\nenergy_j = 1e-12\n[sources]\ncomponents = "x"\n',
            None,
            "line 6: components.adc.energy_j is given by isaac_adc already: leave it or model out",
        ),
        (
            '[components.adc]\nmodel = "my.csv#a"\n[sources]\ncomponents = "x"\n',
            TABLE + "a,6,1e-12,,,,,x\na,6,2e-12,,,,,x\n",
            "a: there are two rows of 6 bits",
        ),
        (
            '[components.adc]\nmodel = "my.csv#a"\n[sources]\ncomponents = "x"\n',
            TABLE + "a,6,1e-12,,,,,x\na,8,,1e-3,,,,x\n",
            "a: energy_j is given at some resolutions only: give it in all rows or in none",
        ),
        (
            '[components.adc]\nmodel = "my.csv#a"\n[sources]\ncomponents = "x"\n',
            TABLE + "a,,1e-12,,,,,x\na,8,2e-12,,,,,x\n",
            "a: a row of no resolution stands beside others: give its bits",
        ),
        (
            '[components.adc]\nmodel = "my.csv"\n[sources]\ncomponents = "x"\n',
            None,
            "has no 'my.csv'; it has isaac_adc\nhint: rows of a file: my.csv#NAME",
        ),
        (
            '[components.max_pool]\nmodel = "my.csv#a"\nper = "time"\n[sources]\ncomponents = "x"\n',
            TABLE + "a,6,1e-12,,,,,x\n",
            "components.max_pool.power_w is given by my.csv#a already",
        ),
        (
            '[components."a b"]\nat = "tile"\ncount = 1\n[sources]\ncomponents = "x"\n',
            None,
            "components.a b must be named with letters, digits, _ and - only",
        ),
        (
            '[components.edram]\nat = "bank"\n[sources]\ncomponents = "x"\n',
            None,
            "line 6: components.edram.at must be one of crossbar, ima, tile, chip, is 'bank'",
        ),
        (
            "[components.edram]\nenergy_j = 1e-12\n",
            None,
            'line 6: components.edram.energy_j has no source: add "components.edram.energy_j" or "components.edram" to',
        ),
        (
            '[components.edram]\nenergie_j = 1e-12\n[sources]\ncomponents = "x"\n',
            None,
            "line 6: components.edram.energie_j is not a field; did you mean 'components.edram.energy_j'?",
        ),
        (
            '[components.new]\nat = "tile"\n[sources]\ncomponents = "x"\n',
            None,
            "line 5: components.new.count is missing: how many of it tile has",
        ),
        (
            '[hierarchy]\ncounts = [8]\n[sources]\nhierarchy = "x"\n',
            None,
            "line 6: hierarchy.counts must be one for each of hierarchy.levels (ima, tile): 2, is [8]",
        ),
        (
            '[hierarchy]\nlevels = ["chip", "tile"]\n[sources]\nhierarchy = "x"\n',
            None,
            "line 6: hierarchy.levels must differ from each other and from crossbar and chip, is ['chip', 'tile']",
        ),
    ],
)
def test_mistakes_are_named(tmp_path, text, table, message):
    with pytest.raises(UsageError) as caught:
        resolve_target(written(tmp_path, text, table))
    assert message in f"{caught.value.at}: {caught.value}"


def test_components_are_changed_on_the_command_line():
    target = resolve_target("isaac", {"components.router.count": "1"})
    assert next(item for item in target.components if item.name == "router").count == 1
    with pytest.raises(UsageError, match=r"did you mean 'components\.router\.count'"):
        resolve_target("isaac", {"components.ruter.count": "1"})
