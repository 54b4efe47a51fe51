internal import SpikeFiles

/// Finds the weights in a model's file, so that it can be decoded without them: their bytes then go from the file to where
/// they are needed in one step, instead of through the message.
///
/// Only the way there is looked at (`ModelProto.graph`, `GraphProto.initializer`, `TensorProto.raw_data`); everything else is passed on
/// as it is. Source of the encoding: https://protobuf.dev/programming-guides/encoding
struct WeightScanner {
    /// Fewer bytes stay in the message.
    private static let limit = 64
    /// `ModelProto.graph`, `GraphProto.initializer`, `TensorProto.raw_data`.
    private static let (graph, initializer, rawData) = (7, 5, 9)

    private let source: ByteSource
    private var weights: [Range<Int>?] = []
    /// A part of the file, for reading in small steps.
    private var window: [UInt8] = []
    private var windowStart = 0

    private init(_ source: ByteSource) { self.source = source }

    /// - Returns: the message without the weights, and for each initialiser where its `raw_data` lies, if that was left out;
    ///   `nil` where the file is not well formed on the way.
    static func scan(_ source: ByteSource) throws -> (message: [UInt8], weights: [Range<Int>?])? {
        var scanner = WeightScanner(source)
        guard let message = try scanner.withoutWeights(0..<source.count, depth: 0) else { return nil }
        return (message, scanner.weights)
    }

    private struct Field {
        let number: Int
        /// With the key.
        let whole: Range<Int>
        /// Of what has a length.
        let content: Range<Int>?
    }

    /// One message, of the model (depth 0), its graph (1) or an initialiser (2).
    private mutating func withoutWeights(_ range: Range<Int>, depth: Int) throws -> [UInt8]? {
        var result: [UInt8] = []
        // What is passed on next, in as few steps as possible.
        var pending = range.lowerBound..<range.lowerBound
        var place = range.lowerBound
        var weight: Range<Int>?
        while place < range.upperBound {
            guard let field = try field(at: place, end: range.upperBound) else { return nil }
            place = field.whole.upperBound
            guard let content = field.content, field.number == [Self.graph, Self.initializer, Self.rawData][depth] else {
                pending = pending.lowerBound..<place
                continue
            }
            if depth == 2 {
                // Of two the last counts.
                weight = content.count >= Self.limit ? content : nil
                if weight == nil {
                    pending = pending.lowerBound..<place
                    continue
                }
            }
            result += try source.bytes(at: pending.lowerBound, count: pending.count)
            pending = place..<place
            guard depth < 2 else { continue }
            guard let inner = try withoutWeights(content, depth: depth + 1) else { return nil }
            result += Self.number(field.number << 3 | 2) + Self.number(inner.count) + inner
        }
        result += try source.bytes(at: pending.lowerBound, count: pending.count)
        if depth == 2 { weights.append(weight) }
        return result
    }

    private mutating func field(at start: Int, end: Int) throws -> Field? {
        var place = start
        guard let key = try number(&place, end), key >> 3 > 0, key >> 3 < 1 << 29 else { return nil }
        var content: Range<Int>?
        switch key & 7 {
        case 0: guard try number(&place, end) != nil else { return nil }
        case 1: place += 8
        case 2:
            guard let length = try number(&place, end), length <= UInt64(end - place) else { return nil }
            content = place..<place + Int(length)
            place += Int(length)
        case 5: place += 4
        default: return nil
        }
        return place <= end ? Field(number: Int(key >> 3), whole: start..<place, content: content) : nil
    }

    /// A number of variable length.
    private mutating func number(_ place: inout Int, _ end: Int) throws -> UInt64? {
        var result: UInt64 = 0
        for shift in stride(from: 0, to: 70, by: 7) {
            guard place < end else { return nil }
            let byte = try byte(at: place)
            place += 1
            result |= UInt64(byte & 0x7F) << UInt64(shift)
            if byte < 0x80 { return result }
        }
        return nil
    }

    private mutating func byte(at place: Int) throws -> UInt8 {
        if !(windowStart..<windowStart + window.count).contains(place) {
            window = try source.bytes(at: place, count: min(4096, source.count - place))
            windowStart = place
        }
        return window[place - windowStart]
    }

    private static func number(_ value: Int) -> [UInt8] {
        var (rest, bytes) = (value, [UInt8]())
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }
}
