"""Why a program does not fit: the inequality that is not met, its terms, and what would help by how much."""

from collections.abc import Iterator
from typing import NoReturn

from rcompile.errors import DoesNotFit
from rcompile.ir.crossbar import CrossbarProgram
from rcompile.ir.placed import Sharing
from rcompile.mapper.packing import Packing, crossbars_per_copy, pack
from rcompile.mapper.rounds import rounds_of
from rcompile.options import Effort
from rcompile.targets import Target

ROUNDS_TRIED = (*range(2, 13), 16, 32, 64, 256, 1024)
"""In a message, how many rounds would do."""


def refuse(program: CrossbarProgram, target: Target, packing: Packing, effort: Effort, rounds: int) -> NoReturn:
    """Say that there are too few crossbars, and which levers help, and how much."""
    need, per_chip, have = packing.crossbars, target.usable_per_chip, target.crossbars_available
    costs = {item.matrix.name: crossbars_per_copy(program, item) * item.replicas for item in program.matrices}
    largest = sorted(costs, key=lambda name: -costs[name])[:3]
    terms = " + ".join(f"{costs[name]} ({name})" for name in largest)
    rest = sum(costs.values()) - sum(costs[name] for name in largest)
    shared = sum(costs.values()) - need
    terms += (f" + {rest} (others)" if rest else "") + (f" - {shared} (shared)" if shared else "")
    raise DoesNotFit(
        f"{need} crossbars are needed, {target.name} has {have} "
        f"({target.hierarchy.chips} x {per_chip} a chip): {terms} > {have}",
        at=program.source.origin,
        hint="; or ".join(levers(program, target, packing, effort, rounds)),
    )


def levers(program: CrossbarProgram, target: Target, packing: Packing, effort: Effort, rounds: int) -> Iterator[str]:
    """Yield what would make a program fit, with sizes."""
    chips = -(-packing.crossbars // target.usable_per_chip)
    yield f"use {chips} chips (--set hierarchy.chips={chips})"
    yield from more_rounds(program, target, packing, rounds)
    yield from looser_sharing(program, target, packing.crossbars, effort)
    yield "use fewer weight bits (--weight-bits, for float models)"
    yield "hold more bits in a cell (--set crossbar.cell_bits=...)"


def more_rounds(program: CrossbarProgram, target: Target, packing: Packing, rounds: int) -> Iterator[str]:
    """Yield in how many rounds the program would run, and what that rewrites."""
    for most in (count for count in ROUNDS_TRIED if count > rounds):
        cut = rounds_of(program, target, packing, most)
        if cut is not None:
            count = len(cut.starts)
            yield f"run in {count} rounds (--rounds {count}: {counted(cut.resident)} written anew each time)"
            return


def looser_sharing(program: CrossbarProgram, target: Target, need: int, effort: Effort) -> Iterator[str]:
    """Yield what looser ways to share crossbars would take, where that fits."""
    least = min(need, target.crossbars_available + 1)
    for sharing in list(Sharing)[list(Sharing).index(Sharing(target.crossbar.sharing)) + 1 :]:
        crossbars = pack(program, sharing, effort).crossbars
        if crossbars < least:
            yield f"share crossbars (--set crossbar.sharing={sharing}: {counted(crossbars)})"
            least = crossbars


def counted(crossbars: int) -> str:
    """Return so many crossbars in words."""
    return f"{crossbars} crossbar{'' if crossbars == 1 else 's'}"
