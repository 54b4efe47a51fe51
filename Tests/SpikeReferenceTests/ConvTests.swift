import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct ConvTests {
    /// The definition, loop by loop.
    private func naive(_ x: Tensor, _ w: Tensor, _ bias: Tensor?, _ window: RandomWindow, groups: Int) -> Tensor {
        let spatial = Array(x.shape[2...])
        let perGroup = (inputs: w.shape[1], outputs: w.shape[0] / groups)
        return .made([x.shape[0], w.shape[0]] + window.output) { at in
            var sum = bias?[[at[1]]] ?? 0
            for channel in 0..<perGroup.inputs {
                let source = at[1] / perGroup.outputs * perGroup.inputs + channel
                var place = 0
                forEachCoordinate(window.window.kernel) { k in
                    let position = window.places(at: Array(at[2...]))[place]
                    place += 1
                    if isInside(position, spatial) { sum += x[[at[0], source] + position] * w[[at[1], channel] + k] }
                }
            }
            return sum
        }
    }

    /// What is unrolled for all positions would be 240 MB.
    @Test func `a window larger than its input is taken in portions`() throws {
        var generator = SeededGenerator(120)
        let (side, kernel) = (12, 80)
        let pads = [kernel - 1, kernel - 1]
        let (x, w) = (Tensor.whole([2, 1, side, side], &generator), Tensor.whole([3, 1, kernel, kernel], &generator))
        let result = try run(.conv(Conv(window: Window(kernel: [kernel, kernel], padsBegin: pads, padsEnd: pads))), [x, w])
        let expected = Tensor.made([2, 3, side + kernel - 1, side + kernel - 1]) { at in
            var sum: Float = 0
            for row in 0..<side {
                for column in 0..<side {
                    let place = [row - at[2] + kernel - 1, column - at[3] + kernel - 1]
                    if place.allSatisfy((0..<kernel).contains) { sum += x[[at[0], 0, row, column]] * w[[at[1], 0] + place] }
                }
            }
            return sum
        }
        #expect(result == expected)
    }

    @Test(arguments: 1...3) func `a convolution is its definition`(rank: Int) throws {
        var generator = SeededGenerator(UInt64(100 + rank))
        var done = 0
        var kinds: Set<String> = []
        while done < (rank == 3 ? 60 : 150) {
            let spatial = (0..<rank).map { _ in Int.random(in: 1...(rank == 3 ? 4 : 6), using: &generator) }
            guard let window = RandomWindow(over: spatial, pool: false, &generator) else { continue }
            let groups = Int.random(in: 1...3, using: &generator)
            let isDepthwise = Bool.random(using: &generator)
            let channels = groups * (isDepthwise ? 1 : Int.random(in: 1...3, using: &generator))
            let features = groups * Int.random(in: 1...3, using: &generator)
            let x = Tensor.whole([Int.random(in: 1...2, using: &generator), channels] + spatial, &generator)
            let w = Tensor.whole([features, channels / groups] + window.window.kernel, &generator)
            let bias: Tensor? = Bool.random(using: &generator) ? .whole([features], &generator) : nil
            let result = try run(.conv(Conv(window: window.window, groups: groups)), [x, w] + (bias.map { [$0] } ?? []))
            #expect(result == naive(x, w, bias, window, groups: groups), "\(window) \(x.shape) \(w.shape)")
            done += 1
            kinds.insert("\(window.window.autoPad) \(groups > 1) \(isDepthwise) \(bias == nil)")
        }
        #expect(kinds.count >= 12)
    }

    @Test(arguments: [1, 2]) func `a window of one place is a product at every position`(stride: Int) throws {
        var generator = SeededGenerator(7)
        for groups in [1, 2] {
            let x = Tensor.whole([3, 4, 5, 6], &generator)
            let w = Tensor.whole([6, 4 / groups, 1, 1], &generator)
            let result = try run(.conv(Conv(window: Window(kernel: [1, 1], strides: [stride, stride]), groups: groups)), [x, w])
            let expected = Tensor.made([3, 6, (5 - 1) / stride + 1, (6 - 1) / stride + 1]) { at in
                (0..<4 / groups).reduce(Float(0)) { sum, channel in
                    sum + w[[at[1], channel, 0, 0]]
                        * x[[at[0], at[1] / (6 / groups) * (4 / groups) + channel, at[2] * stride, at[3] * stride]]
                }
            }
            #expect(result == expected)
        }
    }

    @Test func `attributes may be absent`() throws {
        let x = Tensor((1...9).map(Float.init), shape: [1, 1, 3, 3])
        let w = Tensor([1, 0, 0, -1] as [Float], shape: [1, 1, 2, 2])
        #expect(try run(.conv(Conv(window: Window(kernel: [2, 2]))), [x, w]).floats == [-4, -4, -4, -4])
    }

    @Test func `pads wider than the kernel give positions of bias alone`() throws {
        let x = Tensor([2] as [Float], shape: [1, 1, 1])
        let (w, bias) = (Tensor([3] as [Float], shape: [1, 1, 1]), Tensor([0.5] as [Float], shape: [1]))
        let window = Window(kernel: [1], padsBegin: [2], padsEnd: [1])
        #expect(try run(.conv(Conv(window: window)), [x, w, bias]).floats == [0.5, 0.5, 6.5, 0.5])
    }

    @Test func `no channels at all sum up to the bias`() throws {
        let result = try run(
            .conv(Conv(window: Window(kernel: [2]))),
            [Tensor([Float](), shape: [2, 0, 3]), Tensor([Float](), shape: [1, 0, 2]), Tensor([5] as [Float], shape: [1])])
        #expect(result == Tensor(repeating: 5, shape: [2, 1, 2]))
    }
}
