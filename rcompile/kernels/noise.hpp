// Read noise at a column; included by lookup.hpp.

// So many times the number of driven rows of each lane: lanes 4 i + n at n x (lanes / 4) + i.
std::vector<int32_t> driven(const Reading &r, int32_t factor) {
    std::vector<int32_t> found(r.lanes);
    const std::vector<uint16_t> ones(Isa::group, 1);
    std::vector<uint8_t> tables(size_t(r.groups) * TABLE);
    for (int g = 0; g < r.groups; ++g) make_table(ones.data(), 0, 1, tables.data() + g * TABLE);
    std::vector<int> ends;
    find_ends<1>(tables.data(), r.groups, ends);
    for (int64_t lane = 0; lane < r.lanes; lane += BLOCK) {
        Sums sums[REGS][1];
        sum_bytes<1>(r.index + lane * r.groups, tables.data(), ends, sums);
        for (int reg = 0; reg < REGS; ++reg) {
            const Wide wide = widened(sums[reg][0], 1);
            for (int n = 0; n < 4; ++n)
                Isa::store(&found[n * (r.lanes / 4) + lane / 4 + reg * QUADS],
                           Isa::mul32(wide.lane[n], Isa::set32(uint32_t(factor))));
        }
    }
    return found;
}

// The variance that all cells of some columns have; -1: they differ, or belong to rows that only fill up a group.
int32_t one_variance(const Reading &r, int first, int count) {
    const uint16_t *own = r.variances + int64_t(first) * r.groups * Isa::group;
    for (int c = 0; c < count; ++c)
        for (int row = 0; row < r.rows; ++row)
            if (own[int64_t(c) * r.groups * Isa::group + row] != own[0]) return -1;
    return own[0];
}

inline uint32_t mixed(uint32_t x) {
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return x ^ x >> 16;
}

// The two seeds (2, lanes / 2) of each pair of lanes, as devices/normals.py makes them of the read's key, the vector and
// its pair of cycles; pairs of lanes 4 i and 4 i + 1 first.
std::vector<uint32_t> seeds_of(const Reading &r) {
    std::vector<uint32_t> seeds(r.lanes);
    const int64_t pairs = r.stride / 2, quads = r.lanes / 4;
    for (int64_t v = 0; v < r.vectors; ++v)
        for (int64_t p = 0; p < pairs; ++p) {
            const uint32_t low = uint32_t(r.positions[v]), high = uint32_t(uint64_t(r.positions[v]) >> 32);
            uint32_t first = mixed(low * 0x9E3779B1u + uint32_t(p) * 0x85EBCA77u + r.key[0]);
            first = mixed(first ^ (high * 0xC2B2AE3Du + r.key[1]));
            const int64_t n = v * pairs + p, at = n % 2 * quads + n / 2;
            seeds[at] = first;
            seeds[2 * quads + at] = mixed(first + 0x7F4A7C15u);
        }
    return seeds;
}

// Read noise of one register of lanes and one column, in steps of a cell, added to its sums.
inline void add_noise(const Reading &r, const uint32_t *drawn_from, int column, int64_t at, const Wide &variance, Wide *sums) {
    const Reg spread = Isa::set_f(r.spread[column]);
    for (int half = 0; half < 2; ++half) {
        const uint32_t *seeds = drawn_from + half * (r.lanes / 4) + at;
        const Normals pair = normal_pair(Isa::load(seeds), Isa::load(seeds + r.lanes / 2), r.numbers[column]);
        for (int n = 0; n < 2; ++n) {
            const Reg square = Isa::mul_f(Isa::to_float(variance.lane[2 * half + n]), spread);
            const Reg drawn = Isa::mul_f(Isa::sqrt_f(Isa::mul_f(pair.square, square)), n ? pair.sine : pair.cosine);
            sums->lane[2 * half + n] = Isa::add32(sums->lane[2 * half + n], Isa::rounded(drawn));
        }
    }
}
