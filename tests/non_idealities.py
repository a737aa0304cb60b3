"""Every non-ideality without strength, for tests that hold it to change nothing."""

from pathlib import Path

from rcompile.circuits.gated import Gated
from rcompile.devices.access import Access
from rcompile.devices.ageing import Refresh, Temperature
from rcompile.devices.exp_step import ExpStep
from rcompile.devices.flicker import Flicker
from rcompile.devices.log_relaxation import LogRelaxation
from rcompile.devices.lognormal import Lognormal
from rcompile.devices.measured import Measured
from rcompile.devices.measured_iv import MeasuredIv
from rcompile.devices.model import Model
from rcompile.devices.normal import Normal
from rcompile.devices.polynomial import Polynomial
from rcompile.devices.power_drift import PowerDrift
from rcompile.devices.read_disturb import ReadDisturb
from rcompile.devices.read_noise import ReadNoise
from rcompile.devices.relaxation import Relaxation
from rcompile.devices.retention import Retention
from rcompile.devices.selector import Selector
from rcompile.devices.sinh import Sinh
from rcompile.devices.soft_bounds import SoftBounds
from rcompile.devices.states import States
from rcompile.devices.stuck import Stuck
from rcompile.devices.telegraph import Telegraph
from rcompile.devices.wear import Wear
from rcompile.devices.write_verify import WriteVerify

EXACT_TABLE = Path(__file__).parent / "devices" / "exact.csv"
"""Cells measured to hold exactly what was written."""

FINE_STEPS = {
    "dw": 1e-4,
    "up_down": 0.0,
    "cycle": 0.0,
    "cell_steps": 0.0,
    "upper_spread": 0.0,
    "lower_spread": 0.0,
    "write_noise": 0.0,
    "tolerance": 1e-3,
    "pulses": 100_000,
}
"""Written to a thousandth of half the range; soft bounds shrink steps towards the ends, but never reach them."""

NOTHING: dict[str, Model] = {
    "normal": Normal(0.0),
    "write_verify": WriteVerify(0.0, 0.01, 5),
    "polynomial": Polynomial((0.0,)),
    "lognormal": Lognormal(0.0),
    "measured": Measured(str(EXACT_TABLE)),
    "stuck": Stuck(),
    "wear": Wear(1e15, 10.0),
    "power_drift": PowerDrift(0.0),
    "log_relaxation": LogRelaxation(0.0, 0.0, 0.0),
    "relaxation": Relaxation((1.0,), (0.0,), (0.0,), (0.0,), (0.0,), (0.0,)),
    "retention": Retention(1e20, 1.0),
    "read_disturb": ReadDisturb(0.0, 1e6),
    "telegraph": Telegraph(0.0, 0.5),
    "flicker": Flicker(0.0, 1e-6, 1.0),
    "read_noise": ReadNoise(0.0),
    "sinh": Sinh(1e6),
    "measured_iv": MeasuredIv((0.0,), (0.0,), 1e-6, 1e-4),
    "selector": Selector(0.0),
    "access": Access(0.0),
}
"""Models that change no level, whatever levels there are."""

AT_LEVELS: dict[str, Model] = {
    "states": States(count=4),
    "exp_step": ExpStep(**FINE_STEPS, a_up=0.0, a_down=0.0, gamma_up=1.0, gamma_down=1.0, slope=0.0, shift=0.0),
    "soft_bounds": SoftBounds(**FINE_STEPS),
}
"""Models that change nothing as far as their states or steps are fine enough."""

BENDING = {"sinh", "measured_iv", "selector"}
"""Of which a device has one."""

NO_LINES = Gated(0.0, 0.0)
SAME_HEAT = Temperature(300.0, 300.0, 1.0)
SELDOM = Refresh(1e12)
