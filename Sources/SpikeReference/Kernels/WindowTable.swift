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
    /// For each position, the places that lie in the input.
    let insideCounts: [Int]
    /// For each position, the places that lie in the input or its pads: those that a divisor with padding counts.
    let paddedCounts: [Int]

    init(_ window: Window, input: [Int]) throws {
        self.init(window, placement: try window.placement(over: input), input: input)
    }

    /// - Parameter placement: with as many positions as one likes; places outside the input are padding.
    init(_ window: Window, placement: Window.Placement, input: [Int]) {
        let positions = placement.output.reduce(1, *)
        let places = window.kernel.reduce(1, *)
        var offsets = [Int](repeating: -1, count: places * positions)
        var insideCounts = [Int](repeating: 0, count: positions)
        var paddedCounts = [Int](repeating: 0, count: positions)
        let starts = (0..<positions).map { position in
            Self.coordinates(position, sizes: placement.output).enumerated().map { $1 * window.strides[$0] - placement.padsBegin[$0] }
        }
        for place in 0..<places {
            let steps = Self.coordinates(place, sizes: window.kernel).enumerated().map { $1 * window.dilations[$0] }
            for (position, start) in starts.enumerated() {
                var offset = 0
                var isInside = true
                var isPadded = true
                for axis in input.indices {
                    let x = start[axis] + steps[axis]
                    isInside = isInside && x >= 0 && x < input[axis]
                    isPadded = isPadded && x < input[axis] + placement.padsEnd[axis]
                    offset = offset * input[axis] + x
                }
                if isInside {
                    offsets[place * positions + position] = offset
                    insideCounts[position] += 1
                }
                if isPadded { paddedCounts[position] += 1 }
            }
        }
        self.output = placement.output
        self.positions = positions
        self.places = places
        self.offsets = offsets
        self.insideCounts = insideCounts
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
