// From sums to codes, and what these count; included by lookup.hpp.

// Lanes 4 i + n of a register, n = 0..3, as 32 bits.
struct Wide {
    Reg lane[4];
};

// Of sums below 2^15, times a power of two below 2^15.
inline Wide widened(const Sums &sums, int factor) {
    const Reg low = Isa::set32(uint32_t(factor)), high = Isa::set32(uint32_t(factor) << 16);
    return {{Isa::madd16(sums.even, low), Isa::madd16(sums.odd, low), Isa::madd16(sums.even, high),
             Isa::madd16(sums.odd, high)}};
}

constexpr int SLOTS = 8;  // outputs that are added to at a time; more than columns of a tile

constexpr int FACTOR_BITS = 11;  // of a column's scale, that its weights hold; the rest is shifted

// One column's conversion, lane by lane, since cycles may differ. Lanes repeat after `stride`, which divides a register.
// Weights make one number of the codes of four lanes, which count 1, 2, 4, 8 times their scales; two, in two phases,
// where the lanes belong to two vectors.
struct Conversion {
    Reg low[4], top[4], shift[4];  // in 32 bits: of lanes 4 i + n; in 16 bits: of even and odd lanes; in 8 bits: one
    Reg mask;
    Reg even[2], odd[2];  // by phase
    int by, left;
};

// What the codes of four lanes count: of codes in 16 bits,
template <int PHASE> inline Reg weighted(const Sums &codes, const Conversion &c) {
    return Isa::add32(Isa::madd16(codes.even, c.even[PHASE]), Isa::madd16(codes.odd, c.odd[PHASE]));
}

// and of codes in bytes, whose scales do not differ.
template <int PHASE> inline Reg weighted(const Reg &codes, const Conversion &c) {
    return Isa::madd16(Isa::madd8(codes, Isa::set16(0x0201)), c.even[PHASE]);
}

// Conversions of some columns; those beyond the last count nothing.
template <int COLUMNS> struct Tile {
    const Reading &r;
    int first, count, digits;
    Conversion conversions[COLUMNS];
    bool together;  // all columns go to one output
    bool plain;     // codes are sums, up to a limit
    int bits;       // that hold all that matters of a sum: 8, 16 or 32

    Tile(const Reading &r, int first) : r(r), first(first), digits(r.stride / r.digit_bits) {
        count = r.columns - first < COLUMNS ? r.columns - first : COLUMNS;
        together = plain = true;
        bits = r.narrow ? 8 : 32;
        for (int c = 0; c < count; ++c) {
            together &= r.output[first + c] == r.output[first];
            for (int digit = 0; digit < digits; ++digit) {
                const int64_t n = int64_t(first + c) * digits + digit, start = int64_t(first + c) * digits;
                const bool alike = r.shift[n] == r.shift[start] && r.scale[n] == r.scale[start];
                if (bits == 8 && (!alike || r.low[n] + (int64_t(r.top[n] + 1) << r.shift[n]) > 256)) bits = 16;
                plain &= r.low[n] == 0 && r.shift[n] == 0;
            }
        }
        for (int c = 0; c < COLUMNS; ++c) {
            lay_out(c < count ? first + c : first, c < count, &conversions[c]);
            together &= conversions[c].left == 0;
        }
    }

    // Adds what the codes of the lanes from `at` on count.
    template <class Codes> void count_codes(const Codes *codes, int32_t *counted, int phases, int64_t at) const {
        count_phase<0>(codes, counted, phases, at);
        if (phases == 2) count_phase<1>(codes, counted, phases, at);
    }

  private:
    void lay_out(int column, bool counts, Conversion *c) {
        const int64_t start = int64_t(column) * digits;
        const int32_t *low = r.low + start, *top = r.top + start, *shift = r.shift + start, *scale = r.scale + start;
        int most = 0;
        for (int digit = 0; digit < digits; ++digit) most = scale[digit] > most ? scale[digit] : most;
        c->left = most > FACTOR_BITS ? most - FACTOR_BITS : 0;
        c->by = shift[0];
        c->mask = Isa::set16((255 >> (shift[0] & 7)) * 0x0101);

        int16_t even[2][Isa::lanes / 2] = {}, odd[2][Isa::lanes / 2] = {};
        const int apart = 4 / r.digit_bits;  // digits of four lanes
        for (int lane = 0; lane < Isa::lanes / r.digit_bits && counts; ++lane) {
            const int digit = lane % digits, quad = lane / apart, n = lane % apart * r.digit_bits;
            const int phase = r.stride == 2 ? n / 2 : 0, bit = r.stride == 2 ? n % 2 : n;
            const int factor = 1 << (scale[digit] - c->left + bit);
            (n % 2 ? odd : even)[phase][2 * quad + n / 2] = int16_t(r.minus[column] ? -factor : factor);
        }
        for (int phase = 0; phase < 2; ++phase) {
            c->even[phase] = Isa::load(even[phase]);
            c->odd[phase] = Isa::load(odd[phase]);
        }

        if (bits == 8) {
            uint8_t lows[Isa::lanes], tops[Isa::lanes];
            for (int lane = 0; lane < Isa::lanes; ++lane) {
                lows[lane] = uint8_t(low[lane % digits]);
                tops[lane] = uint8_t(top[lane % digits]);
            }
            c->low[0] = Isa::load(lows);
            c->top[0] = Isa::load(tops);
        } else if (bits == 16) {
            for (int n = 0; n < 2; ++n) {
                uint16_t lows[Isa::lanes / 2], tops[Isa::lanes / 2], shifts[Isa::lanes / 2];
                for (int lane = 0; lane < Isa::lanes / 2; ++lane) {
                    const int digit = (2 * lane + n) % digits;
                    lows[lane] = uint16_t(low[digit]);
                    tops[lane] = uint16_t(top[digit]);
                    shifts[lane] = uint16_t(1 << (15 - shift[digit]));
                }
                c->low[n] = Isa::load(lows);
                c->top[n] = Isa::load(tops);
                c->shift[n] = Isa::load(shifts);
            }
        } else {
            for (int n = 0; n < apart; ++n) {
                int32_t lows[QUADS], tops[QUADS], shifts[QUADS];
                for (int lane = 0; lane < QUADS; ++lane) {
                    const int digit = (lane * apart + n) % digits;
                    lows[lane] = low[digit];
                    tops[lane] = top[digit];
                    shifts[lane] = shift[digit];
                }
                c->low[n] = Isa::load(lows);
                c->top[n] = Isa::load(tops);
                c->shift[n] = Isa::load(shifts);
            }
        }
    }

    template <int PHASE, class Codes>
    void count_phase(const Codes *codes, int32_t *counted, int phases, int64_t at) const {
        auto value = [&](int c) { return weighted<PHASE>(codes[c], conversions[c]); };
        auto place = [&](int c) {
            return counted + (int64_t(r.output[first + c] % SLOTS) * phases + PHASE) * (r.lanes / 4) + at;
        };
        if (together) {
            Reg total = value(0);
            for (int c = 1; c < COLUMNS; ++c) total = Isa::add32(total, value(c));
            Isa::store(place(0), Isa::add32(Isa::load(place(0)), total));
            return;
        }
        for (int c = 0; c < count; ++c)
            Isa::store(place(c), Isa::add32(Isa::load(place(c)), Isa::sll32_by(value(c), conversions[c].left)));
    }
};

