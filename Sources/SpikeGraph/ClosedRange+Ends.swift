extension ClosedRange {
    /// From the least to the largest of the numbers; `nil` where there are none, or one is not a number.
    package init?(spanning numbers: some Sequence<Bound>) {
        guard let least = numbers.min(), let most = numbers.max(), least <= most else { return nil }
        self = least...most
    }

    /// Both ends, the lower one first.
    package var ends: [Bound] { [lowerBound, upperBound] }
}

extension ClosedRange where Bound == Double {
    /// Everything between two numbers; of one that is not a number all that there are.
    package init(from lower: Double, to upper: Double) {
        self = lower <= upper ? lower...upper : -.infinity...(.infinity)
    }
}
