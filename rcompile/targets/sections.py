"""The sections of a target file. Each field carries its unit, its range and its meaning."""

from dataclasses import dataclass
from itertools import accumulate
from math import prod
from operator import mul

from rcompile.fields import rule


@dataclass(frozen=True)
class Crossbar:
    """The array of cells."""

    rows: int = rule(int, "inputs of a crossbar", low=1, high=4096)
    columns: int = rule(int, "outputs of a crossbar", low=1, high=4096)
    cell_bits: int = rule(int, "bits that one cell holds", unit="bit", low=1, high=6)
    rows_at_once: int = rule(
        int, "rows that are driven together (operation unit); 0: all of them", low=0, high=4096, default=0
    )
    unit_columns: int = rule(
        int, "columns beside the others that measure the sum of the inputs", low=0, high=16, default=0
    )
    spare_rows: int = rule(
        int, "rows beside the others that can replace faulty ones", low=0, high=4096, default=0, choice=True
    )
    spare_columns: int = rule(
        int, "columns beside the others that can replace faulty ones", low=0, high=4096, default=0, choice=True
    )
    reference_column: bool = rule(
        bool,
        "one more column of cells at level 0, whose current is taken off that of the others; else what level 0 gives "
        "is computed from the inputs",
        default=False,
        choice=True,
    )
    sharing: str = rule(
        str,
        "what may share a crossbar: groups of a layer; any layers, on rows and columns of their own; any, on cells of "
        "their own, read one at a time",
        choices=("layer", "concurrent", "exclusive"),
        default="layer",
        choice=True,
    )


SIGNS = (
    "offset", "offset_flip", "zero_offset", "differential_columns", "differential_rows", "differential_arrays",
    "center_offset", "xnor_pair", "ternary_pair",
)  # fmt: skip


@dataclass(frozen=True)
class Weights:
    """How weights become cell levels."""

    sign: str = rule(str, "sign scheme", choices=SIGNS)
    quoted_bits: int = rule(
        int, "bits of the weights that peak figures are quoted for", unit="bit", low=1, high=32, default=8, choice=True
    )
    slices: tuple[int, ...] = rule(
        int, "bits of each weight slice, least significant first; []: as many as a cell holds", unit="bit",
        low=1, high=6, many=True, default=(), choice=True,
    )  # fmt: skip
    subtraction: str = rule(
        str,
        "where differential_columns and differential_arrays subtract: behind the converters, or before them",
        choices=("digital", "analog"),
        default="digital",
    )
    flip_by: str = rule(
        str,
        "what offset_flip lowers: the largest sum that inputs can cause, or the largest that calibration saw",
        choices=("bound", "measured"),
        default="bound",
        choice=True,
    )
    sram_bits: int = rule(
        int, "least significant bits of a weight that SRAM arrays of one-bit cells hold", unit="bit",
        low=0, high=24, default=0, choice=True,
    )  # fmt: skip
    supported: tuple[str, ...] = rule(
        str, "sign schemes that the periphery can do; []: any", choices=SIGNS, many=True, default=(), choice=True
    )


@dataclass(frozen=True)
class Inputs:
    """How inputs reach the rows."""

    dac_bits: int = rule(int, "bits that a row presents in one cycle", unit="bit", low=1, high=8)
    quoted_bits: int = rule(
        int, "bits of the inputs that peak figures are quoted for", unit="bit", low=1, high=32, default=8, choice=True
    )
    encoding: str = rule(
        str,
        "bit_serial: dac_bits a cycle, as voltages; amplitude: all bits in one cycle, as voltages; pulse_width: "
        "dac_bits a cycle, as a pulse of up to 2^dac_bits - 1 read cycles",
        choices=("bit_serial", "amplitude", "pulse_width"),
        default="bit_serial",
    )
    signed: str = rule(
        str,
        "how signed inputs are presented: as codes above their least, in two's complement, or positive and negative "
        "ones in two phases",
        choices=("unsigned", "twos_complement", "two_phase"),
        default="unsigned",
    )


@dataclass(frozen=True)
class Adcs:
    """How column sums are read."""

    bits: int = rule(int, "resolution of the converters", unit="bit", low=1, high=24)
    kind: str = rule(
        str,
        "type of the converters; a sense_amplifier compares once a bit; none: sums stay analog",
        choices=("sar", "flash", "ramp", "integrate_and_fire", "tdc", "sense_amplifier", "none"),
        default="sar",
    )
    resolution: str = rule(
        str,
        "uniform: one a layer, what its weights can need; per_column: what each column's weights can need; calibrated: "
        "the ranges that calibration saw, per slice and input bit; adaptive: only bits that reach the output; each up "
        "to `bits`, with calibrated ranges beyond; lossless: as uniform, whatever `bits` says",
        choices=("uniform", "per_column", "calibrated", "adaptive", "lossless"),
        default="uniform",
        choice=True,
    )
    range: str = rule(
        str,
        "how calibrated ranges follow from what was seen",
        choices=("min_max", "percentile", "least_squares"),
        default="least_squares",
        choice=True,
    )
    percentile: float = rule(
        float,
        "share of the sums that a percentile range holds",
        unit="%",
        low=50.0,
        high=100.0,
        default=99.99,
        choice=True,
    )
    truncated_bits: int = rule(
        int, "least significant bits that no conversion resolves", unit="bit", low=0, high=16, default=0, choice=True
    )
    skipped_below: int = rule(
        int,
        "partial products of input bit j and weight bit k are not converted where j + k is smaller",
        low=0,
        high=48,
        default=0,
        choice=True,
    )
    guard_bits: int = rule(
        int,
        "bits below an output's step that adaptive converters keep",
        unit="bit",
        low=0,
        high=16,
        default=2,
        choice=True,
    )
    per_crossbar: float = rule(
        float,
        "converters of a crossbar, 0.125 where eight share one; 0: not known, a read cycle holds all conversions",
        low=0.0,
        high=4096.0,
        default=0.0,
    )
    rate_per_s: float = rule(
        float, "conversions of one converter; 0: not known", unit="1/s", low=0.0, high=1e15, default=0.0
    )
    adjustable: bool = rule(bool, "whether the resolution can be lowered at run time", default=False, choice=True)


