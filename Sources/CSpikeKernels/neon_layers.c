#include "internal.h"

#if defined(__aarch64__)
#include <arm_neon.h>

#if defined(__linux__)
#include <sys/auxv.h>
#endif

#include "layers.inc"

#define TOGETHER 4

/// Two products fit 16 bits, since numbers are below 128; so do not four: they are added in 32.
SPIKE_INLINE int32x4_t add_products(int32x4_t sum, int8x16_t a, int8x16_t b) {
    const int16x8_t low = vmull_s8(vget_low_s8(a), vget_low_s8(b)), high = vmull_high_s8(a, b);
    return vaddq_s32(sum, vpaddq_s32(vpaddlq_s16(low), vpaddlq_s16(high)));
}

#define SPIKE_NAMED(name) name
#define SPIKE_TARGET
#define SPIKE_ADD_PRODUCTS add_products
#include "neon_layers.inc"
#undef SPIKE_NAMED
#undef SPIKE_TARGET
#undef SPIKE_ADD_PRODUCTS

// The same with products of four bytes in one instruction.
#define SPIKE_NAMED(name) name##_dot
#if defined(__clang__)
#define SPIKE_TARGET __attribute__((target("dotprod")))
#else
#define SPIKE_TARGET __attribute__((target("arch=armv8.2-a+dotprod")))
#endif
#define SPIKE_ADD_PRODUCTS vdotq_s32
#include "neon_layers.inc"

static bool has_products_of_four(void) {
#if defined(__APPLE__)
    return true;
#elif defined(__linux__)
    return getauxval(AT_HWCAP) >> 20 & 1; // HWCAP_ASIMDDP
#else
    return false;
#endif
}

void spike_layer_u8__neon(const spike_layer *job) {
    if (has_products_of_four()) {
        layer_dot(job);
    } else {
        layer(job);
    }
}
#else
typedef int spike_neon_layers_is_for_arm64;
#endif
