// Inputs transposed for lookups; included by lookup.hpp.

// Bit r of byte b becomes bit b of byte r (Warren, Hacker's Delight, 7-3).
inline uint64_t transposed(uint64_t x) {
    uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AAull;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCCull;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0ull;
    return x ^ t ^ (t << 28);
}

void pack(const Packing &p) {
    int64_t rows = 0;
    for (int64_t run = 0; run < p.runs; ++run) rows += p.wires[2 * run + 1];
    const int64_t groups = (rows + Isa::group - 1) / Isa::group;
    const int64_t lanes = (p.vectors * p.stride + BLOCK - 1) / BLOCK * BLOCK;
    std::memset(p.index, 0, groups * lanes);
    std::vector<uint8_t> own(rows * p.input_bytes + 16), bytes(rows + 16);
    for (int64_t v = 0; v < p.vectors; ++v) {
        uint8_t *end = own.data();
        for (int64_t run = 0; run < p.runs; ++run) {
            const int64_t size = p.wires[2 * run + 1] * p.input_bytes;
            std::memcpy(end, p.inputs + v * p.row_bytes + p.wires[2 * run] * p.input_bytes, size);
            end += size;
        }
        for (int byte = 0; byte < p.input_bytes; ++byte) {
            const uint8_t *source = own.data();
            if (p.input_bytes == 2) {
                for (int64_t r = 0; r < rows; ++r) bytes[r] = own[2 * r + byte];
                source = bytes.data();
            }
            const int first = 8 * byte, count = p.stride - first < 8 ? p.stride - first : 8;
            const int64_t lane = v * p.stride + first;
            const bool whole = count == 8 && lane % 8 == 0;
            const int64_t step = 8 / Isa::group * Isa::group;  // rows of one transposition: 8 of 4, 6 of 6
            for (int64_t r = 0; r < rows; r += step) {
                uint64_t x = 0;
                std::memcpy(&x, source + r, rows - r < step ? rows - r : step);
                x = transposed(x);
                for (int64_t g = r / Isa::group; g < groups && g < (r + step) / Isa::group; ++g) {
                    const uint64_t own_bits = x & (0x0101010101010101ull * (TABLE - 1));
                    x >>= Isa::group;
                    if (whole) {
                        std::memcpy(p.index + (lane / BLOCK * groups + g) * BLOCK + lane % BLOCK, &own_bits, 8);
                        continue;
                    }
                    for (int b = 0; b < count; ++b) {
                        const int64_t n = lane + b;
                        p.index[(n / BLOCK * groups + g) * BLOCK + n % BLOCK] = uint8_t(own_bits >> (8 * b));
                    }
                }
            }
        }
    }
}
