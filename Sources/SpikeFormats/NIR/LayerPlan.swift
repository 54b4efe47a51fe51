import SpikeGraph

/// A ``LinearMap`` as a convolution.
///
/// NIR's convolutions make small values of large ones, and no large ones of small ones. So of a value that grows, `phases` places
/// along each axis lie side by side among the channels: place i of channel c is place ⌊i / phases⌋ of channel c · phases + i mod phases
/// (as in pixel shuffling). Behind that, whatever is the same at all places is an ordinary convolution again. With as many phases as
/// places any map is one: the matrix.
struct LayerPlan {
    /// One axis.
    struct Axis {
        /// What places of the result by `output + phase`, of the input by `stride · place + shift`, have to do with each other.
        struct Entry {
            var outputPhase: Int
            var inputPhase: Int
            var shift: Int
            var links: [LinearMap.Link]
        }

        /// Phases of the input and of the result.
        let inputPhases: Int
        let phases: Int
        let stride: Int
        /// The sizes, phases not counted.
        let input: Int
        let output: Int
        let entries: [Entry]
        var padding = 0
        var kernel = 1

        var shifts: ClosedRange<Int> {
            let all = entries.map(\.shift)
            return (all.min() ?? 0)...(all.max() ?? 0)
        }

        /// The sizes a kernel may have with so much padding on both sides: all shifts are in it, and there are as many windows as places.
        func kernels(padding: Int) -> ClosedRange<Int>? {
            let least = max(shifts.upperBound + padding + 1, input + 2 * padding - stride * output + 1, 1)
            let most = input + 2 * padding - stride * (output - 1)
            return shifts.lowerBound + padding >= 0 && least <= most ? least...most : nil
        }
    }

    var axes: [Axis]

    /// - Parameters:
    ///   - phases: of the input, one for each axis.
    ///   - wanted: of the result; `nil`: those that take the fewest weights.
    /// - Returns: `nil` where the wanted ones do not do.
    init?(_ map: LinearMap, phases: [Int], to wanted: [Int]? = nil) {
        axes = []
        for (index, axis) in map.axes.enumerated() {
            guard let made = Self.axis(axis, phases: phases.isEmpty ? 1 : phases[index], to: wanted.map { $0.isEmpty ? 1 : $0[index] })
            else { return nil }
            axes.append(made)
        }
        for index in axes.indices {
            while axes[index].kernels(padding: axes[index].padding) == nil { axes[index].padding += 1 }
            axes[index].kernel = axes[index].kernels(padding: axes[index].padding)?.lowerBound ?? 1
        }
    }

    var inputPhases: [Int] { axes.map(\.inputPhases) }
    var phases: [Int] { axes.map(\.phases) }
    var padding: [Int] { axes.map(\.padding) }
    var strides: [Int] { axes.map(\.stride) }
    var output: [Int] { axes.map(\.output) }

    /// How many weights the convolution has. A number of this size may be too large for an integer.
    func weightCount(_ map: LinearMap) -> Double {
        axes.reduce(Double(map.weight.shape[0]) * Double(map.weight.shape[1])) {
            $0 * Double($1.inputPhases) * Double($1.phases) * Double($1.kernel)
        }
    }

    /// The phases with which a place of the result has the same to do with the places around it as the next one, what lies
    /// beyond the edges being zero: those that take the fewest weights.
    private static func axis(_ axis: LinearMap.Axis, phases inputPhases: Int, to wanted: Int?) -> Axis? {
        guard axis.input % inputPhases == 0 else { return nil }
        let input = axis.input / inputPhases
        // What one place has to do with another, numbered.
        var numbers: [[Pair.Tap]: Int] = [:]
        var kinds: [[LinearMap.Link]] = []
        var pairs: [Pair] = []
        for links in Dictionary(grouping: axis.links, by: { $0.output * axis.input + $0.input }).values {
            var sums: [Int: Float] = [:]
            for link in links { sums[link.tap, default: 0] += link.number }
            let taps = sums.sorted { $0.key < $1.key }.map { Pair.Tap(tap: $0.key, number: $0.value) }
            let kind = numbers[taps] ?? kinds.count
            if kind == kinds.count {
                numbers[taps] = kind
                kinds.append(taps.map { LinearMap.Link(output: 0, input: 0, tap: $0.tap, number: $0.number) })
            }
            pairs.append(Pair(output: links[0].output, input: links[0].input, kind: kind))
        }
        var best: (axis: Axis, weights: Int)?
        for phases in wanted.map({ [$0] }) ?? Array(1...axis.output) where axis.output % phases == 0 {
            let output = axis.output / phases
            // Windows far outside read nothing. With them any map is a convolution as well, of a huge kernel.
            let strides = output == 1 || input == 1 ? 1 : max(1, (2 * input - 1) / (output - 1))
            for stride in 1...strides {
                guard let found = found(pairs, stride: stride, input: input, output: output, inputPhases, phases) else { continue }
                let entries = found.sorted { $0.key < $1.key }.map { place, kind in
                    Axis.Entry(outputPhase: place.outputPhase, inputPhase: place.inputPhase, shift: place.shift, links: kinds[kind])
                }
                let made = Axis(inputPhases: inputPhases, phases: phases, stride: stride, input: input, output: output, entries: entries)
                let weights = phases * made.shifts.count
                // Of as many weights: a kernel is cheaper than phases for all that follows; but where it reads padding most of the time, it
                // is dearer than a matrix.
                let isBetter = best.map { input * inputPhases == 1 ? weights < $0.weights : weights <= $0.weights } ?? true
                if isBetter { best = (made, weights) }
                break
            }
        }
        return best?.axis
    }

