// JPEG through libjpeg-turbo.

#ifdef IMAGES
#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
// After jpeglib.h.
#include <jerror.h>

#include "internal.h"

/// Each scan of a progressive file goes through all of its coefficients. Encoders make about ten; a small file could ask
/// for thousands.
enum { SCAN_LIMIT = 100 };

typedef struct {
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf failed;
    cimages_result *result;
    FILE *file;
    /// A row of CMYK.
    uint8_t *row;
} decoder;

static _Noreturn void fail(j_common_ptr common) {
    decoder *state = common->client_data;
    state->result->status = common->err->msg_code == JERR_OUT_OF_MEMORY ? CIMAGES_NO_MEMORY : CIMAGES_DAMAGED;
    char text[JMSG_LENGTH_MAX];
    common->err->format_message(common, text);
    snprintf(state->result->message, sizeof state->result->message, "libjpeg: %s", text);
    longjmp(state->failed, 1);
}

/// libjpeg goes on after damage, with grey where it knows nothing. Here that is an error; what other programs write a
/// little wrong, without harm to the picture, is not.
static void warn(j_common_ptr common, int level) {
    if (level >= 0) return;
    switch (common->err->msg_code) {
    case JWRN_HIT_MARKER:
    case JWRN_HUFF_BAD_CODE:
    case JWRN_ARITH_BAD_CODE:
    case JWRN_JPEG_EOF:
    case JWRN_MUST_RESYNC:
    case JWRN_NOT_SEQUENTIAL:
    case JWRN_TOO_MUCH_DATA: fail(common);
    default: return;
    }
}

static void watch(j_common_ptr common) {
    decoder *state = common->client_data;
    if (((j_decompress_ptr)common)->input_scan_number <= SCAN_LIMIT) return;
    state->result->status = CIMAGES_TOO_LARGE;
    snprintf(state->result->message, sizeof state->result->message, "it has more than %d scans", SCAN_LIMIT);
    longjmp(state->failed, 1);
}

/// a · b / 255, rounded, for bytes: exact without a division.
static unsigned scaled(unsigned a, unsigned b) {
    unsigned product = a * b + 128;
    return (product + (product >> 8)) >> 8;
}

/// Adobe's programs store CMYK inverted, and so does everybody after them: what is read is 255 − C, and so on. Hence
/// R = (255 − K) − C · (255 − K) / 255.
static void rgb_from_cmyk(const uint8_t *source, uint8_t *target, size_t pixels) {
    for (size_t index = 0; index < pixels; index++, source += 4, target += 3) {
        unsigned light = source[3];
        for (int channel = 0; channel < 3; channel++) {
            unsigned ink = scaled(255u - source[channel], light);
            target[channel] = (uint8_t)(light > ink ? light - ink : 0);
        }
    }
}

void cimages_jpeg(FILE *file, uint64_t pixel_limit, int head_only, cimages_result *result) {
    struct jpeg_decompress_struct image;
    decoder state = {.result = result, .file = file};
    memset(&image, 0, sizeof image);
    image.err = jpeg_std_error(&state.errors);
    state.errors.error_exit = fail;
    state.errors.emit_message = warn;
    image.client_data = &state;
    if (setjmp(state.failed)) {
        jpeg_destroy_decompress(&image);
        free(state.row);
        free(result->pixels);
        result->pixels = NULL;
        return;
    }
    // Sets everything but the errors and client_data back.
    jpeg_create_decompress(&image);
    state.progress.progress_monitor = watch;
    image.progress = &state.progress;
    jpeg_stdio_src(&image, file);
    jpeg_read_header(&image, TRUE);
    result->width = image.image_width;
    result->height = image.image_height;
    int is_within_limits = cimages_fits(image.image_width, image.image_height, pixel_limit, result);
    if (!is_within_limits || head_only) {
        if (is_within_limits) result->status = CIMAGES_DONE;
        jpeg_destroy_decompress(&image);
        return;
    }
    int is_cmyk = image.jpeg_color_space == JCS_CMYK || image.jpeg_color_space == JCS_YCCK;
    image.out_color_space = is_cmyk ? JCS_CMYK : JCS_RGB;
    size_t stride = (size_t)image.image_width * 3;
    result->pixels = malloc(stride * image.image_height);
    if (is_cmyk) state.row = malloc((size_t)image.image_width * 4);
    if (result->pixels == NULL || (is_cmyk && state.row == NULL)) {
        result->status = CIMAGES_NO_MEMORY;
        longjmp(state.failed, 1);
    }
    jpeg_start_decompress(&image);
    while (image.output_scanline < image.output_height) {
        uint8_t *target = result->pixels + stride * image.output_scanline;
        JSAMPROW row = is_cmyk ? state.row : target;
        jpeg_read_scanlines(&image, &row, 1);
        if (is_cmyk) rgb_from_cmyk(state.row, target, image.image_width);
    }
    // Not jpeg_finish_decompress: what follows the picture does not matter.
    jpeg_destroy_decompress(&image);
    free(state.row);
    result->status = CIMAGES_DONE;
}
#endif
