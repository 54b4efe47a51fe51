import CZlib
import SpikeData

/// Makes ZIP files of one array `x` = [1, 2, 3], and can lie about each field of them.
struct ZIPBuilder {
    var method: UInt16 = 0
    var isZIP64 = false
    var hasDescriptor = false
    var contents = NPYTests.file(NPYTests.header("|u1", "(3,)"), [1, 2, 3])
    var comment: [UInt8] = []
    var repeats = 1
    /// The second entry has another name and points to the first one's data.
    var sharesData = false
    var flags: UInt16 = 0
    var claimedSize: Int?
    var claimedCompressedSize: Int?
    var claimedOffset: Int?
    var claimedChecksum: UInt32?
    var claimedMethod: UInt16?
    var claimedCount: UInt16?
    var claimedDirectorySize: UInt32?
    var claimedDirectoryOffset: UInt32?

    func archive() throws -> [UInt8] {
        // A gzip member is bare deflate data between a header of 10 bytes and 8 bytes at the end.
        let data = method == 8 ? Array(try gzip(contents).dropFirst(10).dropLast(8)) : contents
        let checksum = claimedChecksum ?? UInt32(truncatingIfNeeded: crc32(0, contents, UInt32(contents.count)))
        let size = claimedSize ?? contents.count
        let compressedSize = claimedCompressedSize ?? data.count
        let allFlags = flags | (hasDescriptor ? 8 : 0)
        let usedMethod = claimedMethod ?? method
        var bytes = Bytes()
        var directory = Bytes()
        for number in 0..<repeats {
            let name = Array((sharesData && number > 0 ? "z.npy" : "x.npy").utf8)
            let offset = claimedOffset ?? (sharesData ? 0 : bytes.all.count)
            if !(sharesData && number > 0) {
                bytes.add(UInt32(0x0403_4B50), UInt16(45), allFlags, usedMethod, UInt16(0), UInt16(0))
                if hasDescriptor {
                    bytes.add(UInt32(0), UInt32(0), UInt32(0))
                } else {
                    bytes.add(checksum, UInt32.max, UInt32.max)
                }
                bytes.add(UInt16(name.count), UInt16(hasDescriptor ? 0 : 20))
                bytes.all += name
                if !hasDescriptor { bytes.add(UInt16(1), UInt16(16), UInt64(size), UInt64(compressedSize)) }
                bytes.all += data
                if hasDescriptor { bytes.add(UInt32(0x0807_4B50), checksum, UInt32(data.count), UInt32(contents.count)) }
            }
            directory.add(UInt32(0x0201_4B50), UInt16(45), UInt16(45), allFlags, usedMethod, UInt16(0), UInt16(0), checksum)
            if isZIP64 {
                directory.add(UInt32.max, UInt32.max)
            } else {
                directory.add(UInt32(compressedSize), UInt32(size))
            }
            // An unknown extra field before the one of ZIP64.
            directory.add(UInt16(name.count), UInt16(isZIP64 ? 34 : 0), UInt16(0), UInt16(0), UInt16(0), UInt32(0))
            directory.add(isZIP64 ? .max : UInt32(offset))
            directory.all += name
            if isZIP64 {
                directory.add(
                    UInt16(0x9999), UInt16(2), UInt16(7), UInt16(1), UInt16(24), UInt64(size), UInt64(compressedSize), UInt64(offset))
            }
        }
        let start = bytes.all.count
        bytes.all += directory.all
        if isZIP64 {
            let record = bytes.all.count
            bytes.add(UInt32(0x0606_4B50), UInt64(44), UInt16(45), UInt16(45), UInt32(0), UInt32(0))
            bytes.add(UInt64(repeats), UInt64(repeats), UInt64(directory.all.count), UInt64(start))
            bytes.add(UInt32(0x0706_4B50), UInt32(0), UInt64(record), UInt32(1))
        }
        let count = claimedCount ?? (isZIP64 ? .max : UInt16(repeats))
        bytes.add(UInt32(0x0605_4B50), UInt32(0), count, count)
        bytes.add(claimedDirectorySize ?? (isZIP64 ? .max : UInt32(directory.all.count)))
        bytes.add(claimedDirectoryOffset ?? (isZIP64 ? .max : UInt32(start)), UInt16(comment.count))
        return bytes.all + comment
    }
}

/// Little-endian numbers one after the other.
private struct Bytes {
    var all: [UInt8] = []

    mutating func add<each T: FixedWidthInteger>(_ numbers: repeat each T) {
        repeat append(each numbers)
    }

    private mutating func append<T: FixedWidthInteger>(_ number: T) {
        withUnsafeBytes(of: number.littleEndian) { all += $0 }
    }
}
