"""What cells do with the levels that are written into them, at the three moments when it matters."""

from rcompile.devices.device import IDEAL, Device
from rcompile.devices.load import list_devices, resolve_device

__all__ = ["IDEAL", "Device", "list_devices", "resolve_device"]
