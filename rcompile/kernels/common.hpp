// What all instruction sets include before their own flags, so that no inline function of the library is compiled twice.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels.h"

#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define TARGET_BEGIN(flags) PRAGMA(clang attribute push(__attribute__((target(flags))), apply_to = function))
#define TARGET_END PRAGMA(clang attribute pop)
#else
#define TARGET_BEGIN(flags) PRAGMA(GCC push_options) PRAGMA(GCC target(flags))
#define TARGET_END PRAGMA(GCC pop_options)
#endif

// Of float32 polynomials: log2(m) on [1, 2), cos and sin(t pi / 4) / t of t^2 on [0, 1]; the same in devices/normals.py.
constexpr float NORMAL_LOG[6] = {0.04514900594949722f, -0.419320672750473f,  1.6413986682891846f,
                                 -3.5688583850860596f, 5.106975555419922f, -2.8053441047668457f};
constexpr float NORMAL_COS[3] = {0.015371935442090034f, -0.3082452416419983f, 0.9999900460243225f};
constexpr float NORMAL_SIN[3] = {0.0024360583629459143f, -0.08072520047426224f, 0.7853970527648926f};
