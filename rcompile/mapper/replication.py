"""How many copies of each matrix: the least pipeline interval under a crossbar budget, exactly.

With r copies a matrix takes ceil(vectors / r) vector times. The cheapest copies for interval T are
ceil(vectors / T), and their cost falls with T: binary search (proof of optimality: T - 1 does not fit).
"""

from collections.abc import Sequence


def balanced_copies(
    vectors: Sequence[int], crossbars: Sequence[int], budget: int, serial: Sequence[bool]
) -> tuple[int, ...]:
    """Return the copies of each matrix with the least bottleneck, and no more of them than that needs.

    Args:
        vectors: input vectors per inference.
        serial: whether each vector waits for the one before; copies of such a matrix would not help.
        crossbars: crossbars of one copy.
        budget: crossbars in all; at least the sum of one copy each.
    """

    def copies(interval: int) -> tuple[int, ...]:
        return tuple(1 if waits else -(-count // interval) for count, waits in zip(vectors, serial, strict=True))

    def cost(interval: int) -> int:
        return sum(r * c for r, c in zip(copies(interval), crossbars, strict=True))

    low, high = max([1, *(count for count, waits in zip(vectors, serial, strict=True) if waits)]), max(vectors)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if cost(middle) <= budget else (middle + 1, high)
    return copies(low)
