import SpikeFiles
import SpikeGraph

/// What the header of an `.npy` file says.
struct NPYHeader: Equatable {
    var elementType: NumericType
    var isBigEndian: Bool
    var isFortranOrder: Bool
    var shape: [Int]
    /// Where the values start.
    var dataOffset: Int
}

extension NPYHeader {
    private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
    private static let longest = 1 << 20
    /// No header reaches further.
    static let longestStart = longest + 12

    /// Reads the header, and holds its claims against the bytes that are there, before anything is allocated for them.
    ///
    /// - Parameters:
    ///   - source: the file, or its first ``longestStart`` bytes.
    ///   - size: of the whole file, where `source` is not all of it.
    init(_ source: ByteSource, size: Int? = nil) throws {
        let start = try source.bytes(at: 0, count: min(source.count, 12))
        guard start.starts(with: Self.magic) else {
            throw source.malformed("not an .npy file: it does not start with \\x93NUMPY")
        }
        var cursor = ByteCursor(start, at: Self.magic.count)
        guard let major = cursor.next(UInt8.self), let minor = cursor.next(UInt8.self) else { throw Self.cut(source) }
        let length: Int
        switch major {
        case 1:
            guard let number = cursor.next(UInt16.self) else { throw Self.cut(source) }
            length = Int(number)
        case 2, 3:
            guard let number = cursor.next(UInt32.self) else { throw Self.cut(source) }
            length = Int(number)
        default:
            throw source.malformed(
                "npy version \(major).\(minor) is unknown; versions 1 to 3 are read", remedy: .other("save it again with numpy.save"))
        }
        guard length <= Self.longest else { throw source.malformed("its header claims \(length) bytes, more than any array needs") }
        let text = String(decoding: try source.bytes(at: cursor.position, count: length), as: UTF8.self)
        var parser = PythonLiteral(text)
        guard case .dictionary(let fields)? = parser.parse(), let descriptor = fields["descr"],
            case .boolean(let fortran)? = fields["fortran_order"], case .tuple(let sizes)? = fields["shape"]
        else {
            throw source.malformed("its header is not a dictionary of 'descr', 'fortran_order' and 'shape'")
        }
        (elementType, isBigEndian) = try Self.type(descriptor, source)
        isFortranOrder = fortran
        dataOffset = cursor.position + length
        shape = try sizes.map { size in
            guard case .integer(let number) = size, number >= 0 else {
                throw source.malformed("the shape in its header is not one of sizes")
            }
            return number
        }
        guard shape.count <= 64 else { throw source.malformed("it claims \(shape.count) axes") }
        guard let expected = Shape.count(of: shape, elementSize: elementType.size) else {
            throw source.malformed("its shape \(shape) is absurd: no machine holds so many values")
        }
        let present = (size ?? source.count) - dataOffset
        guard expected <= present else {
            throw source.malformed(
                "truncated: \(elementType) values of shape \(shape) take \(expected) bytes, and only \(present) are there",
                remedy: .incomplete)
        }
        guard expected == present else {
            throw source.malformed("\(present - expected) bytes follow after the array of shape \(shape)")
        }
    }

    private static func cut(_ source: ByteSource) -> SpikeletError {
        source.malformed("the file ends in its header", remedy: .incomplete)
    }

    private static func type(_ descriptor: PythonLiteral.Value, _ source: ByteSource) throws -> (NumericType, isBigEndian: Bool) {
        let remedy = ByteSource.Remedy.other("save it as plain numbers, as in numpy.save(file, array.astype('float32'))")
        guard case .string(let text) = descriptor else { throw source.malformed("it holds records, not plain numbers", remedy: remedy) }
        let types: [String: NumericType] = [
            "f2": .float16, "f4": .float32, "f8": .float64, "b1": .bool,
            "i1": .int8, "u1": .uint8, "i2": .int16, "u2": .uint16, "i4": .int32, "u4": .uint32, "i8": .int64, "u8": .uint64,
        ]
        let hasOrder = text.first.map { "<>=|".contains($0) } ?? false
        guard let type = types[String(text.dropFirst(hasOrder ? 1 : 0))] else {
            let kind =
                switch text.dropFirst(hasOrder ? 1 : 0).first {
                case "O": " (Python objects)"
                case "c": " (complex numbers)"
                case "U", "S": " (text)"
                case "f": " (extended precision)"
                default: ""
                }
            throw source.malformed("its element type '\(text)'\(kind) is not read", remedy: remedy)
        }
        return (type, text.first == ">")
    }

