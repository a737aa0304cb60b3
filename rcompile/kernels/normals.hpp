// Noise from counters; included by lookup.hpp.

// Two standard normal numbers a lane (Box and Muller 1958): the roots of `square`, times cosine and sine. Only operations
// that IEEE 754 rounds in one way, none fused: all instruction sets and numpy (devices/normals.py) give the same numbers.
struct Normals {
    Reg square, cosine, sine;
};

inline Reg mixed(Reg x) {
    x = Isa::bits_xor(x, Isa::template srl32<16>(x));
    x = Isa::mul32(x, Isa::set32(0x85EBCA6Bu));
    x = Isa::bits_xor(x, Isa::template srl32<13>(x));
    x = Isa::mul32(x, Isa::set32(0xC2B2AE35u));
    return Isa::bits_xor(x, Isa::template srl32<16>(x));
}

template <int N> inline Reg polynomial(const float (&coefficients)[N], Reg x) {
    Reg found = Isa::set_f(coefficients[0]);
    for (int i = 1; i < N; ++i) found = Isa::add_f(Isa::mul_f(found, x), Isa::set_f(coefficients[i]));
    return found;
}

inline Normals normal_pair(Reg own, Reg other, uint32_t column) {
    Reg x = Isa::add32(own, Isa::set32(column * 0x9E3779B9u));
    x = Isa::bits_xor(x, Isa::template srl32<16>(x));
    x = Isa::bits_xor(Isa::mul32(x, Isa::set32(0x21F0AAADu)), other);
    x = Isa::bits_xor(x, Isa::template srl32<15>(x));
    x = Isa::mul32(x, Isa::set32(0x735A2D97u));
    x = Isa::bits_xor(x, Isa::template srl32<15>(x));
    const Reg y = mixed(Isa::add32(x, other));

    // -2 ln(x / 2^32): exponent and polynomial of the fraction
    const Reg u = Isa::max_f(Isa::to_float(Isa::template srl32<1>(x)), Isa::set_f(0.5f));
    const Reg exponent = Isa::to_float(Isa::sub32(Isa::template srl32<23>(u), Isa::set32(127)));
    const Reg fraction = Isa::bits_or(Isa::bits_and(u, Isa::set32(0x007FFFFFu)), Isa::set32(0x3F800000u));
    const Reg log = Isa::sub_f(Isa::sub_f(Isa::set_f(31.0f), exponent), polynomial(NORMAL_LOG, fraction));
    const Reg square = Isa::mul_f(Isa::max_f(log, Isa::set_f(0.0f)), Isa::set_f(1.38629436f));

    // the upper three bits of y say which eighth of the circle, the lower ones where in it
    const Reg t = Isa::mul_f(Isa::to_float(Isa::bits_and(y, Isa::set32(0x00FFFFFFu))), Isa::set_f(5.9604644775390625e-8f));
    const Reg tt = Isa::mul_f(t, t);
    const Reg cosine = polynomial(NORMAL_COS, tt), sine = Isa::mul_f(polynomial(NORMAL_SIN, tt), t);
    const Reg swapped = Isa::template sra32<31>(Isa::template sll32<2>(y));
    const Reg differ = Isa::bits_and(Isa::bits_xor(cosine, sine), swapped);
    const Reg sign = Isa::set32(0x80000000u);
    return {square, Isa::bits_xor(Isa::bits_xor(cosine, differ), Isa::bits_and(y, sign)),
            Isa::bits_xor(Isa::bits_xor(sine, differ), Isa::bits_and(Isa::template sll32<1>(y), sign))};
}

void normals(const Drawing &d) {
    for (int64_t i = 0; i < d.pairs; i += QUADS) {
        alignas(64) uint32_t own[QUADS] = {}, other[QUADS] = {};
        const int64_t left = d.pairs - i < QUADS ? d.pairs - i : QUADS;
        std::memcpy(own, d.seeds + i, 4 * left);
        std::memcpy(other, d.seeds + d.pairs + i, 4 * left);
        const Reg first = Isa::load(own), second = Isa::load(other);
        for (int64_t c = 0; c < d.count; ++c) {
            const Normals pair = normal_pair(first, second, d.columns[c]);
            alignas(64) float found[QUADS] = {};
            Reg square = pair.square;
            if (d.variance) {
                std::memcpy(found, d.variance + c * d.pairs + i, 4 * left);
                square = Isa::mul_f(square, Isa::load(found));
            }
            Isa::store(found, Isa::mul_f(Isa::sqrt_f(square), d.which ? pair.sine : pair.cosine));
            std::memcpy(d.out + c * d.pairs + i, found, 4 * left);
        }
    }
}