// Where a limit of 255 changes no code: subtract, shift, limit.
template <bool PLAIN> inline Reg byte_codes(const Conversion &c, Reg sums) {
    if (PLAIN) return Isa::min8(sums, c.top[0]);
    return Isa::min8(Isa::bits_and(Isa::srl16_by(Isa::sub_sat8(sums, c.low[0]), c.by), c.mask), c.top[0]);
}

// Where sums are below 2^15: the same; a shift to the right is a product.
inline Sums narrow_codes(const Conversion &c, const Sums &sums) {
    auto code = [&](Reg sum, int n) {
        const Reg above = Isa::sub_sat16(sum, c.low[n]);
        return Isa::min16(Isa::mul_high16(Isa::add16(above, above), c.shift[n]), c.top[n]);
    };
    return {code(sums.even, 0), code(sums.odd, 1)};
}

// The general case: add up the lanes that meet one converter; subtract, shift, limit.
inline Sums wide_codes(const Conversion &c, int digit_bits, const Wide &sums) {
    auto code = [&](Reg sum, int n) {
        const Reg above = Isa::sra32_each(Isa::sub32(sum, c.low[n]), c.shift[n]);
        return Isa::min32(Isa::max32(above, Isa::zero()), c.top[n]);
    };
    auto beside = [&](Reg low, Reg high) { return Isa::bits_or(low, Isa::template sll32<16>(high)); };
    const Reg *lane = sums.lane;
    if (digit_bits == 1)
        return {beside(code(lane[0], 0), code(lane[2], 2)), beside(code(lane[1], 1), code(lane[3], 3))};
    const Reg first = Isa::add32(lane[0], Isa::template sll32<1>(lane[1]));
    const Reg second = Isa::add32(lane[2], Isa::template sll32<1>(lane[3]));
    if (digit_bits == 2) return {beside(code(first, 0), code(second, 1)), Isa::zero()};
    return {code(Isa::add32(first, Isa::template sll32<2>(second)), 0), Isa::zero()};
}
