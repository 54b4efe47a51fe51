internal import SpikeGraph

/// Where each place of a window lies in its input: the one piece of geometry that convolutions and pools share.
struct WindowTable {
    /// The sizes of the output's spatial axes.
    let output: [Int]
    /// The number of window positions (the product of `output`).
    let positions: Int
    /// The number of places in a window.
    let places: Int
    /// `offsets[place * positions + position]`: the flat spatial offset in the input, or −1 in the padding.
    let offsets: [Int]
    /// For each position, the places that lie in the input or its pads: those that a divisor with padding counts.
    let paddedCounts: [Int]

    init(_ window: Window, input: [Int]) throws {
        let placement = try window.placement(over: input)
        output = placement.output
        positions = output.reduce(1, *)
        places = window.kernel.reduce(1, *)
        var offsets = [Int](repeating: -1, count: places * positions)
        var paddedCounts = [Int](repeating: 0, count: positions)
        for place in 0..<places {
            let k = Self.coordinates(place, sizes: window.kernel)
            for position in 0..<positions {
                let p = Self.coordinates(position, sizes: output)
                var offset = 0
                var isInside = true
                var isPadded = true
                for axis in input.indices {
                    let x = p[axis] * window.strides[axis] + k[axis] * window.dilations[axis] - placement.padsBegin[axis]
                    isInside = isInside && x >= 0 && x < input[axis]
                    isPadded = isPadded && x < input[axis] + placement.padsEnd[axis]
                    offset = offset * input[axis] + x
                }
                if isInside { offsets[place * positions + position] = offset }
                if isPadded { paddedCounts[position] += 1 }
            }
        }
        self.offsets = offsets
        self.paddedCounts = paddedCounts
    }

    private static func coordinates(_ flat: Int, sizes: [Int]) -> [Int] {
        var rest = flat
        return sizes.reversed().map { size -> Int in
            defer { rest /= size }
            return rest % size
        }.reversed()
    }
}
