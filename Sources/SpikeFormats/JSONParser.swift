import SpikeGraph

/// Reads JSON (RFC 8259) strictly: no comments, no trailing commas, valid UTF-8, no lone surrogates, no repeated keys; and
/// within bounds, since a few hostile bytes could otherwise ask for a deep stack or for much memory.
package struct JSONParser {
    /// How deep arrays and objects may lie in one another. A graph needs about ten levels.
    static let depthLimit = 64
    /// How many values a document may hold: some hundred times what a large network's file holds.
    static let valueLimit = 1 << 22

    private let bytes: [UInt8]
    private let origin: Int
    private var position = 0
    private var depth = 0
    private var values = 0

    private init(_ bytes: [UInt8], origin: Int) {
        self.bytes = bytes
        self.origin = origin
    }

    /// - Parameter origin: where the bytes stand in their file, for messages.
    /// - Throws: ``SpikeletError`` that names the byte.
    package static func parse(_ bytes: [UInt8], origin: Int = 0) throws -> JSONValue {
        var parser = JSONParser(bytes, origin: origin)
        let value = try parser.value()
        parser.skipSpace()
        guard parser.position == bytes.count else { throw parser.failure("something follows the end of the JSON document") }
        return value
    }

    private func failure(_ message: String, at position: Int? = nil) -> SpikeletError {
        SpikeletError(.malformedFile, message, at: "byte \(origin + (position ?? self.position))")
    }

    /// The byte at hand; 0, which stands nowhere in JSON, behind the end.
    private var byte: UInt8 { position < bytes.count ? bytes[position] : 0 }

    private mutating func skipSpace() {
        while [0x20, 0x0A, 0x0D, 0x09].contains(byte) { position += 1 }
    }

    private mutating func expect(_ character: Unicode.Scalar, _ place: String) throws {
        guard byte == UInt8(ascii: character) else { throw failure("'\(character)' is missing \(place)") }
        position += 1
    }

    private mutating func value() throws -> JSONValue {
        values += 1
        guard values <= Self.valueLimit else { throw failure("the JSON document holds more than \(Self.valueLimit) values") }
        skipSpace()
        switch byte {
        case UInt8(ascii: "{"): return .object(try nested { try $0.members() })
        case UInt8(ascii: "["): return .array(try nested { try $0.elements() })
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .number(try number())
        default:
            throw failure(position < bytes.count ? "no JSON value begins like this" : "the JSON document ends where a value should be")
        }
    }

    private mutating func nested<Content>(_ content: (inout JSONParser) throws -> Content) throws -> Content {
        depth += 1
        guard depth <= Self.depthLimit else { throw failure("the JSON document is nested more than \(Self.depthLimit) deep") }
        position += 1
        let result = try content(&self)
        depth -= 1
        return result
    }

    private mutating func elements() throws -> [JSONValue] {
        var elements: [JSONValue] = []
        skipSpace()
        if byte == UInt8(ascii: "]") {
            position += 1
            return []
        }
        while true {
            elements.append(try value())
            skipSpace()
            guard byte == UInt8(ascii: ",") else { break }
            position += 1
        }
        try expect("]", "at the end of an array")
        return elements
    }

    private mutating func members() throws -> [String: JSONValue] {
        var members: [String: JSONValue] = [:]
        skipSpace()
        if byte == UInt8(ascii: "}") {
            position += 1
            return [:]
        }
        while true {
            skipSpace()
            let start = position
            guard byte == UInt8(ascii: "\"") else { throw failure("a key in quotes is missing") }
            let key = try string()
            skipSpace()
            try expect(":", "behind the key '\(key)'")
            guard members.updateValue(try value(), forKey: key) == nil else {
                throw failure("the key '\(key)' stands twice in one object", at: start)
            }
            skipSpace()
            guard byte == UInt8(ascii: ",") else { break }
            position += 1
        }
        try expect("}", "at the end of an object")
        return members
    }

    private mutating func word(_ word: String, _ value: JSONValue) throws -> JSONValue {
        guard bytes[position...].starts(with: word.utf8) else { throw failure("no JSON value begins like this") }
        position += word.utf8.count
        return value
    }

    private mutating func number() throws -> String {
        let start = position
        func malformed(_ parser: JSONParser) -> SpikeletError { parser.failure("not a number as JSON writes them", at: start) }
        if byte == UInt8(ascii: "-") { position += 1 }
        let integerStart = position
        guard skipDigits() else { throw malformed(self) }
        if bytes[integerStart] == UInt8(ascii: "0"), position > integerStart + 1 { throw malformed(self) }
        if byte == UInt8(ascii: ".") {
            position += 1
            guard skipDigits() else { throw malformed(self) }
        }
        if byte | 0x20 == UInt8(ascii: "e") {
            position += 1
            if byte == UInt8(ascii: "+") || byte == UInt8(ascii: "-") { position += 1 }
            guard skipDigits() else { throw malformed(self) }
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func skipDigits() -> Bool {
        let start = position
        while (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
        return position > start
    }

    private mutating func string() throws -> String {
        let start = position
        position += 1
        var content: [UInt8] = []
        while true {
            let run = position
            while position < bytes.count, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
            content += bytes[run..<position]
            guard position < bytes.count else { throw failure("a string has no closing quote", at: start) }
            switch byte {
            case UInt8(ascii: "\""):
                position += 1
                let text = String(decoding: content, as: UTF8.self)
                // Decoding repairs what is not UTF-8; a repaired text differs from its source.
                guard text.utf8.elementsEqual(content) else { throw failure("a string is not valid UTF-8", at: start) }
                return text
            case UInt8(ascii: "\\"): content += String(try escape()).utf8
            default: throw failure("a control character stands in a string")
            }
        }
    }

    private mutating func escape() throws -> Unicode.Scalar {
        let start = position
        position += 2
        switch position <= bytes.count ? bytes[position - 1] : 0 {
        case UInt8(ascii: "\""): return "\""
        case UInt8(ascii: "\\"): return "\\"
        case UInt8(ascii: "/"): return "/"
        case UInt8(ascii: "b"): return "\u{08}"
        case UInt8(ascii: "f"): return "\u{0C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            var code = try hexadecimal()
            if (0xD800..<0xDC00).contains(code), byte == UInt8(ascii: "\\") {
                position += 1
                guard byte == UInt8(ascii: "u") else { throw failure("half of a surrogate pair", at: start) }
                position += 1
                let low = try hexadecimal()
                guard (0xDC00..<0xE000).contains(low) else { throw failure("half of a surrogate pair", at: start) }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else { throw failure("half of a surrogate pair", at: start) }
            return scalar
        default: throw failure("no such escape in JSON", at: start)
        }
    }

    private mutating func hexadecimal() throws -> UInt32 {
        let digits = bytes[min(position, bytes.count)..<min(position + 4, bytes.count)]
        var code: UInt32 = 0
        for digit in digits {
            guard let number = Character(Unicode.Scalar(digit)).hexDigitValue, digit < 0x80 else {
                throw failure("four hexadecimal digits are missing")
            }
            code = code << 4 + UInt32(number)
        }
        guard digits.count == 4 else { throw failure("four hexadecimal digits are missing") }
        position += 4
        return code
    }
}
