// Crossbar reads by table lookup, for any instruction set. Included inside an anonymous namespace by one file for each,
// after `struct Isa` (see avx2.cpp). docs/kernels.md explains it on a page; rcompile/backends/fused.py is the twin.
//
// Of `group` rows that are driven or not, 2^group sums of cells are possible: a table of bytes, looked up for a register
// of lanes at once. Lanes are (vector, bit): all of them meet the same cells.

using Reg = Isa::Reg;

constexpr int REGS = 2;  // registers of lanes in a block
constexpr int BLOCK = REGS * Isa::lanes;
constexpr int TABLE = 1 << Isa::group;
constexpr int QUADS = Isa::lanes / 4;  // 32-bit lanes of a register

#include "packing.hpp"
#include "sums.hpp"
#include "normals.hpp"
#include "conversions.hpp"
#include "noise.hpp"
#include "totals.hpp"

// Adds the sums of a plane of bits, those from `shift` on.
inline void add_plane(Wide *wide, const Sums &sums, int shift) {
    const Wide own = widened(sums, 1 << shift);
    for (int n = 0; n < 4; ++n) wide->lane[n] = shift ? Isa::add32(wide->lane[n], own.lane[n]) : own.lane[n];
}

// Takes off what the offset of cells added.
inline void subtract(const Reading &r, const int32_t *totals, Wide *wide) {
    for (int n = 0; n < 4; ++n) wide->lane[n] = Isa::sub32(wide->lane[n], Isa::load(totals + n * (r.lanes / 4)));
}

constexpr int FEW = 4, TWO = 2;  // columns at once: as many as registers hold sums of

// A block of lanes of a tile, in bytes.
template <bool PLAIN>
void count_bytes(const Tile<FEW> &tile, const uint8_t *index, const uint8_t *tables, const std::vector<int> &ends,
                 const Totals &totals, int64_t at) {
    Reg sums[REGS][FEW], codes[FEW];
    sum_saturated<FEW>(index, tables, ends, sums);
    for (int reg = 0; reg < REGS; ++reg) {
        for (int c = 0; c < FEW; ++c) codes[c] = byte_codes<PLAIN>(tile.conversions[c], sums[reg][c]);
        tile.count_codes(codes, totals.counted, totals.phases, at + reg * QUADS);
    }
}

// The same in 16 or 32 bits.
void count_sums(const Tile<FEW> &tile, const uint8_t *index, const uint8_t *tables, const std::vector<int> &ends,
                const int32_t *offset, const Totals &totals, int64_t at) {
    Sums sums[REGS][FEW], codes[FEW];
    sum_bytes<FEW>(index, tables, ends, sums);
    for (int reg = 0; reg < REGS; ++reg, at += QUADS) {
        for (int c = 0; c < FEW; ++c) {
            if (tile.bits == 16) {
                codes[c] = narrow_codes(tile.conversions[c], sums[reg][c]);
                continue;
            }
            Wide wide = widened(sums[reg][c], 1);
            if (offset) subtract(tile.r, offset + at, &wide);
            codes[c] = wide_codes(tile.conversions[c], tile.r.digit_bits, wide);
        }
        tile.count_codes(codes, totals.counted, totals.phases, at);
    }
}

// Cells of few bits.
void read_bytes(const Reading &r, const int32_t *offset, Totals &totals) {
    const int64_t width = int64_t(r.groups) * Isa::group;
    std::vector<uint8_t> tables(size_t(r.groups) * FEW * TABLE);
    std::vector<int> ends;
    for (int column = 0; column < r.columns; column += FEW) {
        const int left = r.columns - column < FEW ? r.columns - column : FEW;
        make_tables<FEW>(r.cells + column * width, width, left, r.groups, 0, 0xFFFF, tables.data());
        find_ends<FEW>(tables.data(), r.groups, ends);
        const Tile<FEW> tile(r, column);
        totals.begin(column, left);
        for (int64_t lane = 0; lane < r.lanes; lane += BLOCK) {
            const uint8_t *index = r.index + lane * r.groups;
            const int64_t at = lane / 4;
            if (tile.bits == 8 && tile.plain)
                count_bytes<true>(tile, index, tables.data(), ends, totals, at);
            else if (tile.bits == 8)
                count_bytes<false>(tile, index, tables.data(), ends, totals, at);
            else
                count_sums(tile, index, tables.data(), ends, offset, totals, at);
        }
        totals.end(column, left);
    }
}

