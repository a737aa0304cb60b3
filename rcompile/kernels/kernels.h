// What the kernels are called with; the same in C++ and in kernels/library.py.
#pragma once
#include <cstdint>

// The inputs of some vectors, transposed: which of `group` rows are driven in a lane is the index of a lookup.
// A lane is one bit of one vector: lane v * stride + b.
struct Packing {
    const uint8_t *inputs;  // (vectors, row_bytes), each input of `input_bytes`, least significant byte first
    int64_t vectors;
    int64_t row_bytes;
    const int64_t *wires;  // (runs, 2): the first input, and the number of inputs, that follow each other
    int64_t runs;
    int32_t input_bytes;  // 1 or 2
    int32_t stride;       // lanes of a vector: its bits, rounded up to a power of two from 2 to 16
    uint8_t *index;       // out: (blocks, groups, lanes of a block)
};

// One read of a crossbar's columns for all lanes: sums, conversions, shift-and-add.
struct Reading {
    const uint8_t *index;  // as packed
    int64_t lanes;         // vectors x stride, rounded up to whole blocks
    int64_t vectors;
    int32_t stride;
    int32_t rows;
    int32_t groups;      // of rows
    int32_t digit_bits;  // 1, 2 or 4 bits of a vector meet one converter
    int32_t columns;
    int32_t plane_bits;  // of a cell that are looked up together
    int32_t planes;
    int32_t offset;         // that was added to each cell so that none is negative
    const uint16_t *cells;  // (columns, groups x group), not negative
    // of each digit of each column, (columns, stride / digit_bits):
    const int32_t *low;     // what is subtracted from a sum before it is
    const int32_t *shift;   // shifted right, and
    const int32_t *top;     // limited, to give a code,
    const int32_t *scale;   // which counts 2^scale, or
    const int32_t *minus;   // (columns): -2^scale where -1; else 0
    const int32_t *output;  // (columns): for this output; ascending
    int32_t outputs;
    int32_t narrow;  // whether there is one plane, 15 bits hold every sum, and no `low` is negative
    const int64_t *places;  // (outputs): rows of the sums
    double *sums;           // (any, vectors), added to
    // read noise; variances are null where there is none
    const uint16_t *variances;  // (columns, groups x group), at most 255 / group
    const float *spread;       // (columns): square of the standard deviation, in cell steps, of a variance of 1
    const uint32_t *numbers;   // (columns): that the noise is drawn for
    const int64_t *positions;  // (vectors): their numbers
    uint32_t key[2];           // of the read
};

// Standard normal numbers of one of the two cycles of each pair.
struct Drawing {
    const uint32_t *seeds;  // (2, pairs)
    int64_t pairs;
    const uint32_t *columns;  // (count)
    int64_t count;
    int32_t which;          // 0 or 1
    const float *variance;  // (count, pairs), or null: 1
    float *out;             // (count, pairs)
};

struct Kernels {
    const char *name;
    int32_t group;  // rows of one lookup
    int32_t block;  // lanes
    void (*pack)(const Packing &);
    void (*read)(const Reading &);
    void (*normals)(const Drawing &);
};
