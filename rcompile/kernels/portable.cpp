// Any machine: 16 lanes in plain C++, 4 rows a lookup. What the other instruction sets must do, one lane at a time.
#include "common.hpp"
namespace {
struct Isa {
    static constexpr const char *name = "portable";
    static constexpr int lanes = 16, group = 4;
    struct Reg {
        uint8_t bytes[16];
    };
    // f of each element, as numbers of type T, of one or two registers
    template <class T, class F> static Reg each(const Reg &a, const Reg &b, F f) {
        T x[16 / sizeof(T)], y[16 / sizeof(T)];
        std::memcpy(x, a.bytes, 16);
        std::memcpy(y, b.bytes, 16);
        for (size_t i = 0; i < 16 / sizeof(T); ++i) x[i] = T(f(x[i], y[i]));
        return load(x);
    }
    template <class T, class F> static Reg each(const Reg &a, F f) {
        return each<T>(a, a, [&](T x, T) { return f(x); });
    }
    static Reg load(const void *p) {
        Reg r;
        std::memcpy(r.bytes, p, 16);
        return r;
    }
    static void store(void *p, const Reg &a) { std::memcpy(p, a.bytes, 16); }
    static Reg zero() { return set32(0); }
    static Reg load_table(const uint8_t *p) { return load(p); }
    static Reg lookup(const Reg &table, const Reg &index) {
        return each<uint8_t>(index, [&](uint8_t i) { return table.bytes[i]; });
    }
    static Reg set16(int32_t a) {
        return each<uint16_t>(Reg{}, [=](uint16_t) { return uint16_t(a); });
    }
    static Reg set32(uint32_t a) {
        return each<uint32_t>(Reg{}, [=](uint32_t) { return a; });
    }
    static Reg add8(const Reg &a, const Reg &b) {
        return each<uint8_t>(a, b, [](uint8_t x, uint8_t y) { return x + y; });
    }
    static Reg add_sat8(const Reg &a, const Reg &b) {
        return each<uint8_t>(a, b, [](uint8_t x, uint8_t y) { return x + y > 255 ? 255 : x + y; });
    }
    static Reg sub_sat8(const Reg &a, const Reg &b) {
        return each<uint8_t>(a, b, [](uint8_t x, uint8_t y) { return x > y ? x - y : 0; });
    }
    static Reg min8(const Reg &a, const Reg &b) {
        return each<uint8_t>(a, b, [](uint8_t x, uint8_t y) { return x < y ? x : y; });
    }
    static Reg madd8(const Reg &a, const Reg &b) {
        int16_t sums[8];
        for (int i = 0; i < 8; ++i)
            sums[i] = int16_t(a.bytes[2 * i] * b.bytes[2 * i] + a.bytes[2 * i + 1] * b.bytes[2 * i + 1]);
        return load(sums);
    }
    static Reg add16(const Reg &a, const Reg &b) {
        return each<uint16_t>(a, b, [](uint16_t x, uint16_t y) { return x + y; });
    }
    static Reg sub16(const Reg &a, const Reg &b) {
        return each<uint16_t>(a, b, [](uint16_t x, uint16_t y) { return x - y; });
    }
    static Reg sub_sat16(const Reg &a, const Reg &b) {
        return each<uint16_t>(a, b, [](uint16_t x, uint16_t y) { return x > y ? x - y : 0; });
    }
    static Reg min16(const Reg &a, const Reg &b) {
        return each<uint16_t>(a, b, [](uint16_t x, uint16_t y) { return x < y ? x : y; });
    }
    static Reg madd16(const Reg &a, const Reg &b) {
        int16_t x[8], y[8];
        int32_t sums[4];
        std::memcpy(x, a.bytes, 16);
        std::memcpy(y, b.bytes, 16);
        for (int i = 0; i < 4; ++i) sums[i] = x[2 * i] * y[2 * i] + x[2 * i + 1] * y[2 * i + 1];
        return load(sums);
    }
    template <int N> static Reg srl16(const Reg &a) { return srl16_by(a, N); }
    template <int N> static Reg sll16(const Reg &a) {
        return each<uint16_t>(a, [](uint16_t x) { return x << N; });
    }
    static Reg srl16_by(const Reg &a, int n) {
        return each<uint16_t>(a, [=](uint16_t x) { return n > 15 ? 0 : x >> n; });
    }
    static Reg add32(const Reg &a, const Reg &b) {
        return each<uint32_t>(a, b, [](uint32_t x, uint32_t y) { return x + y; });
    }
    static Reg sub32(const Reg &a, const Reg &b) {
        return each<uint32_t>(a, b, [](uint32_t x, uint32_t y) { return x - y; });
    }
    static Reg mul32(const Reg &a, const Reg &b) {
        return each<uint32_t>(a, b, [](uint32_t x, uint32_t y) { return x * y; });
    }
    static Reg min32(const Reg &a, const Reg &b) {
        return each<int32_t>(a, b, [](int32_t x, int32_t y) { return x < y ? x : y; });
    }
    static Reg max32(const Reg &a, const Reg &b) {
        return each<int32_t>(a, b, [](int32_t x, int32_t y) { return x > y ? x : y; });
    }
    template <int N> static Reg srl32(const Reg &a) {
        return each<uint32_t>(a, [](uint32_t x) { return x >> N; });
    }
    template <int N> static Reg sll32(const Reg &a) { return sll32_by(a, N); }
    template <int N> static Reg sra32(const Reg &a) {
        return each<int32_t>(a, [](int32_t x) { return x >> N; });
    }
    static Reg sll32_by(const Reg &a, int n) {
        return each<uint32_t>(a, [=](uint32_t x) { return n > 31 ? 0 : x << n; });
    }
    static Reg sra32_each(const Reg &a, const Reg &n) {
        return each<int32_t>(a, n, [](int32_t x, int32_t by) { return x >> (by > 31 ? 31 : by); });
    }
    static Reg mul_high16(const Reg &a, const Reg &b) {
        return each<uint16_t>(a, b, [](uint32_t x, uint32_t y) { return x * y >> 16; });
    }
    static Reg bits_and(const Reg &a, const Reg &b) {
        return each<uint32_t>(a, b, [](uint32_t x, uint32_t y) { return x & y; });
    }
    static Reg bits_or(const Reg &a, const Reg &b) {
        return each<uint32_t>(a, b, [](uint32_t x, uint32_t y) { return x | y; });
    }
    static Reg bits_xor(const Reg &a, const Reg &b) {
        return each<uint32_t>(a, b, [](uint32_t x, uint32_t y) { return x ^ y; });
    }
    static Reg set_f(float a) {
        return each<float>(Reg{}, [=](float) { return a; });
    }
    static Reg to_float(const Reg &a) {
        int32_t x[4];
        float y[4];
        std::memcpy(x, a.bytes, 16);
        for (int i = 0; i < 4; ++i) y[i] = float(x[i]);
        return load(y);
    }
    static Reg rounded(const Reg &a) {
        float x[4];
        int32_t y[4];
        std::memcpy(x, a.bytes, 16);
        for (int i = 0; i < 4; ++i) y[i] = int32_t(std::nearbyint(x[i]));
        return load(y);
    }
    static Reg add_f(const Reg &a, const Reg &b) {
        return each<float>(a, b, [](float x, float y) { return x + y; });
    }
    static Reg sub_f(const Reg &a, const Reg &b) {
        return each<float>(a, b, [](float x, float y) { return x - y; });
    }
    static Reg mul_f(const Reg &a, const Reg &b) {
        return each<float>(a, b, [](float x, float y) { return x * y; });
    }
    static Reg max_f(const Reg &a, const Reg &b) {
        return each<float>(a, b, [](float x, float y) { return x > y ? x : y; });
    }
    static Reg sqrt_f(const Reg &a) {
        return each<float>(a, [](float x) { return std::sqrt(x); });
    }
};
#include "lookup.hpp"
}  // namespace
extern const Kernels *const PORTABLE = &KERNELS;
