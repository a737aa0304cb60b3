// x86-64 with AVX-512 VBMI: 64 lanes, 6 rows a lookup.
#include "common.hpp"
#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
TARGET_BEGIN("avx512f,avx512bw,avx512vbmi")
namespace {
#include "avx512_registers.hpp"
struct Isa : Isa512 {
    static constexpr const char *name = "avx512_vbmi";
    static constexpr int group = 6;
    static Reg load_table(const uint8_t *p) { return load(p); }
    static Reg lookup(Reg table, Reg index) { return _mm512_permutexvar_epi8(index, table); }
};
#include "lookup.hpp"
}  // namespace
extern const Kernels *const AVX512_VBMI = &KERNELS;
TARGET_END
#else
extern const Kernels *const AVX512_VBMI = nullptr;
#endif
