"""What acts on what: every non-ideality on every sign scheme, tried on the example models.

docs/generate.py writes the table into devices.md; tests/test_docs.py holds it to what is tried.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

import rcompile
from rcompile.backends.chip import Chip
from rcompile.backends.reference import Reference
from rcompile.devices.load import resolve_device
from rcompile.errors import UsageError
from rcompile.ir.placed import PlacedProgram
from rcompile.targets import Target, resolve_target
from rcompile.targets.sections import SIGNS
from rcompile.verification.trials import Conditions

MODELS = Path(__file__).parent.parent / "models"

MODEL = {"xnor_pair": "digits_bnn_mlp", "ternary_pair": "digits_ternary_mlp"}
"""Example with weights of one or two bits for the schemes that need them."""

OTHER_MODEL = "digits_mlp"

SETTINGS = {"adc.resolution": "lossless", "adc.bits": "24", "inputs.dac_bits": "2"}

PULSES = "dw=0.2&{0}.up_down=0.1&{0}.cycle=0.2&{0}.cell_steps=0.1&{0}.upper_spread=0.1&{0}.lower_spread=0.1&" \
    "{0}.write_noise=0.2&{0}.tolerance=0.1&{0}.pulses=40"  # fmt: skip

STRONG = {
    "states": "listed_s=[2e-5,9e-5]",
    "normal": "sigma=0.2",
    "write_verify": "sigma=0.5&write_verify.tolerance=0.3&write_verify.pulses=3",
    "exp_step": PULSES.format("exp_step")
    + "&exp_step.a_up=-1&exp_step.a_down=-0.1&exp_step.gamma_up=1&exp_step.gamma_down=1&exp_step.slope=-0.5"
    "&exp_step.shift=-0.5",
    "soft_bounds": PULSES.format("soft_bounds"),
    "polynomial": "coefficients=[20.0]",
    "lognormal": "sigma=0.5",
    "measured": "file='{table}'",
    "stuck": "at_g_min=0.2&stuck.at_g_max=0.2",
    "wear": "endurance=1e6&wear.shape=1.0&wear.writes=1e6&wear.at_g_max=0.5",
    "power_drift": "mean=0.2&power_drift.sigma=0.1&power_drift.t0_s=1.0",
    "log_relaxation": "shift_s=-1e-6&log_relaxation.spread_s=1e-6&log_relaxation.spread_at_1_s=1e-6",
    "relaxation": "times_s=[1.0]&relaxation.c0=[20.0]&relaxation.c1=[0.0]&relaxation.c2=[0.0]&relaxation.c3=[0.0]"
    "&relaxation.c4=[0.0]",
    "retention": "tau_s=100.0&retention.beta=1.0&retention.sigma=0.1",
    "read_disturb": "reads_per_s=1e3&read_disturb.reads=1e5&read_disturb.beta=1.0&read_disturb.sigma=0.1",
    "telegraph": "share=0.5&telegraph.amplitude=0.5",
    "flicker": "sigma=0.1&flicker.read_s=1e-6&flicker.hold_s=1.0",
    "read_noise": "sigma=0.3&read_noise.of=g_max",
    "sinh": "v0_v=0.05",
    "measured_iv": "a2=[-3e-4]&measured_iv.a3=[1e-3,5e-3]&measured_iv.from_s=1e-6&measured_iv.to_s=1e-4",
    "selector": "threshold_v=0.15",
    "access": "ohm=2e4&access.verified=false",
    "wires": "row_ohm=50&wires.column_ohm=50",
    "wires, floating rows": "row_ohm=50&wires.column_ohm=50&wires.idle=floating",
    "gated": "bit_line_ohm=50&gated.source_line_ohm=50",
    "drivers": "gain=0.1&drivers.offset_lsb=0.1&drivers.dnl_lsb=0.2&drivers.noise=0.05&drivers.jitter=0.05",
    "amplifiers": "gain=0.1&amplifiers.offset_a=1e-5&amplifiers.noise_a=1e-5&amplifiers.droop=0.05",
    "converters": "offset_lsb=2.0&converters.gain=0.1&converters.noise_lsb=2.0&converters.dnl_lsb=0.5"
    "&converters.inl_lsb=2.0",
    "temperature": "kelvin=400&temperature.measured_kelvin=300&temperature.activation_ev=1.0",
    "refresh": "every_s=10.0",
}
"""Fields of each section, so that nobody overlooks it; the first one's section goes without saying."""

