import CImages
import Foundation
import SpikeFiles
import SpikeGraph

/// A decoded photograph: red, green and blue, 8 bits each.
struct Picture {
    let width: Int
    let height: Int
    /// `height` rows of `width` pixels of 3 bytes.
    let pixels: [UInt8]

    /// Larger pictures are refused, as a few bytes of a file could otherwise ask for more than there is memory. Pillow warns from the
    /// same number on: 256 MiB of bytes.
    static let pixelLimit = 89_478_485

    /// The endings of the files that are read, in small letters.
    static let endings = ["jpg", "jpeg", "png"]
    /// The endings of pictures that are not.
    static let otherEndings = ["bmp", "gif", "heic", "pgm", "ppm", "tif", "tiff", "webp"]

    /// - Throws: ``SpikeletError``, with the file's name: `malformedFile`, `fileSystem`, `unsupported` without the trait `Images`.
    init(path: String) throws {
        let file = try OpenFile(reading: path)
        let result = cimages_decode(file.descriptor, UInt64(Self.pixelLimit))
        defer { free(result.pixels) }
        try Self.check(result, path)
        width = Int(result.width)
        height = Int(result.height)
        pixels = Array(UnsafeBufferPointer(start: result.pixels, count: width * height * 3))
    }

    /// Of pixels that are in memory already.
    init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(pixels.count == width * height * 3, "a picture has three bytes a pixel")
        (self.width, self.height, self.pixels) = (width, height, pixels)
    }

    /// The size of a picture, from the head of its file.
    ///
    /// - Throws: as ``init(path:)``.
    static func size(path: String) throws -> (width: Int, height: Int) {
        let file = try OpenFile(reading: path)
        let result = cimages_head(file.descriptor, UInt64(pixelLimit))
        try check(result, path)
        return (Int(result.width), Int(result.height))
    }

    private static func check(_ result: cimages_result, _ path: String) throws {
        func refused(_ message: String, _ remedy: String) -> SpikeletError {
            SpikeletError(.malformedFile, message, at: path, remedy: remedy)
        }
        switch Int(result.status) {
        case Int(CIMAGES_DONE): return
        case Int(CIMAGES_ABSENT):
            throw SpikeletError(
                .unsupported, "this Spikelet was built without the trait Images, and cannot read pictures", at: path,
                remedy: "build it with 'make build', or with 'swift build --traits Images'")
        case Int(CIMAGES_OTHER_KIND):
            throw refused("its first bytes are neither a JPEG's nor a PNG's", "save it as one of these, or remove it")
        case Int(CIMAGES_TOO_LARGE):
            throw refused(message(result), "make the picture smaller, or remove it: files like this are also made to fill memories")
        case Int(CIMAGES_NO_MEMORY):
            throw refused("there is not enough memory for its pixels", "make the picture smaller, or remove it")
        case Int(CIMAGES_UNREADABLE): throw SpikeletError.fileSystem(.read, path, errno: errno)
        default: throw refused("the picture is damaged (\(message(result)))", "copy or download it again, or remove it")
        }
    }

    private static func message(_ result: cimages_result) -> String {
        withUnsafeBytes(of: result.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
