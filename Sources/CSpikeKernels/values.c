#include "internal.h"

// Functions of whole values, in plain C.

#define VALUES(name) spike_##name##__scalar
#define VALUES_TARGET
#include "values.inc"
