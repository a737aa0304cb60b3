"""Architectures as data: the schema of a target, the presets, and how a file is read and checked."""

from rcompile.targets.load import list_targets, resolve_target
from rcompile.targets.schema import Target

__all__ = ["Target", "list_targets", "resolve_target"]
