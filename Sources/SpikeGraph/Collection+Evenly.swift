extension RandomAccessCollection {
    /// Some of many, evenly spread, the first and the last among them.
    package func evenly(atMost most: Int) -> [Element] {
        guard count > most, most > 1 else { return Array(prefix(most)) }
        return (0..<most).map { self[index(startIndex, offsetBy: $0 * (count - 1) / (most - 1))] }
    }
}
