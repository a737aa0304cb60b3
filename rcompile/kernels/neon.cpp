// arm64: 16 lanes, 4 rows a lookup.
#include "common.hpp"
#if defined(__aarch64__)
#include <arm_neon.h>
namespace {
struct Isa {
    using Reg = uint8x16_t;
    static constexpr const char *name = "neon";
    static constexpr int lanes = 16, group = 4;
    static uint16x8_t h(Reg a) { return vreinterpretq_u16_u8(a); }
    static uint32x4_t w(Reg a) { return vreinterpretq_u32_u8(a); }
    static int32x4_t s(Reg a) { return vreinterpretq_s32_u8(a); }
    static float32x4_t f(Reg a) { return vreinterpretq_f32_u8(a); }
    static Reg r(uint16x8_t a) { return vreinterpretq_u8_u16(a); }
    static Reg r(uint32x4_t a) { return vreinterpretq_u8_u32(a); }
    static Reg r(int32x4_t a) { return vreinterpretq_u8_s32(a); }
    static Reg r(float32x4_t a) { return vreinterpretq_u8_f32(a); }
    static Reg zero() { return vdupq_n_u8(0); }
    static Reg load(const void *p) { return vld1q_u8((const uint8_t *)p); }
    static void store(void *p, Reg a) { vst1q_u8((uint8_t *)p, a); }
    static Reg load_table(const uint8_t *p) { return load(p); }
    static Reg lookup(Reg table, Reg index) { return vqtbl1q_u8(table, index); }
    static Reg set16(int32_t a) { return r(vdupq_n_u16(uint16_t(a))); }
    static Reg set32(uint32_t a) { return r(vdupq_n_u32(a)); }
    static Reg add8(Reg a, Reg b) { return vaddq_u8(a, b); }
    static Reg add_sat8(Reg a, Reg b) { return vqaddq_u8(a, b); }
    static Reg sub_sat8(Reg a, Reg b) { return vqsubq_u8(a, b); }
    static Reg min8(Reg a, Reg b) { return vminq_u8(a, b); }
    static Reg madd8(Reg a, Reg b) {
        return r(vpaddq_u16(vmull_u8(vget_low_u8(a), vget_low_u8(b)), vmull_high_u8(a, b)));
    }
    static Reg add16(Reg a, Reg b) { return r(vaddq_u16(h(a), h(b))); }
    static Reg sub16(Reg a, Reg b) { return r(vsubq_u16(h(a), h(b))); }
    static Reg sub_sat16(Reg a, Reg b) { return r(vqsubq_u16(h(a), h(b))); }
    static Reg min16(Reg a, Reg b) { return r(vminq_u16(h(a), h(b))); }
    static Reg madd16(Reg a, Reg b) {
        const int16x8_t x = vreinterpretq_s16_u8(a), y = vreinterpretq_s16_u8(b);
        const int32x4_t low = vmull_s16(vget_low_s16(x), vget_low_s16(y)), high = vmull_high_s16(x, y);
        return r(vpaddq_s32(low, high));
    }
    template <int N> static Reg srl16(Reg a) { return r(vshrq_n_u16(h(a), N)); }
    template <int N> static Reg sll16(Reg a) { return r(vshlq_n_u16(h(a), N)); }
    static Reg srl16_by(Reg a, int n) { return r(vshlq_u16(h(a), vdupq_n_s16(int16_t(-n)))); }
    static Reg add32(Reg a, Reg b) { return r(vaddq_u32(w(a), w(b))); }
    static Reg sub32(Reg a, Reg b) { return r(vsubq_u32(w(a), w(b))); }
    static Reg mul32(Reg a, Reg b) { return r(vmulq_u32(w(a), w(b))); }
    static Reg min32(Reg a, Reg b) { return r(vminq_s32(s(a), s(b))); }
    static Reg max32(Reg a, Reg b) { return r(vmaxq_s32(s(a), s(b))); }
    template <int N> static Reg srl32(Reg a) { return r(vshrq_n_u32(w(a), N)); }
    template <int N> static Reg sll32(Reg a) { return r(vshlq_n_u32(w(a), N)); }
    template <int N> static Reg sra32(Reg a) { return r(vshrq_n_s32(s(a), N)); }
    static Reg sll32_by(Reg a, int n) { return r(vshlq_u32(w(a), vdupq_n_s32(n))); }
    static Reg sra32_each(Reg a, Reg n) { return r(vshlq_s32(s(a), vnegq_s32(s(n)))); }
    static Reg mul_high16(Reg a, Reg b) {
        const uint32x4_t low = vmull_u16(vget_low_u16(h(a)), vget_low_u16(h(b))), high = vmull_high_u16(h(a), h(b));
        return r(vshrn_high_n_u32(vshrn_n_u32(low, 16), high, 16));
    }
    static Reg bits_and(Reg a, Reg b) { return vandq_u8(a, b); }
    static Reg bits_or(Reg a, Reg b) { return vorrq_u8(a, b); }
    static Reg bits_xor(Reg a, Reg b) { return veorq_u8(a, b); }
    static Reg set_f(float a) { return r(vdupq_n_f32(a)); }
    static Reg to_float(Reg a) { return r(vcvtq_f32_s32(s(a))); }
    static Reg rounded(Reg a) { return r(vcvtnq_s32_f32(f(a))); }
    static Reg add_f(Reg a, Reg b) { return r(vaddq_f32(f(a), f(b))); }
    static Reg sub_f(Reg a, Reg b) { return r(vsubq_f32(f(a), f(b))); }
    static Reg mul_f(Reg a, Reg b) { return r(vmulq_f32(f(a), f(b))); }
    static Reg max_f(Reg a, Reg b) { return r(vmaxq_f32(f(a), f(b))); }
    static Reg sqrt_f(Reg a) { return r(vsqrtq_f32(f(a))); }
};
#include "lookup.hpp"
}  // namespace
extern const Kernels *const NEON = &KERNELS;
#else
extern const Kernels *const NEON = nullptr;
#endif
