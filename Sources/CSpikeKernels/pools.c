#include "internal.h"

// Max pooling of spike trains. Running maximum: Σ ← g·Σ + s, emits max Σ − g·(max Σ before).

/// What one input place adds in a step: 1, 0 or −1, or a count.
static inline int spike_at(const spike_pool *job, size_t place, int c) {
    if (job->counts) return job->counts[place + (size_t)c];
    const size_t byte = place + (size_t)(c >> 3);
    const int plus = job->plus[byte] >> (c & 7) & 1;
    return job->minus ? plus - (job->minus[byte] >> (c & 7) & 1) : plus;
}

static void spike_pool_plain(const spike_pool *given) {
    // A copy: bytes that are written could be part of the job, which would be read again for each of them.
    const spike_pool copy = *given, *const job = &copy;
    const spike_window w = job->window;
    SPIKE_REQUIRE((int64_t)w.kernel_height * w.kernel_width <= SPIKE_LARGEST_POOL);
    size_t places[SPIKE_LARGEST_POOL], pixels[SPIKE_LARGEST_POOL];
    int32_t sums[SPIKE_LARGEST_POOL];
    for (int y = job->row_begin; y < job->row_end; y++) {
        for (int x = 0; x < w.out_width; x++) {
            const int count = spike_pool_places(job, y, x, places, pixels);
            // Nothing but padding has no maximum.
            if (count == 0) continue;
            const size_t out = (size_t)y * job->out_strides.row + (size_t)x * job->out_strides.pixel;
            for (int c = 0; c < job->channels; c++) {
                int before = INT32_MIN;
                for (int p = 0; p < count; p++) {
                    sums[p] = job->sums ? job->sums[pixels[p] * (size_t)job->sum_stride + (size_t)c] : 0;
                    if (sums[p] > before) before = sums[p];
                }
                for (int step = 0; step < job->steps; step++) {
                    int most = INT32_MIN;
                    for (int p = 0; p < count; p++) {
                        const int spike = spike_at(job, (size_t)step * job->strides.step + places[p], c);
                        sums[p] = job->instantaneous ? spike : job->growth * sums[p] + spike;
                        if (sums[p] > most) most = sums[p];
                    }
                    const int emitted = job->instantaneous ? most : most - job->growth * before;
                    before = most;
                    const size_t target = (size_t)step * job->out_strides.step + out;
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

void spike_pool_bits__scalar(const spike_pool *job) { spike_pool_plain(job); }

void spike_pool_counts__scalar(const spike_pool *job) { spike_pool_plain(job); }

void spike_pool_sums__scalar(const spike_pool_sums *job) {
    for (int y = 0; y < job->height; y++) {
        for (int x = 0; x < job->width; x++) {
            int32_t *sums = job->sums + ((size_t)y * job->width + x) * (size_t)job->sum_stride;
            for (int step = 0; step < job->steps; step++) {
                const size_t place =
                    (size_t)step * job->strides.step + (size_t)y * job->strides.row + (size_t)x * job->strides.pixel;
                for (int c = 0; c < job->channels; c++) {
                    int32_t sum = sums[c] * job->growth;
                    if (job->counts) {
                        sum += job->counts[place + (size_t)c];
                    } else {
                        sum += job->plus[place + (size_t)(c >> 3)] >> (c & 7) & 1;
                        if (job->minus) sum -= job->minus[place + (size_t)(c >> 3)] >> (c & 7) & 1;
                    }
                    sums[c] = sum;
                }
            }
        }
    }
}
