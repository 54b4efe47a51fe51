import CZlib
import SpikeFiles
import SpikeGraph

/// Reads ZIP files: stored and deflated entries, ZIP64, sizes after the data. Sizes and places come from the directory at
/// the end, and are checked against the file and against each other before anything is allocated or read.
///
/// Source: PKWARE's APPNOTE.TXT, section 4.
struct ZIPReader {
    struct Entry {
        var name: String
        var flags: UInt16
        var method: UInt16
        var checksum: UInt32
        var compressedSize: Int
        var size: Int
        var offset: Int
    }

    let entries: [Entry]
    private let source: ByteSource
    /// Where the directory starts, and so the last entry ends at the latest.
    private let directoryOffset: Int

    init(_ source: ByteSource) throws {
        let end = try EndRecord(source)
        self.source = source
        self.directoryOffset = end.directoryOffset
        self.entries = try Self.directory(end, source)
        try refuseOverlaps()
    }

    /// The bytes of an entry, decompressed, their checksum verified.
    ///
    /// - Throws: ``SpikeletError``: `malformedFile`, or `unsupported` for encryption and other compressions.
    func contents(of entry: Entry) throws -> [UInt8] {
        let contents = try bytes(of: entry, count: entry.size)
        guard ZIP.checksum([contents]) == entry.checksum else { throw malformed(entry, "has a wrong checksum (CRC-32)") }
        return contents
    }

    /// The first `count` bytes of an entry, or all where there are fewer; nothing behind them is looked at.
    ///
    /// - Throws: ``SpikeletError``, as ``contents(of:)``.
    func start(of entry: Entry, count: Int) throws -> [UInt8] { try bytes(of: entry, count: min(count, entry.size)) }

    private func malformed(_ entry: Entry, _ message: String, _ remedy: ByteSource.Remedy = .damaged) -> SpikeletError {
        source.malformed("entry '\(entry.name)' \(message)", remedy: remedy)
    }

    /// The first `count` bytes of an entry, which has as many. All of them have to be all that it holds.
    private func bytes(of entry: Entry, count: Int) throws -> [UInt8] {
        func malformed(_ message: String, _ remedy: ByteSource.Remedy = .damaged) -> SpikeletError {
            self.malformed(entry, message, remedy)
        }
        guard entry.flags & 1 == 0 else {
            throw SpikeletError(
                .unsupported, "entry '\(entry.name)' is encrypted", at: source.name, remedy: "save the archive without a password")
        }
        var header = ByteCursor(try source.bytes(at: entry.offset, count: 30))
        guard header.next(UInt32.self) == 0x0403_4B50, header.take(22) != nil, let nameLength = header.next(UInt16.self),
            let extraLength = header.next(UInt16.self)
        else { throw malformed("does not start where the directory says") }
        let start = entry.offset + 30 + Int(nameLength) + Int(extraLength)
        guard start <= directoryOffset, entry.compressedSize <= directoryOffset - start else {
            throw malformed("reaches past the end of the archive's data", .incomplete)
        }
        switch entry.method {
        case 0:
            guard entry.size == entry.compressedSize else { throw malformed("is stored, yet has two different sizes") }
            return try source.bytes(at: start, count: count)
        case 8:
            guard Deflate.isPossible(size: entry.size, compressedSize: entry.compressedSize) else {
                throw malformed("claims that \(entry.compressedSize) bytes become \(entry.size), which deflate cannot do")
            }
            let compressed = Deflate.Input(source: source, range: start..<start + entry.compressedSize)
            do {
                return count < entry.size
                    ? try Deflate.prefix(of: compressed, format: .raw, count: count)
                    : try Deflate.inflate(compressed, format: .raw, size: entry.size)
            } catch Deflate.Failure.outOfMemory {
                throw source.tooLarge(entry.size)
            } catch let error as Deflate.Failure {
                throw malformed(error.message(expected: entry.size))
            }
        default:
            throw SpikeletError(
                .unsupported, "entry '\(entry.name)' uses compression method \(entry.method)", at: source.name,
                remedy: "save the archive with numpy.savez or numpy.savez_compressed")
        }
    }

