/// Weights as whole multiples of a unit, so that what adds up stays what it is.
///
/// Rounded each by itself, weights of one sign that are small against the unit all vanish, and many alike are all off to the same side;
/// inputs that are active together, as neighbouring places of an image are, feel the sum. So sums are rounded first: the sum of a
/// feature's weights, then those of its kernels (the places of one input channel), then the weights; each part to one of the two whole numbers
/// beside it, those nearest to the other one giving way (largest remainders).
enum WeightLevels {
    /// - Parameters:
    ///   - weights: [features][channels][places].
    ///   - units: for each feature, what a weight is multiplied with; products are within ± 127.
    static func rounded(_ weights: [Float], features: Int, places: Int, units: [Float]) -> [Int8] {
        let size = weights.count / max(1, features)
        let kernels = size / max(1, places)
        var result = [Int8](repeating: 0, count: weights.count)
        var values = [Float](repeating: 0, count: size)
        var sums = [Float](repeating: 0, count: kernels)
        var kernelLevels = [Int](repeating: 0, count: kernels)
        var levels = [Int](repeating: 0, count: places)
        for feature in 0..<features {
            for index in 0..<size { values[index] = weights[feature * size + index] * units[feature] }
            for kernel in 0..<kernels { sums[kernel] = values[kernel * places..<(kernel + 1) * places].reduce(0, +) }
            round(sums[...], to: nil, &kernelLevels)
            for kernel in 0..<kernels {
                let range = kernel * places..<(kernel + 1) * places
                round(values[range], to: kernelLevels[kernel], &levels)
                for (place, index) in range.enumerated() {
                    result[feature * size + index] = Int8(clamping: max(-127, min(127, levels[place])))
                }
            }
        }
        return result
    }

    /// Whole numbers beside `values` that add up to `total`, or to the whole number nearest to their sum.
    private static func round(_ values: ArraySlice<Float>, to total: Int?, _ levels: inout [Int]) {
        var (sum, exact) = (0, 0.0)
        for (position, value) in values.enumerated() {
            let nearest = value.rounded()
            levels[position] = Int(nearest)
            sum += Int(nearest)
            exact += Double(value)
        }
        let missing = (total ?? Int(exact.rounded())) - sum
        guard missing != 0 else { return }
        let direction = missing.signum()
        // The next whole number in the direction that is missing, where that is the other one beside the value.
        let start = values.startIndex
        func distance(_ position: Int) -> Float { (values[start + position] - Float(levels[position])) * Float(direction) }
        if abs(missing) == 1 {
            var best = 0
            for position in 1..<max(1, values.count) where distance(position) > distance(best) { best = position }
            levels[best] += direction
            return
        }
        let candidates = (0..<values.count).filter { distance($0) > 0 }
        // Of equal ones every so many: multiples of the golden ratio are spread evenly.
        func order(_ position: Int) -> UInt64 { UInt64(position) &* 0x9E37_79B9_7F4A_7C15 }
        let sorted = candidates.sorted { (distance($0), order($1)) > (distance($1), order($0)) }
        for position in sorted.prefix(abs(missing)) { levels[position] += direction }
    }
}