    /// The bytes before the values of a version 1 file, padded so that the values start at a multiple of 64.
    static func encoded(_ type: ElementType, shape: [Int]) -> [UInt8] {
        let descriptor =
            switch type {
            case .float32: "<f4"
            case .int64: "<i8"
            case .bool: "|b1"
            }
        let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        let text = "{'descr': '\(descriptor)', 'fortran_order': False, 'shape': (\(sizes)), }"
        let before = magic.count + 4
        let padding = 64 - (before + text.utf8.count + 1) % 64
        let header = Array(text.utf8) + [UInt8](repeating: UInt8(ascii: " "), count: padding % 64) + [UInt8(ascii: "\n")]
        return magic + [1, 0, UInt8(header.count & 0xFF), UInt8(header.count >> 8)] + header
    }
}

/// The small part of Python's literals that `.npy` headers are written in.
struct PythonLiteral {
    indirect enum Value: Equatable {
        case string(String)
        case boolean(Bool)
        case integer(Int)
        case tuple([Value])
        case list
        case dictionary([String: Value])
    }

    private var rest: Substring.UnicodeScalarView

    init(_ text: String) {
        rest = Substring(text).unicodeScalars
    }

    /// The whole text as one value; `nil` where it is none.
    mutating func parse() -> Value? {
        guard let value = value(depth: 0) else { return nil }
        skipSpace()
        return rest.isEmpty ? value : nil
    }

    private mutating func skipSpace() {
        while let next = rest.first, next == " " || next == "\n" || next == "\t" || next == "\r" { rest.removeFirst() }
    }

    private mutating func accept(_ scalar: Unicode.Scalar) -> Bool {
        skipSpace()
        guard rest.first == scalar else { return false }
        rest.removeFirst()
        return true
    }

    private mutating func value(depth: Int) -> Value? {
        // Deeper than any header; hostile ones must not use up the stack.
        guard depth < 8 else { return nil }
        skipSpace()
        switch rest.first {
        case "'", "\"": return string().map { .string($0) }
        case "{": return dictionary(depth: depth)
        case "(": return sequence(closing: ")", depth: depth).map { .tuple($0) }
        case "[": return sequence(closing: "]", depth: depth).map { _ in .list }
        default: return word()
        }
    }

    private mutating func string() -> String? {
        guard let quote = rest.popFirst() else { return nil }
        var text = String.UnicodeScalarView()
        while let next = rest.popFirst() {
            if next == quote { return String(text) }
            // No name or type code has an escape in it.
            guard next != "\\" else { return nil }
            text.append(next)
        }
        return nil
    }

    private mutating func word() -> Value? {
        var text = String.UnicodeScalarView()
        while let next = rest.first, next == "-" || next.properties.isAlphabetic || next.properties.numericType != nil {
            text.append(rest.removeFirst())
        }
        switch String(text) {
        case "True": return .boolean(true)
        case "False": return .boolean(false)
        case let word:
            // Python 2 wrote long integers as 3L.
            return Int(word.hasSuffix("L") ? String(word.dropLast()) : word).map { .integer($0) }
        }
    }

    private mutating func sequence(closing: Unicode.Scalar, depth: Int) -> [Value]? {
        rest.removeFirst()
        var values: [Value] = []
        while true {
            if accept(closing) { return values }
            guard let value = value(depth: depth + 1) else { return nil }
            values.append(value)
            if accept(closing) { return values }
            guard accept(",") else { return nil }
        }
    }

    private mutating func dictionary(depth: Int) -> Value? {
        rest.removeFirst()
        var fields: [String: Value] = [:]
        while true {
            if accept("}") { return .dictionary(fields) }
            guard case .string(let key)? = value(depth: depth + 1), accept(":"), let value = value(depth: depth + 1),
                fields.updateValue(value, forKey: key) == nil
            else { return nil }
            if accept("}") { return .dictionary(fields) }
            guard accept(",") else { return nil }
        }
    }
}
