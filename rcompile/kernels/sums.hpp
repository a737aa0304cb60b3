// Tables of sums of cells, and what lanes look up in them; included by lookup.hpp.

// All sums of subsets of `group` cells of at most 255 / group each, entry e those whose bit of e is set.
inline void make_table(const uint16_t *cells, int shift, int mask, uint8_t *table) {
    uint64_t c[Isa::group];
    for (int i = 0; i < Isa::group; ++i) c[i] = uint64_t((cells[i] >> shift) & mask);
    const uint64_t first = c[0] * 0x0100010001000100ull + c[1] * 0x0101000001010000ull + c[2] * 0x0101010100000000ull;
    uint64_t above = 0;
    for (int word = 0; word < TABLE / 8; ++word) {  // sums of the other cells
        above = 0;
        for (int i = 3; i < Isa::group; ++i) above += word >> (i - 3) & 1 ? c[i] : 0;
        const uint64_t entries = first + above * 0x0101010101010101ull;
        std::memcpy(table + 8 * word, &entries, 8);
    }
}

// Tables of some columns, (groups, columns, TABLE); columns beyond the last repeat it.
template <int COLUMNS>
void make_tables(const uint16_t *cells, int64_t width, int left, int groups, int shift, int mask, uint8_t *tables) {
    for (int c = 0; c < COLUMNS; ++c) {
        const uint16_t *own = cells + (c < left ? c : left - 1) * width;
        for (int g = 0; g < groups; ++g)
            make_table(own + g * Isa::group, shift, mask, tables + (g * COLUMNS + c) * TABLE);
    }
}

// Sums in 16 bits: of the bytes at even and at odd places of a register.
struct Sums {
    Reg even, odd;
};

// Sums of groups *g..end-1, which bytes hold.
template <int COLUMNS>
inline void add_run(const uint8_t *index, const uint8_t *tables, int *g, int end, Reg (*out)[COLUMNS]) {
    Reg sum[REGS][COLUMNS];
    for (int r = 0; r < REGS; ++r)
        for (int c = 0; c < COLUMNS; ++c) sum[r][c] = Isa::zero();
    const uint8_t *here = index + *g * BLOCK, *own = tables + *g * COLUMNS * TABLE;
    const uint8_t *const last = index + end * BLOCK;
    *g = end;
    for (; here != last; here += BLOCK, own += COLUMNS * TABLE) {
        Reg lanes[REGS];
        for (int r = 0; r < REGS; ++r) lanes[r] = Isa::load(here + r * Isa::lanes);
        for (int c = 0; c < COLUMNS; ++c) {
            const Reg table = Isa::load_table(own + c * TABLE);
            for (int r = 0; r < REGS; ++r) sum[r][c] = Isa::add8(sum[r][c], Isa::lookup(table, lanes[r]));
        }
    }
    for (int r = 0; r < REGS; ++r)
        for (int c = 0; c < COLUMNS; ++c) out[r][c] = sum[r][c];
}

// As many groups at a time as bytes hold, then 16 bits: for cells of few bits. `ends` are where bytes would overflow.
template <int COLUMNS>
inline void sum_bytes(const uint8_t *index, const uint8_t *tables, const std::vector<int> &ends, Sums (*out)[COLUMNS]) {
    int g = 0;
    for (size_t run = 0; run < ends.size(); ++run) {
        Reg sum[REGS][COLUMNS];
        add_run<COLUMNS>(index, tables, &g, ends[run], sum);
        for (int r = 0; r < REGS; ++r)
            for (int c = 0; c < COLUMNS; ++c) {
                const Reg even = Isa::bits_and(sum[r][c], Isa::set16(0x00FF)), odd = Isa::template srl16<8>(sum[r][c]);
                Sums &own = out[r][c];
                own = run == 0 ? Sums{even, odd} : Sums{Isa::add16(own.even, even), Isa::add16(own.odd, odd)};
            }
    }
}

// The same, limited to 255, in bytes.
template <int COLUMNS>
inline void sum_saturated(const uint8_t *index, const uint8_t *tables, const std::vector<int> &ends,
                          Reg (*out)[COLUMNS]) {
    int g = 0;
    for (size_t run = 0; run < ends.size(); ++run) {
        Reg sum[REGS][COLUMNS];
        add_run<COLUMNS>(index, tables, &g, ends[run], sum);
        for (int r = 0; r < REGS; ++r)
            for (int c = 0; c < COLUMNS; ++c) out[r][c] = run == 0 ? sum[r][c] : Isa::add_sat8(out[r][c], sum[r][c]);
    }
}

// Lookups two by two, 16 bits at once: for planes of 5 bits. Even places are found last: words hold both, mod 2^16.
template <int COLUMNS>
inline void sum_words(const uint8_t *index, const uint8_t *tables, int groups, Sums (*out)[COLUMNS]) {
    Reg words[REGS][COLUMNS], odd[REGS][COLUMNS];
    for (int r = 0; r < REGS; ++r)
        for (int c = 0; c < COLUMNS; ++c) words[r][c] = odd[r][c] = Isa::zero();
    auto add = [&](int r, int c, Reg found) {
        words[r][c] = Isa::add16(words[r][c], found);
        odd[r][c] = Isa::add16(odd[r][c], Isa::template srl16<8>(found));
    };
    int g = 0;
    constexpr bool two = 2 * Isa::group * 31 < 256;
    for (; two && g + 1 < groups; g += 2) {
        const uint8_t *here = index + g * BLOCK;
        for (int c = 0; c < COLUMNS; ++c) {
            const Reg one = Isa::load_table(tables + (g * COLUMNS + c) * TABLE);
            const Reg other = Isa::load_table(tables + ((g + 1) * COLUMNS + c) * TABLE);
            for (int r = 0; r < REGS; ++r)
                add(r, c,
                    Isa::add8(Isa::lookup(one, Isa::load(here + r * Isa::lanes)),
                              Isa::lookup(other, Isa::load(here + BLOCK + r * Isa::lanes))));
        }
    }
    for (; g < groups; ++g)
        for (int c = 0; c < COLUMNS; ++c) {
            const Reg table = Isa::load_table(tables + (g * COLUMNS + c) * TABLE);
            for (int r = 0; r < REGS; ++r) add(r, c, Isa::lookup(table, Isa::load(index + g * BLOCK + r * Isa::lanes)));
        }
    for (int r = 0; r < REGS; ++r)
        for (int c = 0; c < COLUMNS; ++c)
            out[r][c] = {Isa::sub16(words[r][c], Isa::template sll16<8>(odd[r][c])), odd[r][c]};
}

// Where bytes would overflow in any of some columns: the groups at which runs end.
template <int COLUMNS> void find_ends(const uint8_t *tables, int groups, std::vector<int> &ends) {
    ends.clear();
    int total[COLUMNS] = {};
    for (int g = 0; g < groups; ++g) {
        bool full = false;
        for (int c = 0; c < COLUMNS; ++c) full |= total[c] + tables[(g * COLUMNS + c + 1) * TABLE - 1] > 255;
        if (full) ends.push_back(g);
        for (int c = 0; c < COLUMNS; ++c) total[c] = (full ? 0 : total[c]) + tables[(g * COLUMNS + c + 1) * TABLE - 1];
    }
    ends.push_back(groups);
}