    // MARK: The directory

    private static func directory(_ end: EndRecord, _ source: ByteSource) throws -> [Entry] {
        // An entry takes 46 bytes in the directory at least.
        guard end.entryCount <= end.directorySize / 46 else {
            throw source.malformed("its directory of \(end.directorySize) bytes cannot list \(end.entryCount) entries")
        }
        var cursor = ByteCursor(try source.bytes(at: end.directoryOffset, count: end.directorySize))
        var entries: [Entry] = []
        var names: Set<String> = []
        for _ in 0..<end.entryCount {
            guard let entry = try entry(&cursor, source) else { throw source.malformed("its directory is damaged") }
            guard names.insert(entry.name).inserted else { throw source.malformed("it has two entries of the name '\(entry.name)'") }
            entries.append(entry)
        }
        return entries
    }

    private static func entry(_ cursor: inout ByteCursor, _ source: ByteSource) throws -> Entry? {
        guard cursor.next(UInt32.self) == 0x0201_4B50, cursor.take(4) != nil, let flags = cursor.next(UInt16.self),
            let method = cursor.next(UInt16.self), cursor.take(4) != nil, let checksum = cursor.next(UInt32.self),
            let shortCompressedSize = cursor.next(UInt32.self), let shortSize = cursor.next(UInt32.self),
            let nameLength = cursor.next(UInt16.self), let extraLength = cursor.next(UInt16.self),
            let commentLength = cursor.next(UInt16.self), cursor.take(8) != nil, let shortOffset = cursor.next(UInt32.self),
            let name = cursor.take(Int(nameLength)), let extra = cursor.take(Int(extraLength)), cursor.take(Int(commentLength)) != nil
        else { return nil }
        // ZIP64: a field that is too small for its number is all ones, and the number follows in the extra field, in this order.
        var large = ByteCursor(Array(zip64Field(Array(extra))))
        func number(_ short: UInt32) -> Int? {
            short == .max ? large.next(UInt64.self).flatMap { Int(exactly: $0) } : Int(short)
        }
        guard let size = number(shortSize), let compressedSize = number(shortCompressedSize), let offset = number(shortOffset) else {
            return nil
        }
        guard offset <= source.count - 30 else {
            throw source.malformed("entry at offset \(offset) lies past the end of the file (\(source.count) bytes)", remedy: .incomplete)
        }
        return Entry(
            name: String(decoding: name, as: UTF8.self), flags: flags, method: method, checksum: checksum,
            compressedSize: compressedSize, size: size, offset: offset)
    }

    private static func zip64Field(_ extra: [UInt8]) -> ArraySlice<UInt8> {
        var cursor = ByteCursor(extra)
        while let identifier = cursor.next(UInt16.self), let length = cursor.next(UInt16.self), let field = cursor.take(Int(length)) {
            if identifier == 1 { return field }
        }
        return []
    }

    /// Entries that share bytes are how a small file becomes an endless one.
    private func refuseOverlaps() throws {
        var end = 0
        for entry in entries.sorted(by: { $0.offset < $1.offset }) {
            guard entry.offset >= end else { throw source.malformed("entry '\(entry.name)' lies inside another") }
            guard entry.compressedSize <= directoryOffset - entry.offset else {
                throw source.malformed(
                    "entry '\(entry.name)' of \(entry.compressedSize) bytes reaches past the end of the archive's data", remedy: .incomplete
                )
            }
            end = entry.offset + entry.compressedSize
        }
    }
}

/// What a ZIP file says at its end.
private struct EndRecord {
    var entryCount: Int
    var directorySize: Int
    var directoryOffset: Int

