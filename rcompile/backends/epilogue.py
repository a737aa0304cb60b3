"""From accumulators to the operator's output: bias, scale, rounding, saturation (docs/semantics.md, section 5)."""

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.matrix import Epilogue


def apply(epilogue: Epilogue, accumulators: NDArray[np.int64]) -> np.ndarray:
    """Return the outputs of accumulators (vectors, G * N): codes where requantized, else float32."""
    if epilogue.integer:
        return accumulators.astype(np.int32)
    end = epilogue.requantize
    if end is None:
        return epilogue.real(accumulators)
    if end.multiplier is not None:
        steps = epilogue.total(accumulators).astype(np.float32) * end.multiplier
    else:
        steps = epilogue.real(accumulators) / np.float32(end.scale)
    codes = np.rint(steps) + np.float32(end.zero_point)  # rint rounds half to even
    return np.clip(codes, end.minimum, end.maximum).astype(end.dtype)
