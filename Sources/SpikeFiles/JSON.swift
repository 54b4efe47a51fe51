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
        do {
            return try JSONDecoder().decode(type, from: document)
        } catch let error as DecodingError {
            throw misplacedNumber(type, in: document, instead: error) ?? error
        }
    }

    /// Of a number that does not fit its place, such as a fraction where a whole number belongs, Foundation says that the document is
    /// no JSON. This finds the place: the last of the numbers without which (0 stands instead) the document decodes no further than
    /// before.
    private static func misplacedNumber<Value: Decodable>(
        _ type: Value.Type, in document: Data, instead error: DecodingError
    ) -> DecodingError? {
        guard case .dataCorrupted(let context) = error, context.codingPath.isEmpty,
            let value = try? JSONSerialization.jsonObject(with: document, options: .fragmentsAllowed)
        else { return nil }
        func isMended(_ count: Int) -> Bool {
            var numbers = AwkwardNumbers(zeroed: count)
            guard let mended = try? JSONSerialization.data(withJSONObject: numbers.rewritten(value), options: .fragmentsAllowed) else {
                return false
            }
            do {
                _ = try JSONDecoder().decode(type, from: mended)
            } catch DecodingError.dataCorrupted(let context) where context.codingPath.isEmpty {
                return false
            } catch {}
            return true
        }
        var all = AwkwardNumbers(zeroed: .max)
        _ = all.rewritten(value)
        guard all.count > 0, isMended(all.count) else { return nil }
        var (short, enough) = (0, all.count)
        while enough - short > 1 {
            let middle = (short + enough) / 2
            if isMended(middle) { enough = middle } else { short = middle }
        }
        var numbers = AwkwardNumbers(zeroed: enough)
        _ = numbers.rewritten(value)
        return .dataCorrupted(.init(codingPath: numbers.place, debugDescription: "\(numbers.number) does not fit its type"))
    }
}

/// The numbers of a document that not every type holds: fractions, and what is beyond 64 bits. The first of them become 0.
private struct AwkwardNumbers {
    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int?

        init(stringValue: String) { self.stringValue = stringValue }

        init(intValue: Int) {
            self.intValue = intValue
            stringValue = "\(intValue)"
        }
    }

    let zeroed: Int
    private(set) var count = 0
    /// The last that became 0, and where it stood.
    private(set) var number = NSNumber(0)
    private(set) var place: [any CodingKey] = []
    private var path: [any CodingKey] = []

    init(zeroed: Int) { self.zeroed = zeroed }

    mutating func rewritten(_ value: Any) -> Any {
        switch value {
        case var object as [String: Any]:
            for key in object.keys.sorted() {
                guard let member = object[key] else { continue }
                path.append(Key(stringValue: key))
                object[key] = rewritten(member)
                path.removeLast()
            }
            return object
        case let list as [Any]:
            return list.enumerated().map { index, entry in
                path.append(Key(intValue: index))
                defer { path.removeLast() }
                return rewritten(entry)
            }
        case let own as NSNumber where Int64(exactly: own.doubleValue) == nil:
            guard count < zeroed else { return own }
            count += 1
            (number, place) = (own, path)
            return 0
        default: return value
        }
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