    init(_ source: ByteSource) throws {
        let tailStart = max(0, source.count - 22 - 0xFFFF)
        let tail = try source.bytes(at: tailStart, count: source.count - tailStart)
        guard let place = Self.place(in: tail) else {
            let isZIP = try source.bytes(at: 0, count: min(2, source.count)) == [0x50, 0x4B]
            throw source.malformed(
                isZIP ? "truncated: its directory, which a ZIP file ends with, is missing" : "not a ZIP archive, which .npz files are",
                remedy: isZIP ? .incomplete : .damaged)
        }
        var cursor = ByteCursor(tail, at: place + 4)
        guard let disk = cursor.next(UInt16.self), let directoryDisk = cursor.next(UInt16.self), let countHere = cursor.next(UInt16.self),
            let count = cursor.next(UInt16.self), let size = cursor.next(UInt32.self), let offset = cursor.next(UInt32.self)
        else { throw source.malformed("its end record is damaged") }
        entryCount = Int(count)
        directorySize = Int(size)
        directoryOffset = Int(offset)
        var limit = tailStart + place
        if count == .max || size == .max || offset == .max, let large = try Self.zip64(source, before: limit) {
            (entryCount, directorySize, directoryOffset, limit) = large
        } else {
            guard disk == 0, directoryDisk == 0, countHere == count else {
                throw source.malformed("archives of several parts are not read")
            }
        }
        guard directorySize <= limit, directoryOffset <= limit - directorySize else {
            throw source.malformed("its directory reaches past the end of the file", remedy: .incomplete)
        }
    }

    /// The end record is the last thing in the file, but for a comment whose length it holds.
    private static func place(in tail: [UInt8]) -> Int? {
        guard tail.count >= 22 else { return nil }
        return stride(from: tail.count - 22, through: 0, by: -1).first { place in
            tail[place] == 0x50 && tail[place + 1] == 0x4B && tail[place + 2] == 5 && tail[place + 3] == 6
                && Int(tail[place + 20]) + Int(tail[place + 21]) << 8 == tail.count - place - 22
        }
    }

    private static func zip64(
        _ source: ByteSource, before end: Int
    ) throws -> (count: Int, directorySize: Int, directoryOffset: Int, start: Int)? {
        guard end >= 20 else { return nil }
        var locator = ByteCursor(try source.bytes(at: end - 20, count: 20))
        guard locator.next(UInt32.self) == 0x0706_4B50 else { return nil }
        let damaged = source.malformed("its ZIP64 end record is damaged")
        guard locator.take(4) != nil, let place = locator.next(UInt64.self).flatMap({ Int(exactly: $0) }), place <= end - 20 - 56 else {
            throw damaged
        }
        var record = ByteCursor(try source.bytes(at: place, count: 56))
        guard record.next(UInt32.self) == 0x0606_4B50, record.take(28) != nil, let count = record.next(UInt64.self),
            let size = record.next(UInt64.self), let offset = record.next(UInt64.self),
            let count = Int(exactly: count), let size = Int(exactly: size), let offset = Int(exactly: offset)
        else { throw damaged }
        return (count, size, offset, place)
    }
}

extension Deflate.Failure {
    fileprivate func message(expected size: Int) -> String {
        switch self {
        case .tooShort: "decompresses to fewer than the \(size) bytes it claims"
        case .tooLong: "decompresses to more than the \(size) bytes it claims"
        case .damaged(let reason): "cannot be decompressed: \(reason)"
        case .outOfMemory: "cannot be decompressed: out of memory"
        }
    }
}

enum ZIP {
    /// The CRC-32 of the concatenation of `parts`.
    static func checksum(_ parts: [UnsafeRawBufferPointer]) -> UInt32 {
        var checksum: UInt = 0
        for part in parts {
            var done = 0
            while done < part.count {
                let piece = min(part.count - done, 1 << 30)
                checksum = crc32(checksum, part.baseAddress.map { ($0 + done).assumingMemoryBound(to: UInt8.self) }, UInt32(piece))
                done += piece
            }
        }
        return UInt32(truncatingIfNeeded: checksum)
    }

    static func checksum(_ parts: [[UInt8]]) -> UInt32 {
        parts.first.map { $0.withUnsafeBytes { checksum([$0]) } } ?? 0
    }
}
