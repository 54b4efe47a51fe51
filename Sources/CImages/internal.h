// What the two decoders have in common.

#ifndef CIMAGES_INTERNAL_H
#define CIMAGES_INTERNAL_H

#include <stdio.h>

#include "cimages.h"

/// Decodes (or, with `head_only`, measures) the file that begins at the current position. The result's status is set.
void cimages_jpeg(FILE *file, uint64_t pixel_limit, int head_only, cimages_result *result);
void cimages_png(FILE *file, uint64_t pixel_limit, int head_only, cimages_result *result);

/// Whether a size is within the limit; otherwise the result says so.
int cimages_fits(uint64_t width, uint64_t height, uint64_t pixel_limit, cimages_result *result);

#endif
