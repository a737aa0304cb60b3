// From codes to sums of vectors; included by lookup.hpp.

// Adds the codes of an output, (phases, lanes / 4), to its sums: UNITS numbers a vector, each counting 16 times the last.
template <int UNITS> void add_units(const int32_t *codes, int64_t vectors, double *sums) {
    for (int64_t v = 0; v < vectors; ++v) {
        double total = 0;
        for (int u = UNITS; u-- > 0;) total = 16 * total + codes[v * UNITS + u];
        sums[v] += total;
    }
}

// The same in two phases: each vector has one number.
void add_phases(const int32_t *codes, int64_t quads, int64_t vectors, double *sums) {
    for (int64_t v = 0; v < vectors; ++v) sums[v] += codes[v % 2 * quads + v / 2];
}

// What codes count, of the outputs that are at work; columns are in order of their outputs.
class Totals {
  public:
    explicit Totals(const Reading &r) : r(r), phases(r.stride == 2 ? 2 : 1), begun(-1) {
        static thread_local std::vector<int32_t> kept;
        kept.resize(SLOTS * phases * (r.lanes / 4));
        counted = kept.data();
    }

    // Makes room for the outputs of columns first..first+count-1.
    void begin(int first, int count) {
        for (; begun < r.output[first + count - 1]; ++begun)
            std::memset(slot(begun + 1), 0, sizeof(int32_t) * phases * (r.lanes / 4));
    }

    // Adds what has been counted for outputs that have no more columns.
    void end(int first, int count) {
        const int next = first + count < r.columns ? r.output[first + count] : r.outputs;
        for (int output = r.output[first]; output < next && output <= begun; ++output) {
            double *sums = r.sums + r.places[output] * r.vectors;
            if (phases == 2)
                add_phases(slot(output), r.lanes / 4, r.vectors, sums);
            else if (r.stride == 4)
                add_units<1>(slot(output), r.vectors, sums);
            else if (r.stride == 8)
                add_units<2>(slot(output), r.vectors, sums);
            else
                add_units<4>(slot(output), r.vectors, sums);
        }
    }

    const Reading &r;
    const int phases;
    int32_t *counted;

  private:
    int32_t *slot(int output) { return counted + int64_t(output % SLOTS) * phases * (r.lanes / 4); }

    int begun;  // the last output for which there is room
};
