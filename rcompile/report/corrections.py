"""What digital correction of a die's outputs takes, for the report."""

from rcompile.backends.compensation import Correction
from rcompile.ir.placed import PlacedProgram
from rcompile.report.schema import CorrectionInfo


def correction_info(placed: PlacedProgram, kind: Correction) -> CorrectionInfo | None:
    """Return what a correction stores and computes; None where nothing is corrected."""
    if kind is Correction.NONE:
        return None
    stored = products = sums = 0
    for item in placed.program.matrices:
        if item.converter.kind == "sense_amplifier":
            continue  # comparisons are not corrected
        outputs = item.matrix.groups * item.matrix.columns
        corrected = outputs * item.matrix.vectors
        stored += item.replicas * (1 if kind is Correction.DRIFT else outputs * (2 if kind is Correction.AFFINE else 1))
        products += corrected if kind is not Correction.OFFSET else 0
        sums += corrected if kind is not Correction.DRIFT else 0
    return CorrectionInfo(kind=kind.value, coefficients=stored, products=products, additions=sums)
