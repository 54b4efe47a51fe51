#include "internal.h"

#include <stdlib.h>

// Which kernels run: one table for each instruction set, filled from kernels.def.

static const spike_registration registrations[] = {
#define SPIKE_KERNEL(name, suffix, isa) {#name, SPIKE_ISA_##isa},
#include "kernels.def"
#undef SPIKE_KERNEL
    {NULL, SPIKE_ISA_SCALAR},
};

const spike_registration *spike_registrations(void) { return registrations; }

// Later lines replace earlier ones where an initialiser names a place twice: the plain kernels come first.
#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Winitializer-overrides"
static const spike_kernel_table scalar_table = {
#define SPIKE_PICK_SCALAR(name, suffix) .name = spike_##name##__##suffix,
#define SPIKE_PICK_AVX2(name, suffix)
#define SPIKE_PICK_NEON(name, suffix)
#define SPIKE_PICK_AVX512(name, suffix)
#define SPIKE_KERNEL(name, suffix, isa) SPIKE_PICK_##isa(name, suffix)
#include "kernels.def"
};

static const spike_kernel_table avx2_table = {
#undef SPIKE_PICK_AVX2
#define SPIKE_PICK_AVX2(name, suffix) .name = spike_##name##__##suffix,
#include "kernels.def"
};

static const spike_kernel_table avx512_table = {
#undef SPIKE_PICK_AVX512
#define SPIKE_PICK_AVX512(name, suffix) .name = spike_##name##__##suffix,
#include "kernels.def"
};

static const spike_kernel_table neon_table = {
#undef SPIKE_PICK_AVX512
#define SPIKE_PICK_AVX512(name, suffix)
#undef SPIKE_PICK_AVX2
#define SPIKE_PICK_AVX2(name, suffix)
#undef SPIKE_PICK_NEON
#define SPIKE_PICK_NEON(name, suffix) .name = spike_##name##__##suffix,
#include "kernels.def"
};
#pragma clang diagnostic pop

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

bool spike_isa_uses(spike_isa isa, spike_isa other) {
    return other == SPIKE_ISA_SCALAR || other == isa || (isa == SPIKE_ISA_AVX512 && other == SPIKE_ISA_AVX2);
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

const spike_kernel_table *spike_table(spike_isa isa) {
    if (!spike_isa_supported(isa)) return &scalar_table;
    switch (isa) {
    case SPIKE_ISA_AVX2: return &avx2_table;
    case SPIKE_ISA_AVX512: return &avx512_table;
    case SPIKE_ISA_NEON: return &neon_table;
    default: return &scalar_table;
    }
}
