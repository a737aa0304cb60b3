"""Programs on dies: nothing at strength zero, the laws of noise at the columns, numbers that depend on nothing else."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import MODELS, random_faults
from hypothesis import given, settings
from hypothesis import strategies as st
from non_idealities import BENDING, NO_LINES, NOTHING, SAME_HEAT, SELDOM
from test_engines import SCHEMES, integer_product, mapped, matrices, next_matrix, random_codes, targets

import rcompile
from rcompile.backends.chip import Chip
from rcompile.backends.die import Die, Vectors
from rcompile.backends.executor import Executor
from rcompile.backends.mixed import Mixed
from rcompile.backends.reference import Reference
from rcompile.circuits.converters import Converters
from rcompile.circuits.wires import Wires
from rcompile.devices import IDEAL, resolve_device
from rcompile.devices.device import Device
from rcompile.devices.faults import FaultMap
from rcompile.devices.lognormal import Lognormal
from rcompile.devices.model import Cell, Model
from rcompile.devices.power_drift import PowerDrift
from rcompile.devices.read_noise import ReadNoise
from rcompile.devices.sinh import Sinh
from rcompile.devices.stuck import Stuck
from rcompile.devices.telegraph import Telegraph
from rcompile.targets import resolve_target

CELL = Cell(5e-6, 1e-4)


def device(wires: Wires | None = None, age_s: float = 0.0, cell: Cell = CELL, **models: Model) -> Device:
    return Device("d", "", cell, models, wires or Wires(0.0, 0.0), age_s=age_s)


@given(
    data=st.data(),
    matrix=matrices(),
    names=st.sets(st.sampled_from(list(NOTHING)), min_size=1),
    g_min=st.sampled_from([0.0, 5e-6, 6e-5]),
    reference=st.booleans(),
)
@settings(max_examples=120, deadline=None, derandomize=True)
def test_without_strength_every_encoding_computes_what_the_matrix_says(data, matrix, names, g_min, reference):
    target = data.draw(targets(matrix))
    placed = mapped(matrix, target, data.draw(st.integers(1, 2)))
    bending = data.draw(st.sampled_from(sorted(BENDING)))
    models = {name: NOTHING[name] for name in sorted(names) if name not in BENDING or name == bending}
    own = device(age_s=1e7, cell=Cell(g_min, 1e-4), **models)
    own = replace(own, temperature=SAME_HEAT, refresh=SELDOM)
    bits = target.inputs.dac_bits == 1 and target.weights.sign != "differential_rows"
    if bits and not own.terms() and data.draw(st.booleans()):
        own = replace(own, gated=NO_LINES)
    vectors = random_codes(matrix, 5)
    chip = Chip(placed, Die(own, lines=target.lines, reference_column=reference))
    assert chip.analog or not models
    np.testing.assert_array_equal(Reference(placed, chip).accumulate(0, vectors), integer_product(matrix, vectors))


def wide_matrix():
    weights = np.random.default_rng(0).integers(-100, 101, (1, 40, 6))
    return replace(next_matrix(), weights=weights, weight_low=np.full((1, 6), -128), weight_step=np.ones((1, 6), int),
                   vectors=8, epilogue=replace(next_matrix().epilogue, scale=np.ones(6, np.float32)))  # fmt: skip


def program_for(scheme: str, **settings):
    matrix = wide_matrix()
    if scheme in {"xnor_pair", "ternary_pair"}:
        signs = np.where(matrix.weights > 0, 1, -1)
        matrix = replace(
            matrix, weights=signs, weight_bits=1, weight_low=np.full((1, 6), -1), weight_step=np.full((1, 6), 2)
        )
    cells = "1" if scheme == "ternary_pair" else "2"
    found = {
        "weights.sign": scheme,
        "crossbar.cell_bits": cells,
        "adc.resolution": "lossless",
        "adc.bits": "24",
        **settings,
    }
    target = resolve_target("classroom", found)
    return matrix, mapped(matrix, target), target


def test_dies_differ_and_each_is_always_the_same():
    matrix, placed, target = program_for("offset")
    vectors = random_codes(matrix, 8)
    own = device(lognormal=Lognormal(0.2), read_noise=ReadNoise(0.05))

    def run(seed, trial):
        return Reference(placed, Chip(placed, Die(own, None, target.lines, seed, trial))).accumulate(0, vectors)

    assert (run(0, 0) == run(0, 0)).all()
    assert (run(0, 0) != run(0, 1)).any()
    assert (run(0, 0) != run(1, 0)).any()


def test_copies_have_devices_of_their_own():
    matrix = wide_matrix()
    target = resolve_target("classroom", {"adc.resolution": "lossless", "adc.bits": "24"})
    placed = mapped(matrix, target, copies=2)
    chip = Chip(placed, Die(device(lognormal=Lognormal(0.3)), lines=target.lines))
    vectors = np.repeat(random_codes(matrix, 1), 8, axis=0)
    found = Reference(placed, chip).accumulate(0, vectors)
    assert (found[0] == found[2]).all()  # copy 0
    assert (found[1] == found[3]).all()  # copy 1
    assert (found[0] != found[1]).any()


@pytest.fixture(scope="module", params=["digits_lenet_int8", "digits_row_lstm"])
def network(request, tmp_path_factory):
    """A program, and inputs for it: of a convolutional network, and of one that reads its matrices step by step."""
    folder = tmp_path_factory.mktemp("network") / "out"
    calibration = MODELS / "digits_calibration.npz" if request.param == "digits_lenet_int8" else None
    options = rcompile.Options(verify=False)
    rcompile.compile_model(MODELS / f"{request.param}.onnx", calibration=calibration, output=folder, options=options)
    placed = rcompile.load_program(folder).placed
    (value,) = placed.program.source.inputs
    with np.load(MODELS / "digits_test.npz") as data:
        image = data["image"][:8]
    return placed, {value.name: image if len(value.shape) == 4 else image.reshape(8, *value.shape[1:])}


@pytest.mark.parametrize("chunk", [1, 3, 360])
def test_noise_does_not_depend_on_what_is_run_together(network, chunk, monkeypatch):
    """Samples one by one, in chunks or all at once, on one thread or two: the same numbers."""
    placed, inputs = network
    own = device(lognormal=Lognormal(0.1), read_noise=ReadNoise(0.05))
    own = replace(own, converters=Converters(noise_lsb=0.3, offset_lsb=0.3))

    def run(at_once, threads):
        monkeypatch.setattr(Executor, "samples_at_once", lambda _: at_once)
        monkeypatch.setattr("os.cpu_count", lambda: threads)
        engine = Mixed(placed, Chip(placed, Die(own)))
        return next(iter(Executor(engine).run(inputs).values()))

    np.testing.assert_array_equal(run(chunk, 1), run(5, 2))


def test_read_noise_at_a_column_is_that_of_its_cells_drawn_one_by_one():
    """Independent normal noise of cells adds up to normal noise of variance sum(x^2 sigma^2)."""
    rng = np.random.default_rng(0)
    g = rng.uniform(5e-6, 1e-4, 30)
    x = rng.integers(0, 4, 30)
    sigma = ReadNoise(0.05).read_sigma(g, CELL)
    one_by_one = (x * (g + sigma * rng.standard_normal((100_000, 30)))).sum(axis=1)
    _, placed, target = program_for("offset", **{"inputs.dac_bits": "2"})
    chip = Chip(placed, Die(device(read_noise=ReadNoise(0.05)), lines=target.lines))
    crossbar = int(placed.places["crossbar"][0])
    steps, unit = chip.variance(crossbar)
    levels = chip.levels(crossbar)
    step = CELL.span_s / 3
    variance = np.square(0.05 * (CELL.g_min_s / step + levels))
    np.testing.assert_allclose(steps * unit, variance, atol=1.01 * unit.max())
    # what is rounded off one cell is carried over to the next
    np.testing.assert_allclose((steps * unit).cumsum(axis=0), variance.cumsum(axis=0), atol=0.51 * unit.max())
    at_column = np.sqrt(np.square(x) @ np.square(sigma))
    assert one_by_one.std() == pytest.approx(at_column, rel=0.01)
    assert one_by_one.mean() == pytest.approx(float(x @ g), rel=1e-3)
    drawn = chip.noise(crossbar, np.arange(50), Vectors(np.arange(2000), (0, 0, 0, 0)))
    assert drawn.shape == (50, 2000)
    assert drawn.std() == pytest.approx(1, rel=0.01)
    assert abs(drawn.mean()) < 0.01
    again = chip.noise(crossbar, np.arange(50), Vectors(np.array([1999, 3, 700]), (0, 0, 0, 0)))
    np.testing.assert_array_equal(again, drawn[:, [1999, 3, 700]])
    for read in ((1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 2, 0), (0, 0, 0, 1)):  # matrix, call, cycle, turn
        other = chip.noise(crossbar, np.arange(50), Vectors(np.arange(2000), read))
        assert abs(np.corrcoef(drawn.reshape(-1), other.reshape(-1))[0, 1]) < 0.02


def test_wires_make_a_program_read_what_its_crossbars_sense():
    """Accumulators follow the effective matrix of the whole crossbar, unused cells included."""
    _, placed, target = program_for("offset")
    wires = Wires(3.0, 3.0, 100.0, 50.0)
    chip = Chip(placed, Die(device(wires, cell=Cell(1e-6, 1e-4)), lines=target.lines))
    crossbar = int(placed.places["crossbar"][0])
    ideal = Chip(placed).levels(crossbar)
    step = 9.9e-5 / 3
    sensed = wires.sensed(1e-6 + ideal * step)
    np.testing.assert_allclose(chip.levels(crossbar), (sensed - 1e-6) / step, atol=0.5001 * chip.steps(crossbar).size)
    assert chip.steps(crossbar).size == 2.0**-13
    assert (chip.levels(crossbar) < ideal).mean() > 0.2


def test_levels_are_exact_in_any_order_of_summation():
    _, placed, target = program_for("differential_columns")
    chip = Chip(placed, Die(device(lognormal=Lognormal(0.3)), lines=target.lines))
    levels = chip.levels(int(placed.places["crossbar"][0]))
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 2, (len(levels), 100)).astype(float)
    order = rng.permutation(len(levels))
    np.testing.assert_array_equal(levels.T @ digits, levels[order].T @ digits[order])


def test_faults_of_a_die_outrank_its_device():
    _, placed, target = program_for("offset")
    crossbar = int(placed.places["crossbar"][0])
    faults = random_faults([placed.position_of(crossbar)], target.lines, stuck_at_g_min=0.1, stuck_at_g_max=0.1, seed=1)
    chip = Chip(placed, Die(device(lognormal=Lognormal(0.3)), faults, target.lines))
    states = faults.states(placed.position_of(crossbar), *target.lines)
    np.testing.assert_allclose(chip.levels(crossbar)[states == 1], 3, atol=1e-9)
    np.testing.assert_allclose(chip.levels(crossbar)[states == -1], 0, atol=1e-9)


def test_presets_run():
    matrix, placed, target = program_for("offset_flip")
    vectors = random_codes(matrix, 3)
    for name in ("hfo2_1t1r@1day", "wan_2022@1h", "cmo_hfox@1year", "mnsim2"):
        found = Reference(placed, Chip(placed, Die(resolve_device(name), lines=target.lines))).accumulate(0, vectors)
        assert found.shape == (3, 6)


def sums_of_one_row(chip: Chip, crossbar: int, digits: np.ndarray, top: int) -> np.ndarray:
    """What columns give where the first row alone is driven, in levels (columns, digits)."""
    driven = np.zeros((len(chip.levels(crossbar)), len(digits)))
    driven[0] = digits
    which = Vectors(np.arange(len(digits)), (0, 0, 0, 0))
    return chip.sums(crossbar, driven, top, np.arange(driven.shape[0]), which)


def test_cells_that_are_not_ohmic_read_voltages_unevenly_and_pulses_evenly():
    _, placed, target = program_for("offset", **{"inputs.dac_bits": "3"})
    own = device(sinh=Sinh(0.1))
    crossbar = int(placed.places["crossbar"][0])
    chip = Chip(placed, Die(own, lines=target.lines))
    digits = np.arange(-7.0, 8.0)
    bent = 7 * np.sinh(digits / 7 * CELL.read_v / 0.1) / np.sinh(CELL.read_v / 0.1)
    zero = CELL.g_min_s / (CELL.span_s / 3)
    levels = chip.levels(crossbar)[0][:, None]
    expected = (levels + zero) * bent - zero * digits
    np.testing.assert_allclose(sums_of_one_row(chip, crossbar, digits, 7), expected, atol=1e-4)
    bits = np.array([0.0, 1.0])
    np.testing.assert_allclose(sums_of_one_row(chip, crossbar, bits, 1), levels * bits, atol=1e-6)
    pulses = Chip(placed, Die(own, lines=target.lines, pulses=True))
    np.testing.assert_allclose(sums_of_one_row(pulses, crossbar, digits, 7), levels * digits, atol=1e-6)


CONVERTERS = {
    "offset_lsb": 2.0,
    "gain": 0.2,
    "noise_lsb": 2.0,
    "dnl_lsb": 0.9,
    "inl_lsb": 3.0,
}


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("field", list(CONVERTERS))
def test_every_converter_error_acts_on_every_encoding(scheme, field):
    matrix, placed, target = program_for(scheme)
    vectors = random_codes(matrix, 8)
    own = replace(device(), converters=Converters(**{field: CONVERTERS[field]}))
    found = Reference(placed, Chip(placed, Die(own, lines=target.lines))).accumulate(0, vectors)
    assert (found != integer_product(matrix, vectors)).any()


def test_columns_share_converters_as_the_target_says():
    _, placed, target = program_for("offset")
    own = replace(device(), converters=Converters(offset_lsb=1.0))
    crossbar = int(placed.places["crossbar"][0])

    adc = placed.program.matrices[0].converter

    def offsets(per_crossbar):
        chip = Chip(placed, Die(own, lines=target.lines, converters=per_crossbar))
        low, step = np.zeros(1, int), np.ones(1, int)
        sums = np.zeros((16, 1))
        return chip.converted((crossbar, slice(0, 16)), sums, (low, step), adc, Vectors(np.zeros(1, int), (0, 0, 0)))

    assert len(np.unique(offsets(0.0))) == len(np.unique(offsets(64.0))) == 16
    assert len(np.unique(offsets(1.0))) == len(np.unique(offsets(0.125))) == 1
    assert len(np.unique(offsets(8.0))) == 2  # of 64 columns, 8 share one


def reads_of(placed, target, own, **die):
    """What a die's chip draws for one conversion of each block of the first crossbar that is used."""
    chip = Chip(placed, Die(own, lines=target.lines, **die))
    crossbar = int(placed.places["crossbar"][0])
    which, tables = Vectors(np.arange(50), (0, 0, 0, 0)), (np.zeros(1, int), np.ones(1, int))
    adc = placed.program.matrices[0].converter
    starts = np.unique(placed.places["column"][placed.places["crossbar"] == crossbar]).tolist()
    return [chip.converted((crossbar, slice(s, s + 1)), np.zeros((1, 50)), tables, adc, which)[0] for s in starts]


