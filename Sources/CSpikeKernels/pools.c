#include "internal.h"

// Max pooling of spike trains. Running maximum: Σ ← g·Σ + s, emits max Σ − g·(max Σ before).

/// What one input place adds in a step: 1, 0 or −1, or a count.
static inline int spike_at(const spike_pool *job, size_t place, int c) {
    if (job->counts) return job->counts[place + (size_t)c];
    const size_t byte = place + (size_t)(c >> 3);
    const int plus = job->plus[byte] >> (c & 7) & 1;
    return job->minus ? plus - (job->minus[byte] >> (c & 7) & 1) : plus;
}

/// Whether `lanes` channels from c on are 0 at all places in a step. Channels begin with a byte of bits.
static inline int spike_is_silent(const spike_pool *job, size_t step, const size_t *places, int count, int c, int lanes) {
    uint64_t any = 0;
    for (int p = 0; p < count; p++) {
        const size_t place = step + places[p];
        if (!job->counts) {
            any |= job->plus[place + (size_t)(c >> 3)];
            if (job->minus) any |= job->minus[place + (size_t)(c >> 3)];
        } else {
            for (int lane = 0; lane < lanes; lane++) any |= (uint16_t)job->counts[place + (size_t)(c + lane)];
        }
    }
    return !any;
}

/// The channels that are taken together: a byte of bits, or half a register of counts.
enum { SPIKE_POOL_LANES = 8 };

static void spike_pool_plain(const spike_pool *given) {
    // A copy: bytes that are written could be part of the job, which would be read again for each of them.
    const spike_pool copy = *given, *const job = &copy;
    const spike_window w = job->window;
    SPIKE_REQUIRE((int64_t)w.kernel_height * w.kernel_width <= SPIKE_LARGEST_POOL);
    size_t places[SPIKE_LARGEST_POOL], pixels[SPIKE_LARGEST_POOL];
    int32_t sums[SPIKE_POOL_LANES][SPIKE_LARGEST_POOL];
    int before[SPIKE_POOL_LANES];
    // Where nothing arrives nothing changes, and nothing is emitted.
    const int skips = job->instantaneous || job->growth == 1;
    for (int y = job->row_begin; y < job->row_end; y++) {
        for (int x = 0; x < w.out_width; x++) {
            const int count = spike_pool_places(job, y, x, places, pixels);
            // Nothing but padding has no maximum.
            if (count == 0) continue;
            const size_t out = (size_t)y * job->out_strides.row + (size_t)x * job->out_strides.pixel;
            for (int first = 0; first < job->channels; first += SPIKE_POOL_LANES) {
                const int lanes = job->channels - first < SPIKE_POOL_LANES ? job->channels - first : SPIKE_POOL_LANES;
                for (int lane = 0; lane < lanes; lane++) {
                    before[lane] = INT32_MIN;
                    for (int p = 0; p < count; p++) {
                        sums[lane][p] = job->sums ? job->sums[pixels[p] * (size_t)job->sum_stride + (size_t)(first + lane)] : 0;
                        if (sums[lane][p] > before[lane]) before[lane] = sums[lane][p];
                    }
                }
                for (int step = 0; step < job->steps; step++) {
                    const size_t source = (size_t)step * job->strides.step;
                    const size_t target = (size_t)step * job->out_strides.step + out;
                    if (skips && spike_is_silent(job, source, places, count, first, lanes)) {
                        if (job->out_counts) memset(job->out_counts + target + first, 0, (size_t)lanes * sizeof(int16_t));
                        continue;
                    }
                    for (int lane = 0; lane < lanes; lane++) {
                        const int c = first + lane;
                        int most = INT32_MIN;
                        for (int p = 0; p < count; p++) {
                            const int spike = spike_at(job, source + places[p], c);
                            sums[lane][p] = job->instantaneous ? spike : job->growth * sums[lane][p] + spike;
                            if (sums[lane][p] > most) most = sums[lane][p];
                        }
                        const int emitted = job->instantaneous ? most : most - job->growth * before[lane];
                        before[lane] = most;
                        if (job->out_counts) {
                            job->out_counts[target + (size_t)c] = (int16_t)emitted;
                        } else {
                            const uint8_t bit = (uint8_t)(1 << (c & 7));
                            if (emitted > 0) job->out_plus[target + (size_t)(c >> 3)] |= bit;
                            if (emitted < 0) job->out_minus[target + (size_t)(c >> 3)] |= bit;
                        }
                    }
                }
            }
        }
    }
}

void spike_pool_bits__scalar(const spike_pool *job) { spike_pool_plain(job); }

void spike_pool_counts__scalar(const spike_pool *job) { spike_pool_plain(job); }

void spike_pool_sums__scalar(const spike_pool_sums *job) {
    for (int y = 0; y < job->height; y++) {
        for (int x = 0; x < job->width; x++) {
            int32_t *sums = job->sums + ((size_t)y * job->width + x) * (size_t)job->sum_stride;
            for (int step = 0; step < job->steps; step++) {
                const size_t place =
                    (size_t)step * job->strides.step + (size_t)y * job->strides.row + (size_t)x * job->strides.pixel;
                if (job->growth != 1) {
                    for (int c = 0; c < job->channels; c++) sums[c] *= job->growth;
                }
                if (job->counts) {
                    for (int c = 0; c < job->channels; c++) sums[c] += job->counts[place + (size_t)c];
                    continue;
                }
                for (int byte = 0; byte * 8 < job->channels; byte++) {
                    const int lanes = job->channels - byte * 8 < 8 ? job->channels - byte * 8 : 8;
                    const unsigned inside = (1u << lanes) - 1;
                    for (unsigned some = job->plus[place + (size_t)byte] & inside; some; some &= some - 1) {
                        sums[byte * 8 + __builtin_ctz(some)]++;
                    }
                    if (!job->minus) continue;
                    for (unsigned some = job->minus[place + (size_t)byte] & inside; some; some &= some - 1) {
                        sums[byte * 8 + __builtin_ctz(some)]--;
                    }
                }
            }
        }
    }
}