BESIDE = {"temperature": "power_drift.mean=0.05&", "refresh": "power_drift.mean=0.2&"}
"""What it is that heat and refresh change."""

TARGET_OF = {"gated": {"inputs.dac_bits": "1"}}
"""Where a section needs other inputs."""

INERT = {("access", "ternary_pair"): "changes nothing: cells have two levels, and converters are set for both"}
"""What has nothing to act on, and why."""


def matrix() -> dict[str, dict[str, str]]:
    """Return what each non-ideality does on each sign scheme: '' where it acts, else why it does not."""
    found: dict[str, dict[str, str]] = {name: {} for name in STRONG}
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "table.csv"
        levels = np.linspace(5e-6, 1e-4, 8)
        lines = [f"{g},{g * factor},0" for g in levels for factor in (0.8, 1.0, 1.3)]
        table.write_text("target_s,measured_s,time_s\n" + "\n".join(lines) + "\n")
        for scheme in SIGNS:
            programs: dict[str, tuple[PlacedProgram, Target]] = {}
            for name in STRONG:
                changed = str(TARGET_OF.get(name, ""))
                if changed not in programs:
                    settings = SETTINGS | TARGET_OF.get(name, {})
                    programs[changed] = program(scheme, settings, Path(folder) / f"{scheme}{len(programs)}")
                found[name][scheme] = tried(name, *programs[changed], str(table))
    return found


def program(scheme: str, settings: dict[str, str], folder: Path) -> tuple[PlacedProgram, Target]:
    """Map an example with a sign scheme."""
    settings = settings | {"weights.sign": scheme, "crossbar.cell_bits": "1" if scheme == "ternary_pair" else "2"}
    target = resolve_target("classroom", settings)
    name = MODEL.get(scheme, OTHER_MODEL)
    rcompile.compile_model(
        MODELS / f"{name}.onnx",
        target=target,
        calibration=MODELS / "digits_calibration.npz",
        output=folder,
        options=rcompile.Options(verify=False),
    )
    return rcompile.load_program(folder).placed, target


def tried(name: str, placed: PlacedProgram, target: Target, table: str) -> str:
    """Return '' where a non-ideality changes what the first matrix computes, else why it does not."""
    section = name.partition(",")[0]
    beside = BESIDE.get(name, "")
    cell = "ideal@100s?cell.g_min_s=5e-6&"
    with_it = resolve_device(f"{cell}{beside}{section}.{STRONG[name].format(table=table)}")
    conditions = Conditions(device=replace(with_it, name="the device"))
    try:
        conditions.require_target(target)
    except UsageError as refusal:
        return f"refused: {str(refusal).splitlines()[0]}"
    without = resolve_device(f"{cell}{beside}".rstrip("?&"))
    item = placed.program.matrices[0]
    shape = (4, item.matrix.groups, item.matrix.rows)
    codes = np.random.default_rng(0).integers(0, 2**item.matrix.input.bits, shape).astype(np.uint8)
    (die,) = conditions.dies(target)
    found, expected = (
        Reference(placed, Chip(placed, replace(die, device=device))).accumulate(0, codes)
        for device in (with_it, without)
    )
    inert = INERT.get((name, target.weights.sign), "")
    if (found == expected).all() != bool(inert):
        raise AssertionError(f"{name} changes {'something' if inert else 'nothing'} with {target.weights.sign}")
    return inert


def lines() -> Iterator[str]:
    """Yield the table as Markdown, with what is refused below it."""
    found = matrix()
    yield "| | " + " | ".join(f"`{scheme}`" for scheme in SIGNS) + " |"
    yield "|---|" + "---|" * len(SIGNS)
    reasons: list[str] = []
    for name, row in found.items():
        cells = []
        for scheme in SIGNS:
            if row[scheme] and row[scheme] not in reasons:
                reasons.append(row[scheme])
            cells.append(f"({reasons.index(row[scheme]) + 1})" if row[scheme] else "acts")
        yield f"| {name} | " + " | ".join(cells) + " |"
    if reasons:
        yield ""
        for number, reason in enumerate(reasons, start=1):
            yield f"{number}. {reason}"
