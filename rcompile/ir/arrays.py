"""Arrays that programs hold cannot be written to: a program is a value."""

import ctypes
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """Return a contiguous array that cannot be written to; a copy only where that takes one."""
    array = np.asarray(array, order="C")  # keeps scalars without axes, which ascontiguousarray does not
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


def unsigned(bits: int) -> type[np.unsignedinteger[Any]]:
    """Return the smallest type that holds codes of some bits."""
    return np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32


def trim_memory() -> None:
    """Give freed memory back to the system: glibc keeps what large arrays leave, and the next ones come on top."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
