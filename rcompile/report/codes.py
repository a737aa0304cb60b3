"""What the codes of diagnostics mean, and what changes them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """What a diagnostic says.

    Attributes:
        meaning: why it is there.
        remedy: what would make it go away; '' where nothing has to.
    """

    meaning: str
    remedy: str


CODES: dict[str, Code] = {
    "ADC_BEYOND_TARGET": Code(
        "adc.resolution=lossless was asked for, and a layer needs finer converters than the target has: they were "
        "assumed, so that time, energy and area are those of a chip that does not exist.",
        "Leave adc.resolution out to see what the target's own converters cost in accuracy; or need fewer bits: fewer "
        "rows (crossbar.rows, crossbar.rows_at_once), fewer bits a cell or DAC cycle, weights.sign=offset_flip.",
    ),
    "ASSUMED_FIELDS": Code(
        "Neither the target file nor any source of it states these fields: they were given a value all the same.",
        "Look at them with `rcompile targets NAME --check`, and set what matters with --set or in a file of your own.",
    ),
    "DIGITAL_PRODUCT": Code(
        "A product stays off the crossbars, since its weights are not constant, or its form is not one that they "
        "compute. Digital units do it, which the times of crossbars do not count.",
        "Constant weights: export the model with them as initializers. Products of two activations, as in attention, "
        "have none.",
    ),
    "EXACT_ON_SOME": Code(
        "Reading crossbars cycle by cycle takes long, so that only some samples, or some vectors of each layer, were "
        "compared so; the functional engine, which gives the same numbers, did the others.",
        "--exact-samples N takes as many as you want.",
    ),
    "FULL_BUFFERS": Code(
        "More inputs wait in a tile than its buffer holds: the pipeline of the schedule stalls there, and might never "
        "go on.",
        "Larger buffers (tile.buffer_bytes), fewer crossbars a tile (hierarchy.counts), or activations of fewer bits.",
    ),
    "LABELS_DO_NOT_FIT": Code(
        "The data hold labels that are no positions in the model's first output, so that there is no accuracy.",
        "Class numbers from 0, one a sample.",
    ),
    "NO_LABELS": Code(
        "Without labels there is no accuracy: the mapped program is compared with the model, not with the truth.",
        "Add an array `labels` of class numbers to the .npz file of --data.",
    ),
    "OPTION_IGNORED": Code(
        "A model that came quantized keeps its own bits and scales, so that options about them do nothing.",
        "Compile the float model to choose its precision.",
    ),
    "OUTPUTS_NOT_FINITE": Code(
        "The model itself gives NaN or infinite outputs on these samples: comparisons with them say nothing.",
        "Samples as the model wants them (scaled, normalized), and a look at its weights.",
    ),
    "QUANTIZATION_LOSS": Code(
        "The quantized model's outputs are far from the float model's, before anything is mapped.",
        "More bits (--weight-bits, --input-bits, --precision), or calibration samples that are like the data.",
    ),
    "RANDOM_RANGES": Code(
        "No samples were given, so that the ranges of activations come from random inputs; real ones may be clipped.",
        "--calibration FILE.npz, or --data FILE.npz.",
    ),
    "RANDOM_WEIGHTS": Code(
        "The file lacks weights and was mapped by its shapes (--weightless): places, times and costs hold, numbers do "
        "not, and nothing was verified.",
        "Compile the model with its weights.",
    ),
    "RATE_MISSED": Code(
        "--fit chose copies and chip by the crossbars of each layer alone, and links, digital units or layers that "
        "take turns on a crossbar are slower: the rate is not reached, and the exit code is 7.",
        "Faster links or digital units, crossbar.sharing=layer, or a higher rate to leave room.",
    ),
    "REFERENCE_COLUMNS": Code(
        "Each crossbar has one more column of cells at level 0, which takes a column and its conversions.",
        "crossbar.reference_column=false computes what level 0 gives from the inputs instead.",
    ),
    "RETENTION": Code(
        "Cells of the device lose their levels in time: from then on 1 % of the cells of some level are off by more "
        "than half a level.",
        "Write them anew before (refresh.every_s of the device), see what it costs (--at), or hold fewer bits a cell.",
    ),
    "ROUNDED_SUMS": Code(
        "Converters, or the registers of partial sums, have fewer bits than the sums of some layers need: these are "
        "rounded, in ranges that calibration found. The accuracy of the mapped program includes it, the bit-for-bit "
        "comparison leaves it out.",
        "More bits (adc.bits, partial_sums.bits); or sums that need fewer: fewer rows at once, bits a cell or DAC "
        "cycle, weights.sign=offset_flip, adc.resolution=per_column.",
    ),
    "ROUNDING": Code(
        "onnxruntime computes some products of the quantized model in floating point, and a sum on the border of two "
        "codes then rounds the other way. The program equals the integer arithmetic exactly.",
        "",
    ),
    "ROUNDS": Code(
        "The model is larger than the chips: it runs in rounds, and crossbars are written anew between them, which "
        "takes time and energy and wears the cells.",
        "More or larger chips (hierarchy.chips, --fit 0 says how large), fewer bits, or more bits a cell.",
    ),
    "SIGNS_ONLY": Code(
        "Nothing but the sign of each sum is read: one comparison with a threshold does it, without loss.",
        "",
    ),
    "SLOW_MOVEMENT": Code(
        "Digital units or links take longer than crossbars, and set the interval between inferences.",
        "Fewer copies would do; or faster ones (tile.elements_per_s, noc.link_bytes_per_s, noc.chip_link_bytes_per_s).",
    ),
    "SMALLEST_CHIP": Code("--fit chose the chip's size, not the target.", "Leave --fit out."),
    "UNCOUNTED_PRODUCT": Code(
        "An operator may multiply, and how much is not known from its shapes: shares of multiply-accumulates leave it "
        "out.",
        "Fixed shapes (--dim), or a model without loops and branches.",
    ),
    "UNKNOWN_TIMES": Code(
        "The target does not say how fast these are: they count as if they kept pace.",
        "Set them (--set FIELD=VALUE), or state them in a file of your own.",
    ),
    "UNUSED_ARRAYS": Code(
        "The data file holds arrays that are neither inputs of the model nor `labels`.",
        "Name each array as the model's input; `rcompile inspect MODEL.onnx` lists them.",
    ),
}
"""By code."""