    private struct Pair {
        struct Tap: Hashable {
            var tap: Int
            var number: Float
        }

        var output: Int
        var input: Int
        var kind: Int
    }

    private struct Place: Hashable, Comparable {
        var outputPhase: Int
        var inputPhase: Int
        var shift: Int

        static func < (a: Place, b: Place) -> Bool {
            (a.outputPhase, a.inputPhase, a.shift) < (b.outputPhase, b.inputPhase, b.shift)
        }
    }

    /// What phases and shifts have to do with each other; `nil` where that is not the same everywhere.
    private static func found(
        _ pairs: [Pair], stride: Int, input: Int, output: Int, _ inputPhases: Int, _ phases: Int
    ) -> [Place: Int]? {
        var kinds: [Place: Int] = [:]
        var counts: [Place: Int] = [:]
        for pair in pairs {
            let place = Place(
                outputPhase: pair.output % phases, inputPhase: pair.input % inputPhases,
                shift: pair.input / inputPhases - stride * (pair.output / phases))
            if let kind = kinds[place], kind != pair.kind { return nil }
            kinds[place] = pair.kind
            counts[place, default: 0] += 1
        }
        for (place, count) in counts {
            let there = (0..<output).count { (0..<input).contains(stride * $0 + place.shift) }
            guard there == count else { return nil }
        }
        return kinds
    }

    /// NIR's own check of shapes takes the first size of a kernel for both: square ones where paddings allow it.
    ///
    /// - Parameter most: more weights are not worth it.
    mutating func squareUp(_ map: LinearMap, upTo most: Double) {
        guard axes.count == 2, axes[0].kernel != axes[1].kernel else { return }
        let largest = max(axes[0].kernel, axes[1].kernel)
        for kernel in largest...largest + 1 {
            let paddings = axes.map { axis in
                (axis.padding...axis.padding + kernel).first { axis.kernels(padding: $0)?.contains(kernel) ?? false }
            }
            guard let first = paddings[0], let second = paddings[1] else { continue }
            var square = self
            (square.axes[0].padding, square.axes[1].padding) = (first, second)
            (square.axes[0].kernel, square.axes[1].kernel) = (kernel, kernel)
            if square.weightCount(map) <= most { self = square }
            return
        }
    }

    /// The convolution's weights, `[D · phases, C · phases, kernel…]`, for a map with the links that this was made of.
    func kernel(_ map: LinearMap) -> SymmetricKernel {
        struct Cell {
            var outputPhase = 0
            var inputPhase = 0
            var place = 0
            var tap = 0
            var number: Float = 1
        }
        var cells = [Cell()]
        for (index, axis) in axes.enumerated() {
            let (taps, first) = (map.weight.shape[index + 2], axis.padding)
            cells = cells.flatMap { cell in
                axis.entries.flatMap { entry in
                    entry.links.map { link in
                        Cell(
                            outputPhase: cell.outputPhase * axis.phases + entry.outputPhase,
                            inputPhase: cell.inputPhase * axis.inputPhases + entry.inputPhase,
                            place: cell.place * axis.kernel + entry.shift + first, tap: cell.tap * taps + link.tap,
                            number: cell.number * link.number)
                    }
                }
            }
        }
        let (outputs, inputs) = (map.weight.shape[0], map.weight.shape[1])
        let taps = map.weight.count / max(1, outputs * inputs)
        var weights = [[(output: Int, input: Int, number: Float)]](repeating: [], count: taps)
        for (index, number) in map.weight.floats.enumerated() where number != 0 {
            weights[index % taps].append((index / taps / inputs, index / taps % inputs, number))
        }
        let (outputPhases, inputPhases) = (phases.reduce(1, *), inputPhases.reduce(1, *))
        let kernel = axes.map(\.kernel)
        let size = kernel.reduce(1, *)
        var values = [Float](repeating: 0, count: outputs * outputPhases * inputs * inputPhases * size)
        for cell in cells {
            for weight in weights[cell.tap] {
                let (row, column) = (weight.output * outputPhases + cell.outputPhase, weight.input * inputPhases + cell.inputPhase)
                values[(row * inputs * inputPhases + column) * size + cell.place] += weight.number * cell.number
            }
        }
        return SymmetricKernel(
            dense: Tensor(values, shape: [outputs * outputPhases, inputs * inputPhases] + kernel), strides: strides, padding: padding)
    }
}
