#ifndef SPIKE_ZLIB_SHIM_H
#define SPIKE_ZLIB_SHIM_H

#include <zlib.h>

// zlib's own names for these are macros with arguments, which Swift does not see.
static inline int spike_inflate_init(z_stream *stream, int window_bits) {
    return inflateInit2(stream, window_bits);
}

static inline int spike_deflate_init(z_stream *stream, int level, int window_bits) {
    return deflateInit2(stream, level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
}

#endif
