/// Reads little-endian numbers one after the other, and never past the end.
struct ByteCursor {
    let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8], at position: Int = 0) {
        self.bytes = bytes
        self.position = position
    }

    var rest: Int { bytes.count - position }

    /// The next number; `nil` past the end.
    mutating func next<T: FixedWidthInteger & UnsignedInteger>(_: T.Type) -> T? {
        guard let part = take(T.bitWidth / 8) else { return nil }
        return part.reversed().reduce(T(0)) { $0 << 8 | T($1) }
    }

    /// The next `count` bytes; `nil` where there are fewer.
    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, count <= rest else { return nil }
        defer { position += count }
        return bytes[position..<position + count]
    }
}
