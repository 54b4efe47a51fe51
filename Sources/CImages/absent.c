// What is left without the libraries.

#ifndef IMAGES
#include "cimages.h"

cimages_result cimages_head(int descriptor, uint64_t pixel_limit) { return (cimages_result){.status = CIMAGES_ABSENT}; }
cimages_result cimages_decode(int descriptor, uint64_t pixel_limit) { return (cimages_result){.status = CIMAGES_ABSENT}; }
#endif