// Cells of many bits, plane by plane.
void read_words(const Reading &r, const int32_t *offset, Totals &totals) {
    const int64_t width = int64_t(r.groups) * Isa::group;
    const size_t size = size_t(r.groups) * TWO * TABLE;
    std::vector<uint8_t> tables(size * (r.planes + 1));
    std::vector<int> ends;
    const std::vector<int32_t> counts = r.variances ? driven(r, 1) : std::vector<int32_t>();
    const std::vector<uint32_t> seeds = r.variances ? seeds_of(r) : std::vector<uint32_t>();
    uint8_t *of_variances = tables.data() + size * r.planes;
    for (int column = 0; column < r.columns; column += TWO) {
        const int left = r.columns - column < TWO ? r.columns - column : TWO;
        for (int p = 0; p < r.planes; ++p)
            make_tables<TWO>(r.cells + column * width, width, left, r.groups, p * r.plane_bits, (1 << r.plane_bits) - 1,
                             tables.data() + p * size);
        const int32_t alike = r.variances ? one_variance(r, column, left) : 0;
        if (alike < 0) {
            make_tables<TWO>(r.variances + column * width, width, left, r.groups, 0, 0x3F, of_variances);
            find_ends<TWO>(of_variances, r.groups, ends);
        }
        const Tile<TWO> tile(r, column);
        totals.begin(column, left);
        for (int64_t lane = 0; lane < r.lanes; lane += BLOCK) {
            const uint8_t *index = r.index + lane * r.groups;
            Wide wide[REGS][TWO];
            Sums sums[REGS][TWO], found[TWO];
            for (int p = 0; p < r.planes; ++p) {
                sum_words<TWO>(index, tables.data() + p * size, r.groups, sums);
                for (int reg = 0; reg < REGS; ++reg)
                    for (int c = 0; c < TWO; ++c) add_plane(&wide[reg][c], sums[reg][c], p * r.plane_bits);
            }
            if (alike < 0) sum_bytes<TWO>(index, of_variances, ends, sums);
            for (int reg = 0; reg < REGS; ++reg) {
                const int64_t at = lane / 4 + reg * QUADS;
                for (int c = 0; c < TWO; ++c) {
                    if (offset) subtract(r, offset + at, &wide[reg][c]);
                    if (r.variances && c < left) {
                        Wide variance;
                        if (alike < 0)
                            variance = widened(sums[reg][c], 1);
                        else
                            for (int n = 0; n < 4; ++n)
                                variance.lane[n] = Isa::mul32(Isa::load(&counts[n * (r.lanes / 4) + at]),
                                                              Isa::set32(uint32_t(alike)));
                        add_noise(r, seeds.data(), column + c, at, variance, &wide[reg][c]);
                    }
                    found[c] = wide_codes(tile.conversions[c], r.digit_bits, wide[reg][c]);
                }
                tile.count_codes(found, totals.counted, totals.phases, at);
            }
        }
        totals.end(column, left);
    }
}

void read(const Reading &r) {
    const std::vector<int32_t> offset = r.offset ? driven(r, r.offset) : std::vector<int32_t>();
    Totals totals(r);
    if (r.planes == 1 && !r.variances)
        read_bytes(r, r.offset ? offset.data() : nullptr, totals);
    else
        read_words(r, r.offset ? offset.data() : nullptr, totals);
}

const Kernels KERNELS = {Isa::name, Isa::group, BLOCK, pack, read, normals};
