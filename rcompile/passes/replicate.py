"""Copy matrices so that their vectors are shared out.

Copy r of R takes vectors r, r + R, r + 2R, ... A copy costs as many crossbars as the original.
"""

from dataclasses import replace

import numpy as np

from rcompile.ir.arrays import frozen
from rcompile.ir.crossbar import CrossbarProgram


def replicate(program: CrossbarProgram, copies: tuple[int, ...]) -> CrossbarProgram:
    """Give each matrix its number of copies, in the order of the program's matrices."""
    tables = []
    for index, count in enumerate(copies):
        own = program.blocks[program.blocks["matrix"] == index]
        for replica in range(count):
            table = own.copy()
            table["replica"] = replica
            tables.append(table)
    blocks = frozen(np.concatenate(tables))
    matrices = tuple(replace(item, replicas=count) for item, count in zip(program.matrices, copies, strict=True))
    return replace(program, matrices=matrices, blocks=blocks)