def test_every_conversion_has_noise_of_its_own():
    _, placed, target = program_for("differential_columns")
    found = np.stack(reads_of(placed, target, replace(device(), converters=Converters(noise_lsb=1.0))))
    assert len(found) >= 8
    assert len(np.unique(found)) == found.size


def test_layers_on_one_crossbar_draw_read_noise_of_their_own():
    _, placed, target = program_for("offset")
    chip = Chip(placed, Die(device(read_noise=ReadNoise(0.1)), lines=target.lines))
    first, other = (chip.noise(0, np.arange(4), Vectors(np.arange(9), (matrix, 0, 0, 0))) for matrix in (0, 1))
    assert not np.isin(first, other).any()


def test_cells_of_level_zero_conduct_for_what_bent_inputs_are():
    """On cells that are not ohmic, level 0 is taken off as if inputs were not bent."""
    matrix = replace(wide_matrix(), weights=np.full((1, 40, 6), 127))  # every cell at level 3
    settings = {"weights.sign": "offset", "adc.kind": "sar", "adc.resolution": "lossless", "adc.bits": "24",
                "inputs.dac_bits": "8"}  # fmt: skip
    target = resolve_target("classroom", settings)
    placed = mapped(matrix, target)
    vectors = random_codes(matrix, 3)
    own = device(cell=Cell(5e-5, 1e-4), sinh=Sinh(0.1))
    found = Reference(placed, Chip(placed, Die(own, lines=target.lines))).accumulate(0, vectors)
    bent = 255 * np.sinh(vectors / 255 * CELL.read_v / 0.1) / np.sinh(CELL.read_v / 0.1)
    step = 5e-5 / 3
    each = (bent - vectors).sum(axis=2) * (3 + 5e-5 / step)  # of one slice: 1 + 4 + 16 + 64 of them
    difference = found - integer_product(matrix, vectors)
    np.testing.assert_allclose(difference, each * 85 * np.ones((1, 6)), rtol=1e-3)


