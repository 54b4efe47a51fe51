// Tells the kind of a file from its first bytes, and has it decoded.

#ifdef IMAGES
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

int cimages_fits(uint64_t width, uint64_t height, uint64_t pixel_limit, cimages_result *result) {
    if (width > 0 && height > 0 && width <= UINT32_MAX && height <= pixel_limit / width) return 1;
    result->status = CIMAGES_TOO_LARGE;
    snprintf(
        result->message, sizeof result->message, "it claims %" PRIu64 " x %" PRIu64 " pixels, of which at most %" PRIu64 " are decoded", width,
        height, pixel_limit);
    return 0;
}

static cimages_result read_image(int descriptor, uint64_t pixel_limit, int head_only) {
    cimages_result result = {.status = CIMAGES_UNREADABLE};
    int copy = dup(descriptor);
    if (copy < 0) return result;
    FILE *file = fdopen(copy, "rb");
    if (file == NULL) {
        close(copy);
        return result;
    }
    uint8_t head[8];
    rewind(file);
    size_t count = fread(head, 1, sizeof head, file);
    if (ferror(file)) {
        fclose(file);
        return result;
    }
    rewind(file);
    static const uint8_t png[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    if (count >= 3 && head[0] == 0xFF && head[1] == 0xD8 && head[2] == 0xFF) {
        cimages_jpeg(file, pixel_limit, head_only, &result);
    } else if (count == sizeof png && memcmp(head, png, sizeof png) == 0) {
        cimages_png(file, pixel_limit, head_only, &result);
    } else {
        result.status = CIMAGES_OTHER_KIND;
    }
    fclose(file);
    return result;
}

cimages_result cimages_head(int descriptor, uint64_t pixel_limit) { return read_image(descriptor, pixel_limit, 1); }
cimages_result cimages_decode(int descriptor, uint64_t pixel_limit) { return read_image(descriptor, pixel_limit, 0); }
#endif
