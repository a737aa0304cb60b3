"""The device models by the name of their section in a device file; one file each, tried in the order of the file."""

from rcompile.devices.log_relaxation import LogRelaxation
from rcompile.devices.lognormal import Lognormal
from rcompile.devices.model import Model
from rcompile.devices.normal import Normal
from rcompile.devices.polynomial import Polynomial
from rcompile.devices.power_drift import PowerDrift
from rcompile.devices.read_noise import ReadNoise
from rcompile.devices.relaxation import Relaxation
from rcompile.devices.sinh import Sinh
from rcompile.devices.states import States
from rcompile.devices.stuck import Stuck
from rcompile.devices.telegraph import Telegraph
from rcompile.devices.write_verify import WriteVerify

MODELS: dict[str, type[Model]] = {
    "states": States,
    "normal": Normal,
    "write_verify": WriteVerify,
    "polynomial": Polynomial,
    "lognormal": Lognormal,
    "stuck": Stuck,
    "power_drift": PowerDrift,
    "log_relaxation": LogRelaxation,
    "relaxation": Relaxation,
    "telegraph": Telegraph,
    "read_noise": ReadNoise,
    "sinh": Sinh,
}