def test_bits_in_sram_know_no_device():
    matrix, placed, target = program_for("offset", **{"weights.sram_bits": "8", "inputs.dac_bits": "2"})
    vectors = random_codes(matrix, 4)
    own = device(lognormal=Lognormal(0.5), sinh=Sinh(0.05), read_noise=ReadNoise(0.2), stuck=Stuck(0.3, 0.3))
    own = replace(own, converters=Converters(1.0, 0.1, 1.0, 0.5, 1.0))
    for engine in (Reference, Mixed):
        found = engine(placed, Chip(placed, Die(own, lines=target.lines))).accumulate(0, vectors)
        np.testing.assert_array_equal(found, integer_product(matrix, vectors))


def test_noise_is_a_vectors_own_in_any_order():
    """Recurrent layers read the first step of all samples, then the second."""
    _, placed, target = program_for("offset")
    chip = Chip(placed, Die(device(read_noise=ReadNoise(0.05)), lines=target.lines))
    crossbar, columns = int(placed.places["crossbar"][0]), np.arange(3)
    order = np.array([0, 8, 16, 24, 1, 9, 200, 2, 63, 64])
    drawn = chip.noise(crossbar, columns, Vectors(np.arange(201), (0, 0, 0, 0)))
    found = chip.noise(crossbar, columns, Vectors(order, (0, 0, 0, 0)))
    np.testing.assert_array_equal(found, drawn[:, order])


