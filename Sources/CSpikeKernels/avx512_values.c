#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

#define VALUES(name) spike_##name##__avx512
#if defined(__clang__)
#define VALUES_TARGET AVX512 __attribute__((min_vector_width(512)))
#else
#define VALUES_TARGET AVX512
#endif
#include "values.inc"
#endif
