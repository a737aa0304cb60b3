"""How many copies of each matrix, under a crossbar budget.

For throughput, the shortest interval is exact: the cheapest copies for an interval T are ceil(vectors / floor(T /
cycles)), and their cost falls with T, so that a binary search finds the least T, and T - 1 ticks not fitting proves
it. Of all copies with that interval, these also take the fewest crossbars: layers are independent once T is given.

For latency, CP-SAT chooses among the counts that matter (one Boolean per layer and distinct numbers of vectors of the
busiest copy) on the pipeline of `timing` without its stalls: a relaxation, so that its bound holds for the pipeline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rcompile.mapper.effort import solver
from rcompile.mapper.timing import Layer, interval, latency
from rcompile.options import Effort


@dataclass(frozen=True)
class Replication:
    """Copies of each matrix, and what they reach of what was asked for.

    Attributes:
        copies: of each matrix.
        reached: ticks of the objective, interval or latency; crossbars where one copy was asked for.
        bound: no copies within the budget reach less.
        tick_s: how long a tick is.
    """

    copies: tuple[int, ...]
    reached: float
    bound: float
    tick_s: float = 1.0

    @property
    def bound_s(self) -> float:
        """The bound in seconds, where it is a time."""
        return self.bound * self.tick_s


def one_copy(layers: Sequence[Layer]) -> Replication:
    """Return one copy of each matrix: the fewest crossbars."""
    copies = (1,) * len(layers)
    return Replication(copies, cost(layers, copies), cost(layers, copies))


def shortest_interval(layers: Sequence[Layer], budget: int) -> Replication:
    """Return the copies with the shortest interval, and no more of them than that takes.

    Args:
        layers: at least one; one copy of each fits the budget.
        budget: crossbars in all.
    """
    low, high = max(layer.busy(most(layer)) for layer in layers), interval(layers, (1,) * len(layers))
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if cost(layers, cheapest(layers, middle)) <= budget else (middle + 1, high)
    copies = cheapest(layers, low)
    return Replication(copies, interval(layers, copies), low)


def shortest_latency(layers: Sequence[Layer], budget: int, order: Sequence[int], effort: Effort) -> Replication:
    """Return copies with a short time from an inference's start to its end, and a bound on it.

    The copies of the shortest interval start the search and are kept where it finds nothing better; copies that
    gain nothing are given back.

    Args:
        layers: at least one; one copy of each fits the budget.
        budget: crossbars in all.
        order: of execution.
        effort: how long CP-SAT may search.
    """
    start = shortest_interval(layers, budget).copies
    found, bound = solve_latency(layers, budget, start, effort)
    best = min((start, found), key=lambda copies: (latency(layers, copies, order), cost(layers, copies)))
    copies = trimmed(layers, best, order)
    return Replication(copies, latency(layers, copies, order), bound)


def most(layer: Layer) -> int:
    """Return the most copies that help."""
    return 1 if layer.serial else layer.vectors


def cheapest(layers: Sequence[Layer], limit: int) -> tuple[int, ...]:
    """Return the fewest copies of each layer that take at most some read cycles."""
    return tuple(1 if layer.serial else -(-layer.vectors // max(1, limit // layer.cycles)) for layer in layers)


def cost(layers: Sequence[Layer], copies: Sequence[int]) -> int:
    """Return the crossbars that copies take."""
    return sum(count * layer.crossbars for layer, count in zip(layers, copies, strict=True))


def trimmed(layers: Sequence[Layer], copies: tuple[int, ...], order: Sequence[int]) -> tuple[int, ...]:
    """Return the copies without those that the latency does not need, layer by layer."""
    limit = latency(layers, copies, order)
    kept = list(copies)
    for index in sorted(range(len(layers)), key=lambda i: -layers[i].crossbars):
        low, high = 1, kept[index]
        while low < high:
            middle = (low + high) // 2
            trial = [*kept[:index], middle, *kept[index + 1 :]]
            low, high = (low, middle) if latency(layers, trial, order) <= limit else (middle + 1, high)
        if latency(layers, [*kept[:index], low, *kept[index + 1 :]], order) <= limit:
            kept[index] = low
    return tuple(kept)


def choices(layers: Sequence[Layer], index: int, budget: int) -> list[int]:
    """Return the numbers of copies of a layer that matter: the fewest for what the busiest copy takes.

    That is of all vectors, of those that others wait for, and of those that wait for the last one of another layer.
    """
    layer = layers[index]
    heads = (feed.head for other in layers for feed in other.feeds if feed.producer == index)
    amounts = {layer.vectors, *heads, *(feed.tail for feed in layer.feeds)}
    counts, taken = [], None
    for count in range(1, min(most(layer), budget // layer.crossbars) + 1):
        if (busiest := [-(-amount // count) for amount in amounts]) != taken:
            taken = busiest
            counts.append(count)
    return counts


def solve_latency(
    layers: Sequence[Layer], budget: int, hint: Sequence[int], effort: Effort
) -> tuple[tuple[int, ...], int]:
    """Return the copies that CP-SAT finds, and its bound on the latency."""
    from ortools.sat.python import cp_model

    spare = budget - sum(layer.crossbars for layer in layers)
    counts = [choices(layers, index, spare + layer.crossbars) for index, layer in enumerate(layers)]
    longest = sum(layer.busy(1) + layer.cycles for layer in layers)
    model = cp_model.CpModel()
    chosen = [[model.new_bool_var("") for _ in own] for own in counts]
    start = [model.new_int_var(0, longest, "") for _ in layers]
    stop = [model.new_int_var(0, longest, "") for _ in layers]
    end = model.new_int_var(0, longest, "")

    def of(layer: int, values: list[int]) -> Any:  # noqa: ANN401 - ortools is not typed
        return cp_model.LinearExpr.weighted_sum(chosen[layer], values)

    for index, layer in enumerate(layers):
        model.add_exactly_one(chosen[index])
        for choice, count in zip(chosen[index], counts[index], strict=True):
            model.add_hint(choice, count == hint[index])
        model.add(stop[index] >= start[index] + of(index, [layer.busy(count) for count in counts[index]]))
        for feed in layer.feeds:
            p = feed.producer
            delay = [feed.slots(count) * layers[p].cycles for count in counts[p]]
            model.add(start[index] >= start[p] + of(p, delay))
            model.add(stop[index] >= stop[p] + of(index, [layer.last(feed.tail, count) for count in counts[index]]))
        model.add(end >= stop[index])
    crossbars = [of(i, [layer.crossbars * count for count in counts[i]]) for i, layer in enumerate(layers)]
    model.add(cp_model.LinearExpr.sum(crossbars) <= budget)
    model.minimize(end)
    search = solver(effort)
    status = search.solve(model)
    bound = max(round(search.best_objective_bound), 0)
    if status not in {cp_model.OPTIMAL, cp_model.FEASIBLE}:
        return tuple(hint), bound
    picked = [
        next(count for choice, count in zip(chosen[i], counts[i], strict=True) if search.value(choice))
        for i in range(len(layers))
    ]
    return tuple(picked), bound
