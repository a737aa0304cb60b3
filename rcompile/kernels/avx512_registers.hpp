// 512-bit registers: all but the lookup, which avx512.cpp and avx512_vbmi.cpp add.
struct Isa512 {
    using Reg = __m512i;
    static constexpr int lanes = 64;
    static Reg zero() { return _mm512_setzero_si512(); }
    static Reg load(const void *p) { return _mm512_loadu_si512(p); }
    static void store(void *p, Reg a) { _mm512_storeu_si512(p, a); }
    static Reg set16(int32_t a) { return _mm512_set1_epi16(int16_t(a)); }
    static Reg set32(uint32_t a) { return _mm512_set1_epi32(int32_t(a)); }
    static Reg add8(Reg a, Reg b) { return _mm512_add_epi8(a, b); }
    static Reg add_sat8(Reg a, Reg b) { return _mm512_adds_epu8(a, b); }
    static Reg sub_sat8(Reg a, Reg b) { return _mm512_subs_epu8(a, b); }
    static Reg min8(Reg a, Reg b) { return _mm512_min_epu8(a, b); }
    static Reg madd8(Reg a, Reg b) { return _mm512_maddubs_epi16(a, b); }
    static Reg add16(Reg a, Reg b) { return _mm512_add_epi16(a, b); }
    static Reg sub16(Reg a, Reg b) { return _mm512_sub_epi16(a, b); }
    static Reg sub_sat16(Reg a, Reg b) { return _mm512_subs_epu16(a, b); }
    static Reg min16(Reg a, Reg b) { return _mm512_min_epu16(a, b); }
    static Reg madd16(Reg a, Reg b) { return _mm512_madd_epi16(a, b); }
    template <int N> static Reg srl16(Reg a) { return _mm512_srli_epi16(a, N); }
    template <int N> static Reg sll16(Reg a) { return _mm512_slli_epi16(a, N); }
    static Reg srl16_by(Reg a, int n) { return _mm512_srl_epi16(a, _mm_cvtsi32_si128(n)); }
    static Reg add32(Reg a, Reg b) { return _mm512_add_epi32(a, b); }
    static Reg sub32(Reg a, Reg b) { return _mm512_sub_epi32(a, b); }
    static Reg mul32(Reg a, Reg b) { return _mm512_mullo_epi32(a, b); }
    static Reg min32(Reg a, Reg b) { return _mm512_min_epi32(a, b); }
    static Reg max32(Reg a, Reg b) { return _mm512_max_epi32(a, b); }
    template <int N> static Reg srl32(Reg a) { return _mm512_srli_epi32(a, N); }
    template <int N> static Reg sll32(Reg a) { return _mm512_slli_epi32(a, N); }
    template <int N> static Reg sra32(Reg a) { return _mm512_srai_epi32(a, N); }
    static Reg mul_high16(Reg a, Reg b) { return _mm512_mulhi_epu16(a, b); }
    static Reg sra32_each(Reg a, Reg n) { return _mm512_srav_epi32(a, n); }
    static Reg sll32_by(Reg a, int n) { return _mm512_sll_epi32(a, _mm_cvtsi32_si128(n)); }
    static Reg bits_and(Reg a, Reg b) { return _mm512_and_si512(a, b); }
    static Reg bits_or(Reg a, Reg b) { return _mm512_or_si512(a, b); }
    static Reg bits_xor(Reg a, Reg b) { return _mm512_xor_si512(a, b); }
    static __m512 f(Reg a) { return _mm512_castsi512_ps(a); }
    static Reg i(__m512 a) { return _mm512_castps_si512(a); }
    static Reg set_f(float a) { return i(_mm512_set1_ps(a)); }
    static Reg to_float(Reg a) { return i(_mm512_cvtepi32_ps(a)); }
    static Reg rounded(Reg a) { return _mm512_cvtps_epi32(f(a)); }
    static Reg add_f(Reg a, Reg b) { return i(_mm512_add_ps(f(a), f(b))); }
    static Reg sub_f(Reg a, Reg b) { return i(_mm512_sub_ps(f(a), f(b))); }
    static Reg mul_f(Reg a, Reg b) { return i(_mm512_mul_ps(f(a), f(b))); }
    static Reg max_f(Reg a, Reg b) { return i(_mm512_max_ps(f(a), f(b))); }
    static Reg sqrt_f(Reg a) { return i(_mm512_sqrt_ps(f(a))); }
};
