// x86-64 with AVX-512 F and BW: 64 lanes, 4 rows a lookup.
#include "common.hpp"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
TARGET_BEGIN("avx512f,avx512bw")
namespace {
#include "avx512_registers.hpp"
struct Isa : Isa512 {
    static constexpr const char *name = "avx512";
    static constexpr int group = 4;
    static Reg load_table(const uint8_t *p) { return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)p)); }
    static Reg lookup(Reg table, Reg index) { return _mm512_shuffle_epi8(table, index); }
};
#include "lookup.hpp"
}  // namespace
extern const Kernels *const AVX512 = &KERNELS;
TARGET_END
#else
extern const Kernels *const AVX512 = nullptr;
#endif
