import Foundation
import SpikeGraph

/// JSON as files hold it, through Foundation.
package enum JSON {
    /// The same value gives the same bytes: keys are sorted.
    ///
    /// - Parameter isPretty: over many lines, for people.
    /// - Throws: `EncodingError`, for a number that is not finite.
    package static func encode(_ value: some Encodable, isPretty: Bool = false) throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting =
            isPretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        return Array(try encoder.encode(value))
    }

    /// The same document in which nothing controls a terminal: such characters, which stand in its texts alone, are escaped as JSON does it.
    package static func visible(_ document: String) -> String {
        guard document.visibleLines != document else { return document }
        var text = String.UnicodeScalarView()
        for scalar in document.unicodeScalars {
            guard !scalar.isVisible, scalar != "\n" else {
                text.append(scalar)
                continue
            }
            for unit in String(scalar).utf16 {
                let digits = String(unit, radix: 16)
                text.append(contentsOf: ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars)
            }
        }
        return String(text)
    }

    /// - Throws: `DecodingError`; ``Swift/DecodingError/sentence(about:)`` puts it into words.
    package static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        // With a 513th open array as its very last byte, a document would end the program: Foundation's scanner (Swift 6.3)
        // refuses the depth, and for its message looks one byte behind the bracket. White space after a document is legal.
        var document = Data(capacity: bytes.count + 1)
        document.append(contentsOf: bytes)
        document.append(UInt8(ascii: "\n"))
        return try JSONDecoder().decode(type, from: document)
    }
}

extension DecodingError {
    /// Where in the document.
    package var codingPath: [any CodingKey] {
        switch self {
        case .keyNotFound(_, let context), .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            context.codingPath
        @unknown default: []
        }
    }

    /// What a decoder complains about, as a sentence.
    ///
    /// - Parameter document: what the JSON document is, as in "the header".
    package func sentence(about document: String) -> String {
        let place = codingPath.isEmpty ? document : codingPath.text
        switch self {
        case .keyNotFound(let key, _): return "'\(key.stringValue)' is missing in \(place)"
        case .typeMismatch(let type, _): return "\(place) is not of the type \(type)"
        case .valueNotFound: return "\(place) is null"
        case .dataCorrupted(let context):
            // Where the text is no JSON at all, the line and column are here.
            let details = (context.underlyingError as NSError?)?.userInfo["NSDebugDescription"] as? String
            return "\(place) cannot be read: \(details ?? context.debugDescription)"
        @unknown default: return "\(place) cannot be read: \(self)"
        }
    }
}

extension Collection<any CodingKey> {
    /// A path into a document: `nodes[0].name`.
    package var text: String {
        reduce(into: "") { text, key in
            if let index = key.intValue { text += "[\(index)]" } else { text += (text.isEmpty ? "" : ".") + key.stringValue }
        }
    }
}
