// PNG through libpng.

#ifdef IMAGES
#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

typedef struct {
    jmp_buf failed;
    cimages_result *result;
} decoder;

static _Noreturn void fail(png_structp png, png_const_charp message) {
    decoder *state = png_get_error_ptr(png);
    state->result->status = CIMAGES_DAMAGED;
    snprintf(state->result->message, sizeof state->result->message, "libpng: %s", message);
    longjmp(state->failed, 1);
}

/// Warnings are about what is not needed for the picture.
static void ignore(png_structp png, png_const_charp message) {}

/// All becomes red, green and blue of 8 bits.
static void ask_for_rgb(png_structp png, png_infop info) {
    int type = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    if (depth == 16) png_set_strip_16(png);
    if (type == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (type == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (type == PNG_COLOR_TYPE_GRAY || type == PNG_COLOR_TYPE_GRAY_ALPHA) png_set_gray_to_rgb(png);
    // Of palettes' transparency too, which png_set_palette_to_rgb turns into a channel.
    png_set_strip_alpha(png);
}

void cimages_png(FILE *file, uint64_t pixel_limit, int head_only, cimages_result *result) {
    decoder state = {.result = result};
    png_infop info = NULL;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state, fail, ignore);
    if (png != NULL) info = png_create_info_struct(png);
    if (info == NULL) {
        png_destroy_read_struct(&png, NULL, NULL);
        result->status = CIMAGES_NO_MEMORY;
        return;
    }
    if (setjmp(state.failed)) {
        png_destroy_read_struct(&png, &info, NULL);
        free(result->pixels);
        result->pixels = NULL;
        return;
    }
    // The size is checked below, with a message of our own.
    png_set_user_limits(png, 0x7FFFFFFF, 0x7FFFFFFF);
    // Texts, colour profiles and the like, which a few bytes can blow up, are skipped.
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_init_io(png, file);
    png_read_info(png, info);
    result->width = png_get_image_width(png, info);
    result->height = png_get_image_height(png, info);
    int is_within_limits = cimages_fits(result->width, result->height, pixel_limit, result);
    if (!is_within_limits || head_only) {
        if (is_within_limits) result->status = CIMAGES_DONE;
        png_destroy_read_struct(&png, &info, NULL);
        return;
    }
    ask_for_rgb(png, info);
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t stride = (size_t)result->width * 3;
    if (png_get_rowbytes(png, info) != stride) png_error(png, "unexpected row length");
    result->pixels = malloc(stride * result->height);
    if (result->pixels == NULL) {
        result->status = CIMAGES_NO_MEMORY;
        longjmp(state.failed, 1);
    }
    for (int pass = 0; pass < passes; pass++) {
        for (uint32_t row = 0; row < result->height; row++) png_read_row(png, result->pixels + stride * row, NULL);
    }
    png_destroy_read_struct(&png, &info, NULL);
    result->status = CIMAGES_DONE;
}
#endif
