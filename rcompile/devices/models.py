"""The device models by the name of their section in a device file; one file each, tried in the order of the file."""

from rcompile.devices.access import Access
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

MODELS: dict[str, type[Model]] = {
    "states": States,
    "normal": Normal,
    "write_verify": WriteVerify,
    "exp_step": ExpStep,
    "soft_bounds": SoftBounds,
    "polynomial": Polynomial,
    "lognormal": Lognormal,
    "measured": Measured,
    "stuck": Stuck,
    "wear": Wear,
    "power_drift": PowerDrift,
    "log_relaxation": LogRelaxation,
    "relaxation": Relaxation,
    "retention": Retention,
    "read_disturb": ReadDisturb,
    "telegraph": Telegraph,
    "flicker": Flicker,
    "read_noise": ReadNoise,
    "sinh": Sinh,
    "measured_iv": MeasuredIv,
    "selector": Selector,
    "access": Access,
}
