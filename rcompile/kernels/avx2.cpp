// x86-64 with AVX2: 32 lanes, 4 rows a lookup.
#include "common.hpp"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
TARGET_BEGIN("avx2")
namespace {
struct Isa {
    using Reg = __m256i;
    static constexpr const char *name = "avx2";
    static constexpr int lanes = 32, group = 4;
    static Reg zero() { return _mm256_setzero_si256(); }
    static Reg load(const void *p) { return _mm256_loadu_si256((const Reg *)p); }
    static void store(void *p, Reg a) { _mm256_storeu_si256((Reg *)p, a); }
    static Reg load_table(const uint8_t *p) { return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)p)); }
    static Reg lookup(Reg table, Reg index) { return _mm256_shuffle_epi8(table, index); }
    static Reg set16(int32_t a) { return _mm256_set1_epi16(int16_t(a)); }
    static Reg set32(uint32_t a) { return _mm256_set1_epi32(int32_t(a)); }
    static Reg add8(Reg a, Reg b) { return _mm256_add_epi8(a, b); }
    static Reg add_sat8(Reg a, Reg b) { return _mm256_adds_epu8(a, b); }
    static Reg sub_sat8(Reg a, Reg b) { return _mm256_subs_epu8(a, b); }
    static Reg min8(Reg a, Reg b) { return _mm256_min_epu8(a, b); }
    static Reg madd8(Reg a, Reg b) { return _mm256_maddubs_epi16(a, b); }
    static Reg add16(Reg a, Reg b) { return _mm256_add_epi16(a, b); }
    static Reg sub16(Reg a, Reg b) { return _mm256_sub_epi16(a, b); }
    static Reg sub_sat16(Reg a, Reg b) { return _mm256_subs_epu16(a, b); }
    static Reg min16(Reg a, Reg b) { return _mm256_min_epu16(a, b); }
    static Reg madd16(Reg a, Reg b) { return _mm256_madd_epi16(a, b); }
    template <int N> static Reg srl16(Reg a) { return _mm256_srli_epi16(a, N); }
    template <int N> static Reg sll16(Reg a) { return _mm256_slli_epi16(a, N); }
    static Reg srl16_by(Reg a, int n) { return _mm256_srl_epi16(a, _mm_cvtsi32_si128(n)); }
    static Reg add32(Reg a, Reg b) { return _mm256_add_epi32(a, b); }
    static Reg sub32(Reg a, Reg b) { return _mm256_sub_epi32(a, b); }
    static Reg mul32(Reg a, Reg b) { return _mm256_mullo_epi32(a, b); }
    static Reg min32(Reg a, Reg b) { return _mm256_min_epi32(a, b); }
    static Reg max32(Reg a, Reg b) { return _mm256_max_epi32(a, b); }
    template <int N> static Reg srl32(Reg a) { return _mm256_srli_epi32(a, N); }
    template <int N> static Reg sll32(Reg a) { return _mm256_slli_epi32(a, N); }
    template <int N> static Reg sra32(Reg a) { return _mm256_srai_epi32(a, N); }
    static Reg mul_high16(Reg a, Reg b) { return _mm256_mulhi_epu16(a, b); }
    static Reg sra32_each(Reg a, Reg n) { return _mm256_srav_epi32(a, n); }
    static Reg sll32_by(Reg a, int n) { return _mm256_sll_epi32(a, _mm_cvtsi32_si128(n)); }
    static Reg bits_and(Reg a, Reg b) { return _mm256_and_si256(a, b); }
    static Reg bits_or(Reg a, Reg b) { return _mm256_or_si256(a, b); }
    static Reg bits_xor(Reg a, Reg b) { return _mm256_xor_si256(a, b); }
    static __m256 f(Reg a) { return _mm256_castsi256_ps(a); }
    static Reg i(__m256 a) { return _mm256_castps_si256(a); }
    static Reg set_f(float a) { return i(_mm256_set1_ps(a)); }
    static Reg to_float(Reg a) { return i(_mm256_cvtepi32_ps(a)); }
    static Reg rounded(Reg a) { return _mm256_cvtps_epi32(f(a)); }
    static Reg add_f(Reg a, Reg b) { return i(_mm256_add_ps(f(a), f(b))); }
    static Reg sub_f(Reg a, Reg b) { return i(_mm256_sub_ps(f(a), f(b))); }
    static Reg mul_f(Reg a, Reg b) { return i(_mm256_mul_ps(f(a), f(b))); }
    static Reg max_f(Reg a, Reg b) { return i(_mm256_max_ps(f(a), f(b))); }
    static Reg sqrt_f(Reg a) { return i(_mm256_sqrt_ps(f(a))); }
};
#include "lookup.hpp"
}  // namespace
extern const Kernels *const AVX2 = &KERNELS;
TARGET_END
#else
extern const Kernels *const AVX2 = nullptr;
#endif
