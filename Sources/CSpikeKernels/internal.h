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

#define SPIKE_TYPE_gather_f32 const spike_gather
#define SPIKE_TYPE_gather_i8 const spike_gather
#define SPIKE_TYPE_gather_fire_i8 const spike_gather_fire
#define SPIKE_TYPE_dense_i8 const spike_dense
#define SPIKE_TYPE_numbers_u8 const spike_digits
#define SPIKE_TYPE_weighted_i16 const spike_weighted
#define SPIKE_TYPE_counted_f32 const spike_counted
#define SPIKE_TYPE_masked_f32 const spike_masked
#define SPIKE_TYPE_masked_i16 const spike_masked
#define SPIKE_TYPE_scatter_f32 const spike_scatter
#define SPIKE_TYPE_scatter_i32 const spike_scatter
#define SPIKE_TYPE_integrate_f32 const spike_integrate
#define SPIKE_TYPE_integrate_i32 const spike_integrate
#define SPIKE_TYPE_fire_if_f32 const spike_fire
#define SPIKE_TYPE_fire_if_i32 const spike_fire
#define SPIKE_TYPE_fire_signed_f32 const spike_fire
#define SPIKE_TYPE_fire_signed_i32 const spike_fire
#define SPIKE_TYPE_fire_burst_f32 const spike_fire
#define SPIKE_TYPE_fire_burst_i32 const spike_fire
#define SPIKE_TYPE_list_bits spike_list_job
#define SPIKE_TYPE_list_counts spike_list_job
#define SPIKE_TYPE_pool_bits const spike_pool
#define SPIKE_TYPE_pool_counts const spike_pool
#define SPIKE_TYPE_pool_sums const spike_pool_sums
#define SPIKE_TYPE_analog_i32 spike_analog

#define SPIKE_KERNEL(name, suffix, isa) void spike_##name##__##suffix(SPIKE_TYPE_##name *);
#include "kernels.def"
#undef SPIKE_KERNEL

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
