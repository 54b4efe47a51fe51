/// Chooses how many digits each layer sends, so that there are so many in the mean over all layers, and the outputs' error is least.
///
/// What a layer's rounding does to the outputs is measured: they are computed from the ANN's own values, of which this layer's alone are
/// rounded, with each number of digits (``DigitSensitivity``). Errors of different layers are taken to add up, so that the best numbers for a
/// sum of digits are found exactly, layer after layer.
///
/// Source: bits by layer from measured sensitivity, as Cai et al., "ZeroQ", CVPR 2020, choose them.
package struct DigitBudget {
    /// The sum of all layers' digits, at most.
    package let total: Int
    /// What a layer may send at most.
    package let most: Int

    /// So many digits in all.
    package init(total: Int, most: Int) { (self.total, self.most) = (total, most) }

    /// - Parameter errors: by layer, what one digit, two digits, … cost.
    /// - Returns: for each layer its digits, from 1 to ``most``; their sum is ``total`` at most, and of those the error is least. Digits that
    ///   help nowhere are not spent.
    package func digits(_ errors: [[Double]]) -> [Int] {
        guard !errors.isEmpty else { return [] }
        // By the digits spent so far: the least error, and of each layer what it took.
        var best: [(error: Double, chosen: [Int])?] = [(0, [])]
        for layer in errors {
            var next = [(error: Double, chosen: [Int])?](repeating: nil, count: total + 1)
            for (spent, before) in best.enumerated() {
                guard let before else { continue }
                for (index, error) in layer.prefix(most).enumerated() where spent + index + 1 <= total {
                    let sum = before.error + error
                    if let known = next[spent + index + 1], known.error <= sum { continue }
                    next[spent + index + 1] = (sum, before.chosen + [index + 1])
                }
            }
            best = next
        }
        let found = best.compactMap { $0 }
        return found.min { $0.error < $1.error }?.chosen ?? errors.map { _ in 1 }
    }
}
