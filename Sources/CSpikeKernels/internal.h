#ifndef SPIKE_INTERNAL_H
#define SPIKE_INTERNAL_H

#include "CSpikeKernels.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/// Ends the program where what comes next would write past an array: whoever made the job did not keep to the limits.
#define SPIKE_REQUIRE(condition)                                                                                        \
    do {                                                                                                                \
        if (__builtin_expect(!(condition), 0)) {                                                                        \
            fprintf(stderr, "spikelet: a kernel was given more than it takes: %s (%s)\n", #condition, __func__);        \
            abort();                                                                                                    \
        }                                                                                                               \
    } while (0)

#define SPIKE_DECLARE(name, job, avx2, avx512, neon)                                                                    \
    void spike_##name##__scalar(job *);                                                                                 \
    void spike_##name##__##avx2(job *);                                                                                 \
    void spike_##name##__##avx512(job *);                                                                               \
    void spike_##name##__##neon(job *);
SPIKE_KERNELS(SPIKE_DECLARE)

#if defined(__x86_64__)
uint64_t spike_popcount__avx512(const uint64_t *words, size_t count);
#endif

/// Points of an axis, `step` apart, as far as they lie in an input: point `place` at coordinate `at` is the next, `end` is behind the
/// last. Where none does, place is end, and `at` 0.
typedef struct {
    int place, end, at, step;
} spike_walk;

#define SPIKE_EACH(point, walk) for (spike_walk point = walk; point.place < point.end; point.place++, point.at += point.step)

#define SPIKE_INLINE static inline __attribute__((always_inline))

/// How many of `count` points, the first at `first`, lie before `limit`. At a border alone there is something to divide.
SPIKE_INLINE int spike_points_before(int limit, int first, int step, int count) {
    if (first >= limit) return 0;
    return first + (count - 1) * step < limit ? count : (limit - 1 - first) / step + 1;
}

/// Those of the points that lie in 0..<size: mostly all.
SPIKE_INLINE spike_walk spike_walk_inside(int size, int first, int step, int count) {
    if (__builtin_expect(first >= 0 && first + (count - 1) * step < size, 1)) return (spike_walk){0, count, first, step};
    const int begin = spike_points_before(0, first, step, count), end = spike_points_before(size, first, step, count);
    return (spike_walk){begin, end, begin < end ? first + begin * step : 0, step};
}

/// The rows of the kernel that output row y has in the input; the columns, of output column x.
SPIKE_INLINE spike_walk spike_walk_rows(const spike_window *w, int y) {
    return spike_walk_inside(w->height, y * w->stride_y - w->pad_top, w->dilation_y, w->kernel_height);
}

SPIKE_INLINE spike_walk spike_walk_columns(const spike_window *w, int x) {
    return spike_walk_inside(w->width, x * w->stride_x - w->pad_left, w->dilation_x, w->kernel_width);
}

/// The rows of an image that row `out` of a list sees.
SPIKE_INLINE spike_walk spike_walk_list(const spike_list_job *job, int out) {
    const spike_rows rows = job->rows;
    return spike_walk_inside(job->window.out_height, out * rows.stride - rows.pad, rows.dilation, rows.kernel_height);
}

/// For each step, output row, column and row of the kernel, each place of the pixel's window: `pixel` is its first number, `base` the
/// position of channel 0, `entry` where the next entry goes.
#define SPIKE_EACH_PIXEL(type, source, emit)                                                                            \
    const spike_window w = job->window;                                                                                 \
    const spike_strides strides = job->strides;                                                                         \
    const uint32_t column_rows = (uint32_t)job->rows.kernel_height, entry_stride = (uint32_t)job->entry_stride;         \
    const int out_height = job->rows.out_height;                                                                        \
    uint16_t *const entries = job->entries, *entry = entries + job->first_entry;                                        \
    for (int step = job->step_begin; step < job->step_end; step++) {                                                    \
        uint32_t *starts = job->starts + (size_t)step * out_height * (w.out_width + 1);                                 \
        const type *const image = (source) + (size_t)step * strides.step;                                               \
        for (int out = 0; out < out_height; out++) {                                                                    \
            const spike_walk lines = spike_walk_list(job, out);                                                         \
            for (int x = 0; x < w.out_width; x++) {                                                                     \
                const spike_walk columns = spike_walk_columns(&w, x);                                                   \
                *starts++ = (uint32_t)(entry - entries);                                                                \
                SPIKE_EACH(line, lines) {                                                                               \
                    const uint32_t base = ((uint32_t)x * column_rows + (uint32_t)line.place) * entry_stride;            \
                    SPIKE_EACH(row, spike_walk_rows(&w, line.at)) {                                                     \
                        const type *const row_start = image + (size_t)row.at * strides.row;                             \
                        SPIKE_EACH(column, columns) {                                                                   \
                            const type *const pixel = row_start + (size_t)column.at * strides.pixel;                    \
                            emit                                                                                        \
                        }                                                                                               \
                    }                                                                                                   \
                }                                                                                                       \
            }                                                                                                           \
            *starts++ = (uint32_t)(entry - entries);                                                                    \
        }                                                                                                               \
    }                                                                                                                   \
    job->end_entry = (uint32_t)(entry - entries);

/// Where the spikes of a pool's window lie, and (or NULL) which pixels those are: as many as the input has of it.
SPIKE_INLINE int spike_pool_places(const spike_pool *job, int y, int x, size_t *places, size_t *pixels) {
    const spike_window w = job->window;
    const spike_strides strides = job->strides;
    const spike_walk columns = spike_walk_columns(&w, x);
    int count = 0;
    SPIKE_EACH(row, spike_walk_rows(&w, y)) {
        SPIKE_EACH(column, columns) {
            if (pixels) pixels[count] = (size_t)row.at * w.width + column.at;
            places[count++] = (size_t)row.at * strides.row + (size_t)column.at * strides.pixel;
        }
    }
    return count;
}

/// What a membrane is limited to; counts how often that changed something. Without a counter there is nothing to limit.
static inline int32_t spike_limited(int32_t value, uint64_t *count) {
    if (!count) return value;
    if (value > SPIKE_MEMBRANE_LIMIT) {
        *count += 1;
        return SPIKE_MEMBRANE_LIMIT;
    }
    if (value < -SPIKE_MEMBRANE_LIMIT) {
        *count += 1;
        return -SPIKE_MEMBRANE_LIMIT;
    }
    return value;
}

/// The weights of a lane at one place of the kernel; those of the next four channels are 128 bytes further.
static inline const int8_t *spike_dense_weights(const spike_dense *job, int lane, int place) {
    const size_t block = (size_t)(lane / 32) * (size_t)job->places + (size_t)place;
    return job->weights + (block * (size_t)job->groups * 32 + (size_t)(lane % 32)) * 4;
}

/// Gathering and firing, one after the other, by the kernels of an instruction set that has none for both.
#define SPIKE_GATHER_THEN_FIRE(isa)                                                                                     \
    void spike_gather_fire_i8__##isa(const spike_gather_fire *job) {                                                    \
        spike_gather_i8__##isa(&job->gather);                                                                           \
        spike_fire fire = job->fire;                                                                                    \
        fire.current = job->gather.current;                                                                             \
        spike_fire_if_i32__##isa(&fire);                                                                                \
    }

#endif
