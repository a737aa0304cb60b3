"""From accumulators to the operator's output: bias, scale, rounding, saturation (docs/semantics.md, section 5)."""

import numpy as np
from numpy.typing import NDArray

from rcompile.ir.matrix import Epilogue


def apply(epilogue: Epilogue, accumulators: NDArray[np.int64]) -> np.ndarray:
    """Return the outputs of accumulators (vectors, G * N): codes where requantized, else float32."""
    if epilogue.integer:
        return accumulators.astype(np.int32)
    total = accumulators if epilogue.integer_bias is None else accumulators + epilogue.integer_bias
    end = epilogue.requantize
    if end is not None and end.multiplier is not None:
        steps = total.astype(np.float32) * end.multiplier
    else:
        real = total.astype(np.float32) * epilogue.scale
        if epilogue.bias is not None:
            real = real + epilogue.bias
        if end is None:
            return real
        steps = real / np.float32(end.scale)
    codes = np.rint(steps) + np.float32(end.zero_point)  # rint rounds half to even
    return np.clip(codes, end.minimum, end.maximum).astype(end.dtype)