@dataclass(frozen=True)
class PartialSums:
    """What row partitions send to the adder tree."""

    bits: int = rule(
        int,
        "bits that partial sums and their total are rounded to; 0: none are",
        unit="bit",
        low=0,
        high=32,
        default=0,
        choice=True,
    )


@dataclass(frozen=True)
class Hierarchy:
    """What contains what."""

    levels: tuple[str, ...] = rule(
        str, "names of what contains crossbars, from the inside out (core, IMA, MCU, ...); the last one is on the mesh",
        many=True,
    )  # fmt: skip
    counts: tuple[int, ...] = rule(
        int, "how many of the level before each of them contains: crossbars of the first one, and so on",
        low=1, high=65536, many=True,
    )  # fmt: skip
    mesh_rows: int = rule(int, "rows of the mesh of tiles of a chip", low=1, high=1024)
    mesh_columns: int = rule(int, "columns of the mesh of tiles of a chip", low=1, high=1024)
    mesh_layers: int = rule(
        int,
        "meshes of tiles on top of each other in a chip, which takes the area of one",
        low=1,
        high=64,
        default=1,
        choice=True,
    )
    chips: int = rule(int, "chips that may be used", low=1, high=4096, default=1)
    spare_crossbars: int = rule(
        int,
        "crossbars of a tile that hold nothing unless they replace dead ones; a fault map asks for as many as it needs",
        low=0,
        high=65536,
        default=0,
        choice=True,
    )

    @property
    def tiles(self) -> int:
        """Tiles of a chip."""
        return self.mesh_layers * self.mesh_rows * self.mesh_columns

    @property
    def crossbars(self) -> dict[str, int]:
        """Crossbars that each level has, from the crossbar to the chip."""
        named = dict(zip(self.levels, accumulate(self.counts, mul), strict=True))
        return {"crossbar": 1, **named, "chip": self.tiles * prod(self.counts)}


@dataclass(frozen=True)
class Tile:
    """What a tile has beside its cores."""

    buffer_bytes: int = rule(
        int, "memory for inputs that wait; 0: not known, taken to suffice", unit="byte", low=0, high=2**40, default=0
    )
    elements_per_s: float = rule(
        float,
        "outputs that the digital units finish; 0: not known, they keep pace",
        unit="1/s",
        low=0.0,
        high=1e18,
        default=0.0,
    )


@dataclass(frozen=True)
class Noc:
    """How tiles and chips are connected."""

    topology: str = rule(
        str,
        "what connects the tiles of a chip: a mesh of links, also of routers that serve blocks of tiles, or in layers; "
        "a tree whose nodes join four, up to the gate (a hop is a link of it); one bus that all share (one hop). Trees "
        "and buses have router_rows, router_columns and mesh_layers of 1",
        choices=("mesh", "h_tree", "bus"),
        default="mesh",
        choice=True,
    )
    link_bytes_per_s: float = rule(
        float,
        "one way over a link between tiles, or over the bus; 0: not known, links keep pace",
        unit="byte/s",
        low=0.0,
        high=1e18,
        default=0.0,
    )
    hop_s: float = rule(float, "from router to router; 0: not known", unit="s", low=0.0, high=1.0, default=0.0)
    router_rows: int = rule(
        int, "rows of tiles that share a router (concentrated mesh)", low=1, high=1024, default=1, choice=True
    )
    router_columns: int = rule(
        int, "columns of tiles that share a router (concentrated mesh)", low=1, high=1024, default=1, choice=True
    )
    chip_link_bytes_per_s: float = rule(
        float,
        "one way from chip to chip; 0: not known, links keep pace",
        unit="byte/s",
        low=0.0,
        high=1e18,
        default=0.0,
    )


@dataclass(frozen=True)
class Timing:
    """How long operations take."""

    read_cycle_s: float = rule(
        float, "one input cycle of a crossbar, conversion of all columns included", unit="s", low=1e-12, high=1.0
    )


@dataclass(frozen=True)
class Paper:
    """Where the architecture was published, and what for: nothing that is compiled depends on it."""

    title: str = rule(str, "authors, title, place and year", default="", optional=True)
    row: int = rule(
        int, "number in Table I of Krestinskaya et al., IEEE NANO 2022; 0: none", low=0, high=27, default=0,
        optional=True,
    )  # fmt: skip
    cmos_m: float = rule(
        float, "feature size of its transistors; 0: not stated", unit="m", low=0.0, high=1e-5, default=0.0,
        optional=True,
    )  # fmt: skip
    material: str = rule(str, "of the cells", default="", optional=True)
    weight_bits: str = rule(str, "of the networks that it is shown with", default="", optional=True)
    input_bits: str = rule(str, "of them; s-1b: serially, through a one-bit DAC", default="", optional=True)
    output_bits: str = rule(str, "of them", default="", optional=True)
    networks: str = rule(str, "that it is shown with", default="", optional=True)
    training: str = rule(
        str, "of them: PTQ, QAT, on_chip, or hybrid (fine-tuned on the chip)", default="", optional=True
    )
