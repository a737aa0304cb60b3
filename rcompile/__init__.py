"""rcompile: compile ONNX models to RRAM crossbar tiles, and prove what the mapped program computes.

The public names are loaded when they are first used, so that `import rcompile` stays quick.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rcompile.api import compile_model, load_program, verify
    from rcompile.devices import Device
    from rcompile.errors import RcompileError
    from rcompile.options import Options
    from rcompile.report.schema import Report
    from rcompile.targets import Target

_HOMES = {
    "Device": "rcompile.devices",
    "Options": "rcompile.options",
    "RcompileError": "rcompile.errors",
    "Report": "rcompile.report.schema",
    "Target": "rcompile.targets",
    "compile_model": "rcompile.api",
    "load_program": "rcompile.api",
    "verify": "rcompile.api",
}

__all__ = ["Device", "Options", "RcompileError", "Report", "Target", "compile_model", "load_program", "verify"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'rcompile' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)
