internal import SpikeGraph

/// Where each place of a window lies in its input: the one piece of geometry that convolutions and pools share.
struct WindowTable {
    /// The sizes of the output's spatial axes.
    let output: [Int]
    /// The number of window positions (the product of `output`).
    let positions: Int
    /// The number of places in a window.
    let places: Int
    private let window: Window
    private let placement: Window.Placement
    private let input: [Int]

    /// Offsets that are kept at a time: a window may have as many places as its input has, at as many positions.
    static let most = 1 << 22

    init(_ window: Window, input: [Int]) throws {
        self.init(window, placement: try window.placement(over: input), input: input)
    }

    /// - Parameter placement: with as many positions as one likes; places outside the input are padding.
    init(_ window: Window, placement: Window.Placement, input: [Int]) {
        output = placement.output
        positions = placement.output.reduce(1, *)
        places = window.kernel.reduce(1, *)
        self.window = window
        self.placement = placement
        self.input = input
    }

    /// The flat spatial offset in the input, or −1 in the padding, of some places at some positions: position after position of the
    /// first place, then of the next.
    func offsets(_ places: Range<Int>, _ positions: Range<Int>) -> [Int] {
        var offsets = [Int](repeating: -1, count: places.count * positions.count)
        let starts = positions.map { position in
            Self.coordinates(position, sizes: output).enumerated().map { $1 * window.strides[$0] - placement.padsBegin[$0] }
        }
        var index = 0
        for place in places {
            let steps = Self.coordinates(place, sizes: window.kernel).enumerated().map { $1 * window.dilations[$0] }
            for start in starts {
                var offset = 0
                var isInside = true
                for axis in input.indices {
                    let x = start[axis] + steps[axis]
                    isInside = isInside && x >= 0 && x < input[axis]
                    offset = offset * input[axis] + x
                }
                if isInside { offsets[index] = offset }
                index += 1
            }
        }
        return offsets
    }

    /// Calls `body` with all offsets, in portions of places.
    func forEachPortion(_ body: (_ places: Range<Int>, _ offsets: [Int]) -> Void) {
        let portion = max(1, Self.most / max(1, positions))
        for first in stride(from: 0, to: places, by: portion) {
            let range = first..<min(first + portion, places)
            body(range, offsets(range, 0..<positions))
        }
    }

    /// For each position, the places that lie in the input; with `countsPadding` those in its pads too.
    func counts(countsPadding: Bool) -> [Int] {
        // Axis by axis: a window is a product.
        let ofAxes = input.indices.map { axis in
            (0..<output[axis]).map { position -> Int in
                let start = position * window.strides[axis] - placement.padsBegin[axis]
                let end = input[axis] + (countsPadding ? placement.padsEnd[axis] : 0)
                return (0..<window.kernel[axis]).count { step in
                    let x = start + step * window.dilations[axis]
                    return (countsPadding || x >= 0) && x < end
                }
            }
        }
        return (0..<positions).map { position in
            Self.coordinates(position, sizes: output).enumerated().reduce(1) { $0 * ofAxes[$1.offset][$1.element] }
        }
    }

    private static func coordinates(_ flat: Int, sizes: [Int]) -> [Int] {
        var rest = flat
        return sizes.reversed().map { size -> Int in
            defer { rest /= size }
            return rest % size
        }.reversed()
    }
}
