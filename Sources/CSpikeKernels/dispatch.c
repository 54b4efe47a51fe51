#include "internal.h"

#include <stdlib.h>

// Which kernels run: one table for each instruction set, as kernels.def says.

#define SPIKE_IN_SCALAR(name, job, avx2, avx512, neon) .name = spike_##name##__scalar,
#define SPIKE_IN_AVX2(name, job, avx2, avx512, neon) .name = spike_##name##__##avx2,
#define SPIKE_IN_AVX512(name, job, avx2, avx512, neon) .name = spike_##name##__##avx512,
#define SPIKE_IN_NEON(name, job, avx2, avx512, neon) .name = spike_##name##__##neon,

static const spike_kernel_table tables[SPIKE_ISA_COUNT] = {
    [SPIKE_ISA_SCALAR] = {SPIKE_KERNELS(SPIKE_IN_SCALAR)},
#if defined(__x86_64__)
    [SPIKE_ISA_AVX2] = {SPIKE_KERNELS(SPIKE_IN_AVX2)},
    [SPIKE_ISA_AVX512] = {SPIKE_KERNELS(SPIKE_IN_AVX512)},
#elif defined(__aarch64__)
    [SPIKE_ISA_NEON] = {SPIKE_KERNELS(SPIKE_IN_NEON)},
#endif
};

enum { isa_scalar = SPIKE_ISA_SCALAR, isa_avx2 = SPIKE_ISA_AVX2, isa_avx512 = SPIKE_ISA_AVX512, isa_neon = SPIKE_ISA_NEON };

#define SPIKE_WIDEST(name, job, avx2, avx512, neon)                                                                     \
    _Static_assert(isa_##avx512 != isa_scalar || isa_##avx2 == isa_scalar, "AVX-512 runs plain C where AVX2 has " #name);
SPIKE_KERNELS(SPIKE_WIDEST)

#define SPIKE_LISTED(name, job, avx2, avx512, neon)                                                                     \
    {#name, {[SPIKE_ISA_AVX2] = isa_##avx2, [SPIKE_ISA_AVX512] = isa_##avx512, [SPIKE_ISA_NEON] = isa_##neon}},
static const struct {
    const char *name;
    uint8_t runs[SPIKE_ISA_COUNT];
} kernels[] = {SPIKE_KERNELS(SPIKE_LISTED)};

size_t spike_kernel_count(void) { return sizeof kernels / sizeof kernels[0]; }

const char *spike_kernel_name(size_t kernel) {
    SPIKE_REQUIRE(kernel < spike_kernel_count());
    return kernels[kernel].name;
}

spike_isa spike_kernel_isa(size_t kernel, spike_isa isa) {
    SPIKE_REQUIRE(kernel < spike_kernel_count() && isa < SPIKE_ISA_COUNT);
    return (spike_isa)kernels[kernel].runs[isa];
}

bool spike_isa_supported(spike_isa isa) {
    switch (isa) {
    case SPIKE_ISA_SCALAR: return true;
#if defined(__x86_64__)
    case SPIKE_ISA_AVX2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case SPIKE_ISA_AVX512:
        return spike_isa_supported(SPIKE_ISA_AVX2) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vnni");
#endif
#if defined(__aarch64__)
    case SPIKE_ISA_NEON: return true;
#endif
    default: return false;
    }
}

const char *spike_isa_name(spike_isa isa) {
    static const char *const names[] = {"scalar", "avx2", "neon", "avx512"};
    return isa < SPIKE_ISA_COUNT ? names[isa] : "unknown";
}

spike_isa spike_isa_default(void) {
    const char *wanted = getenv("SPIKELET_ISA");
    if (wanted) {
        for (spike_isa isa = SPIKE_ISA_SCALAR; isa < SPIKE_ISA_COUNT; isa++) {
            if (strcmp(wanted, spike_isa_name(isa)) == 0 && spike_isa_supported(isa)) return isa;
        }
    }
    for (spike_isa isa = SPIKE_ISA_COUNT; isa-- > SPIKE_ISA_SCALAR;) {
        if (spike_isa_supported(isa)) return isa;
        if (isa == SPIKE_ISA_SCALAR) break;
    }
    return SPIKE_ISA_SCALAR;
}

const spike_kernel_table *spike_table(spike_isa isa) { return &tables[spike_isa_supported(isa) ? isa : SPIKE_ISA_SCALAR]; }
