// Photographs as bytes: JPEG through libjpeg-turbo, PNG through libpng.
//
// Without the macro IMAGES (the package trait Images) everything here fails with CIMAGES_ABSENT.

#ifndef CIMAGES_H
#define CIMAGES_H

#include <stddef.h>
#include <stdint.h>

/// How a call ended.
enum {
    CIMAGES_DONE = 0,
    /// Built without the libraries.
    CIMAGES_ABSENT,
    /// Neither a JPEG nor a PNG file.
    CIMAGES_OTHER_KIND,
    /// What is wrong with the file stands in the message.
    CIMAGES_DAMAGED,
    /// More pixels than the limit, or more scans than any encoder makes.
    CIMAGES_TOO_LARGE,
    CIMAGES_NO_MEMORY,
    /// The file could not be read: see errno.
    CIMAGES_UNREADABLE,
};

typedef struct {
    int status;
    uint32_t width, height;
    /// Of cimages_decode: rows of `width` pixels of 3 bytes (red, green, blue). To be given to free().
    uint8_t *pixels;
    /// What is wrong, with a zero at its end.
    char message[256];
} cimages_result;

/// The size of a picture, from its file's head.
///
/// `descriptor` is a regular file that is open for reading; it stays open, and its position moves.
cimages_result cimages_head(int descriptor, uint64_t pixel_limit);

/// A picture of 8 bits a channel: grey is spread to three channels, palettes are looked up, transparency is dropped, of 16
/// bits the upper 8 are taken, and CMYK becomes RGB by (255 − C)(255 − K) / 255. The orientation that a camera notes is left aside.
///
/// Memory stays under 12 bytes a pixel, whatever the file says.
cimages_result cimages_decode(int descriptor, uint64_t pixel_limit);

#endif
