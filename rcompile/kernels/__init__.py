"""The compiled part of the fast engine: see docs/kernels.md."""

from rcompile.kernels.library import CHOICE, Columns, Kernels, Noise, Packed, all_kernels, chosen, stride_of

__all__ = ["CHOICE", "Columns", "Kernels", "Noise", "Packed", "all_kernels", "chosen", "stride_of"]
