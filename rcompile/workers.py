"""How many threads work, and in how much memory."""

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")


def processors() -> int:
    """Return the processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


@dataclass(frozen=True)
class Limits:
    """What engines may take.

    Attributes:
        threads: that compute; 0: as many as there are processors.
        memory_bytes: for the tensors of all samples that are handled at once, roughly.
    """

    threads: int = 0
    memory_bytes: int = 2**28


_limits = Limits()
_inside = threading.local()


def limits() -> Limits:
    """Return what engines may take now."""
    return _limits


@contextmanager
def limited(wanted: Limits) -> Iterator[None]:
    """Let engines take no more than that, in the whole process; results do not depend on it."""
    global _limits  # noqa: PLW0603  threads are the process's, as a BLAS's are
    before, _limits = _limits, wanted
    try:
        yield
    finally:
        _limits = before


def threads() -> int:
    """Return how many threads work."""
    return limits().threads or processors()


def share(total: int, most: int, fewest: int) -> int:
    """Return how many of `total` items a thread takes at a time: `most`, or fewer so that all threads have some."""
    return max(min(most, max(-(-total // threads()), fewest)), 1)


def in_parallel(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    """Return the results of some work on each item, in order; on all threads, unless one of them asks for it.

    Narrow products gain nothing from threads inside BLAS: while several items are at work, each keeps to one.
    """
    count = min(threads(), len(items))
    if count <= 1 or getattr(_inside, "pool", False):
        return [work(item) for item in items]

    def inside() -> None:
        _inside.pool = True

    with thread_pools().limit(limits=1, user_api="blas"), ThreadPoolExecutor(count, initializer=inside) as pool:
        return list(pool.map(work, items))


@cache
def thread_pools() -> ThreadpoolController:
    """Return what limits the threads of libraries; finding them takes milliseconds."""
    return ThreadpoolController()