def test_dead_crossbars_are_silent_and_stuck_cells_stay():
    _, placed, target = program_for("offset")
    crossbar = int(placed.places["crossbar"][0])
    position = placed.position_of(crossbar)
    none = np.zeros((0, 3), np.int64)
    faults = FaultMap(none, none, none[:, :2], none[:, :2], np.array([[position]]))
    own = device(age_s=1e6, lognormal=Lognormal(0.3), power_drift=PowerDrift(0.1), read_noise=ReadNoise(0.1, "g_max"))
    dead = Chip(placed, Die(own, faults, target.lines))
    assert not dead.levels(crossbar).any()
    assert not dead.variance(crossbar)[0].any()
    own = device(age_s=1e6, stuck=Stuck(0.0, 0.4), power_drift=PowerDrift(0.1, 0.05), telegraph=Telegraph(0.5, 0.5))
    levels = Chip(placed, Die(own, lines=target.lines)).levels(crossbar)
    assert np.isclose(levels, 3, atol=1e-9).mean() == pytest.approx(0.4, abs=0.05)


def test_analog_programs_on_faulty_dies_do_not_clip():
    """Without converters, sums have no range."""
    matrix = replace(wide_matrix(), weights=wide_matrix().weights // 16, weight_bits=4, weight_low=np.full((1, 6), -8))
    settings = {"weights.sign": "differential_columns", "weights.subtraction": "analog", "adc.kind": "none",
                "crossbar.cell_bits": "4", "inputs.encoding": "amplitude", "inputs.dac_bits": "8"}  # fmt: skip
    target = resolve_target("classroom", settings)
    placed = mapped(matrix, target)
    faults = random_faults(range(128), target.lines, stuck_at_g_min=0.0, stuck_at_g_max=0.5, seed=0)
    vectors = random_codes(matrix, 4)
    own = device(lognormal=Lognormal(0.0))
    plain, analog = (
        Mixed(placed, Chip(placed, Die(cells, faults, target.lines))).accumulate(0, vectors) for cells in (IDEAL, own)
    )
    np.testing.assert_array_equal(plain, analog)
