"""What components of a chip do while it executes a program: what can be counted, and so priced."""

ACTIONS: dict[str, str] = {
    "time": "a second in which what contains it is at work",
    "read": "a read cycle of a crossbar of RRAM cells; of fewer rows at once, their share of it",
    "cell": "a read cycle of one cell",
    "sram_read": "a read cycle of an SRAM array",
    "row": "a row driven for an input cycle",
    "sample": "a column whose sum is sampled and held for a conversion",
    "conversion": "a conversion of a sum",
    "shift_add": "a code that is shifted and added",
    "input_byte": "a byte of inputs that a core (what contains crossbars) takes in",
    "output_byte": "a byte of partial sums that a core hands out",
    "buffer_byte": "a byte written to, or read from, the buffer of a tile",
    "bus_byte": "a byte on the way between a tile's buffer and its cores",
    "element": "an output that a digital unit finishes, or an element on which an operator between matrices works",
    "hop_byte": "a byte that a router passes on to the next tile",
    "chip_byte": "a byte that passes from chip to chip",
}
"""Each with its meaning, as documentation and messages give it."""
