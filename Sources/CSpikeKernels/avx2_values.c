#include "internal.h"

#if defined(__x86_64__)
#include "x86.h"

#define VALUES(name) spike_##name##__avx2
#define VALUES_TARGET AVX2
#include "values.inc"
#endif
