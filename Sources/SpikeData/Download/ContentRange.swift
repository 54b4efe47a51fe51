/// The header `Content-Range`: `bytes 5-9/20` of a 206 answer, `bytes */20` of a 416 answer.
///
/// Source: RFC 9110, section 14.4.
struct ContentRange: Equatable {
    /// The first and the last byte that come; `nil` in a 416 answer.
    var bytes: ClosedRange<Int>?
    /// The size of the whole file; `nil` where the server does not know it.
    var total: Int?

    /// `nil` where the text is no valid range of bytes.
    init?(_ text: String?) {
        guard let text else { return nil }
        let parts = text.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bytes" else { return nil }
        let fields = parts[1].split(separator: "/", omittingEmptySubsequences: false)
        guard fields.count == 2 else { return nil }
        if fields[1] != "*" {
            guard let total = Self.number(fields[1]) else { return nil }
            self.total = total
        }
        guard fields[0] != "*" else { return }
        let ends = fields[0].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Self.number(ends[0]), let last = Self.number(ends[1]), first <= last, last < total ?? .max else {
            return nil
        }
        bytes = first...last
    }

    /// Digits alone: `Int("+5")` would be a number, too.
    static func number(_ text: some StringProtocol) -> Int? {
        text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) } ? Int(text) : nil
    }
}
