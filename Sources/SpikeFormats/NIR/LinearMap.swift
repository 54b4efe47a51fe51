import SpikeGraph

/// A linear map between values `[C, places…]` that takes its axes one by one:
///
///     y[d, o…] = Σ weight[d, c, tap…] · Π number · x[c, i…], over all c and, along each axis, all links (o, i, tap, number).
///
/// Cuts, pads, copies, picks, resizings, convolutions and transposed ones are such maps; so is one of the former behind or before any.
struct LinearMap {
    /// Along an axis, a place of the result that a place of the input goes into.
    struct Link {
        var output: Int
        var input: Int
        /// The place in the kernel.
        var tap = 0
        var number: Float = 1
    }

    struct Axis {
        /// The sizes before and after.
        var input: Int
        var output: Int
        var links: [Link]
    }

    /// For each place of an axis after the map, the places before it that it is a weighted sum of.
    typealias Sources = [[(place: Int, weight: Float)]]

    /// Each place of an axis is one place before, or for `nil` zero.
    static func picked(_ places: [Int?]) -> Sources {
        places.map { place -> [(place: Int, weight: Float)] in
            guard let place else { return [] }
            return [(place, 1)]
        }
    }

    /// An axis that stays as it is.
    static func kept(_ size: Int) -> Sources { picked((0..<size).map { $0 }) }

    /// `[D, C, taps…]`.
    var weight: Tensor
    var axes: [Axis]

    /// Each axis is mapped by itself.
    ///
    /// - Parameters:
    ///   - sizes: `[C, places…]` before.
    ///   - sources: for each of these axes.
    init(over sizes: [Int], sources: [Sources]) {
        let (outputs, inputs) = (sources[0].count, sizes[0])
        var matrix = [Float](repeating: 0, count: outputs * inputs)
        for (output, places) in sources[0].enumerated() {
            for source in places { matrix[output * inputs + source.place] += source.weight }
        }
        weight = Tensor(matrix, shape: [outputs, inputs] + sizes.dropFirst().map { _ in 1 })
        axes = zip(sizes, sources).dropFirst().map { size, sources in
            let links = sources.enumerated().flatMap { output, places in
                places.map { Link(output: output, input: $0.place, number: $0.weight) }
            }
            return Axis(input: size, output: sources.count, links: links)
        }
    }

    /// A convolution; groups become zeros.
    init(_ conv: Conv, weight stored: Tensor, over sizes: [Int], _ placement: Window.Placement) {
        let (outputs, inputs) = (stored.shape[0], stored.shape[1])
        weight = Self.dense(stored, shape: [outputs, inputs * conv.groups]) { output, input in
            (output, output / (outputs / conv.groups) * inputs + input)
        }
        let window = conv.window
        axes = sizes.indices.map { axis in
            var links: [Link] = []
            for output in 0..<placement.output[axis] {
                for tap in 0..<window.kernel[axis] {
                    let input = output * window.strides[axis] + tap * window.dilations[axis] - placement.padsBegin[axis]
                    if input >= 0, input < sizes[axis] { links.append(Link(output: output, input: input, tap: tap)) }
                }
            }
            return Axis(input: sizes[axis], output: placement.output[axis], links: links)
        }
    }

    /// A transposed convolution; groups become zeros.
    ///
    /// - Throws: where it does not fit sizes.
    init(_ conv: ConvTranspose, weight stored: Tensor, over sizes: [Int]) throws {
        let (inputs, outputs) = (stored.shape[0], stored.shape[1])
        weight = Self.dense(stored, shape: [outputs * conv.groups, inputs]) { input, output in
            (input / (inputs / conv.groups) * outputs + output, input)
        }
        let (window, output) = (conv.window, try conv.outputSizes(sizes))
        axes = sizes.indices.map { axis in
            var links: [Link] = []
            for input in 0..<sizes[axis] {
                for tap in 0..<window.kernel[axis] {
                    let place = input * window.strides[axis] + tap * window.dilations[axis] - window.padsBegin[axis]
                    if place >= 0, place < output[axis] { links.append(Link(output: place, input: input, tap: tap)) }
                }
            }
            return Axis(input: sizes[axis], output: output[axis], links: links)
        }
    }

    /// Weights for all pairs of channels.
    ///
    /// - Parameter place: output and input for the first two positions in `stored`.
    private static func dense(_ stored: Tensor, shape: [Int], place: (Int, Int) -> (output: Int, input: Int)) -> Tensor {
        let taps = stored.shape.dropFirst(2).reduce(1, *)
        var values = [Float](repeating: 0, count: shape[0] * shape[1] * taps)
        let floats = stored.floats
        for first in 0..<stored.shape[0] {
            for second in 0..<stored.shape[1] {
                let (output, input) = place(first, second)
                let (source, target) = ((first * stored.shape[1] + second) * taps, (output * shape[1] + input) * taps)
                for tap in 0..<taps { values[target + tap] = floats[source + tap] }
            }
        }
        return Tensor(values, shape: shape + stored.shape.dropFirst(2))
    }

    /// Whether it has no kernel, and so may be put together with any other.
    var isMovement: Bool { weight.count == weight.shape[0] * weight.shape[1] }

    /// This map behind another, of which one is a movement.
    func after(_ first: LinearMap) -> LinearMap {
        let (outputs, between, inputs) = (weight.shape[0], weight.shape[1], first.weight.shape[1])
        let (taps, firstTaps) = (weight.count / (outputs * between), first.weight.count / (between * inputs))
        // Movements have few numbers that are not 0.
        var rows = [[(index: Int, number: Float)]](repeating: [], count: between)
        let stored = first.weight.floats
        for (index, number) in stored.enumerated() where number != 0 {
            rows[index / (inputs * firstTaps)].append((index % (inputs * firstTaps), number))
        }
        let size = taps * firstTaps
        var values = [Float](repeating: 0, count: outputs * inputs * size)
        for (index, number) in weight.floats.enumerated() where number != 0 {
            let (output, middle, tap) = (index / (between * taps), index / taps % between, index % taps)
            for (place, factor) in rows[middle] {
                values[(output * inputs + place / firstTaps) * size + tap + place % firstTaps] += number * factor
            }
        }
        let kernel = isMovement ? first.weight.shape.dropFirst(2) : weight.shape.dropFirst(2)
        var result = self
        result.weight = Tensor(values, shape: [outputs, inputs] + kernel)
        result.axes = zip(axes, first.axes).map { own, first in
            let before = Dictionary(grouping: first.links, by: \.output)
            let links = own.links.flatMap { link in
                (before[link.input] ?? []).map {
                    Link(output: link.output, input: $0.input, tap: link.tap + $0.tap, number: link.number * $0.number)
                }
            }
            return Axis(input: first.input, output: own.output, links: links)
        }
        return result
    }

    /// What it makes of the same number in all places of a channel, where that is the same number in all places again.
    func constant(_ numbers: [Float]) -> [Float]? {
        let keepsNumbers = axes.allSatisfy { axis in
            var sums = [Float](repeating: 0, count: axis.output)
            for link in axis.links { sums[link.output] += link.number }
            return sums.allSatisfy { $0 == 1 }
        }
        guard isMovement, keepsNumbers else { return nil }
        let floats = weight.floats
        return (0..<weight.shape[0]).map { output in
            numbers.indices.reduce(0) { $0 + floats[output * numbers.count + $1] * numbers[$1] }
        }
    }
}
