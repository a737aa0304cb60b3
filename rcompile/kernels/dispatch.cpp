// What Python calls (kernels/library.py): instruction sets by number, the best one first.
#include "common.hpp"

extern const Kernels *const AVX512_VBMI;
extern const Kernels *const AVX512;
extern const Kernels *const AVX2;
extern const Kernels *const NEON;
extern const Kernels *const PORTABLE;

namespace {
struct Choice {
    const Kernels *kernels;
    bool runs;
};

const std::vector<Choice> &choices() {
    static const std::vector<Choice> all = [] {
        bool vbmi = false, avx512 = false, avx2 = false;
#if defined(__x86_64__) && defined(__GNUC__)
        __builtin_cpu_init();
        avx2 = __builtin_cpu_supports("avx2");
        avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
        vbmi = avx512 && __builtin_cpu_supports("avx512vbmi");
#endif
        std::vector<Choice> found;
        for (const Choice &c : {Choice{AVX512_VBMI, vbmi}, Choice{AVX512, avx512}, Choice{AVX2, avx2},
                                Choice{NEON, true}, Choice{PORTABLE, true}})
            if (c.kernels) found.push_back(c);
        return found;
    }();
    return all;
}
}  // namespace

#if defined(_WIN32)
#define EXPORT extern "C" __declspec(dllexport)
#else
#define EXPORT extern "C" __attribute__((visibility("default")))
#endif

EXPORT int32_t rcompile_count() { return int32_t(choices().size()); }
EXPORT const char *rcompile_name(int32_t n) { return choices()[n].kernels->name; }
EXPORT int32_t rcompile_runs(int32_t n) { return choices()[n].runs; }
EXPORT int32_t rcompile_group(int32_t n) { return choices()[n].kernels->group; }
EXPORT int32_t rcompile_block(int32_t n) { return choices()[n].kernels->block; }
EXPORT void rcompile_pack(int32_t n, const Packing *p) { choices()[n].kernels->pack(*p); }
EXPORT void rcompile_read(int32_t n, const Reading *r) { choices()[n].kernels->read(*r); }
EXPORT void rcompile_normals(int32_t n, const Drawing *d) { choices()[n].kernels->normals(*d); }
