import SpikeGraph
import SpikeReference
import TestSupport
import Testing

@Suite struct PoolTests {
    @Test(arguments: 1...3) func `pools are their definitions`(rank: Int) throws {
        var generator = SeededGenerator(UInt64(200 + rank))
        var done = 0
        var kinds: Set<String> = []
        while done < (rank == 3 ? 120 : 200) {
            let spatial = (0..<rank).map { _ in Int.random(in: 1...(rank == 3 ? 4 : 7), using: &generator) }
            guard let window = RandomWindow(over: spatial, pool: true, &generator) else { continue }
            let x = Tensor.whole([2, 3] + spatial, &generator)
            var isBlind = false
            func pooled(_ reduce: ([Float], Int) -> Float) -> Tensor {
                .made([2, 3] + window.output) { at in
                    let places = window.places(at: Array(at[2...]))
                    let values = places.filter { isInside($0, spatial) }.map { x[Array(at[..<2]) + $0] }
                    let padded = places.filter { zip($0.indices, $0).allSatisfy { $1 < spatial[$0] + window.window.padsEnd[$0] } }
                    if values.isEmpty { isBlind = true }
                    return reduce(values, padded.count)
                }
            }
            let maximum = pooled { values, _ in values.max() ?? -.infinity }
            let counted = pooled { $0.reduce(0, +) / Float($1) }
            let mean = pooled { values, _ in values.reduce(0, +) / Float(values.count) }
            #expect(try run(.averagePool(AveragePool(window: window.window, countsPadding: true)), [x]) == counted, "\(window) \(spatial)")
            if isBlind {
                expectError(.invalidModel, "wholly in the padding") { _ = try run(.maxPool(MaxPool(window: window.window)), [x]) }
                expectError(.invalidModel, "wholly in the padding") { _ = try run(.averagePool(AveragePool(window: window.window)), [x]) }
            } else {
                #expect(try run(.maxPool(MaxPool(window: window.window)), [x]) == maximum, "\(window) \(spatial)")
                #expect(try run(.averagePool(AveragePool(window: window.window)), [x]) == mean, "\(window) \(spatial)")
                #expect(try run(.runningMaximumPool(RunningMaximumPool(window: window.window)), [x]) == maximum)
            }
            done += 1
            kinds.insert("\(window.window.autoPad) \(window.window.ceilMode) \(counted == mean)")
        }
        #expect(kinds.count >= 12)
    }

    @Test func `global pools reduce every spatial axis`() throws {
        var generator = SeededGenerator(5)
        for spatial in [[4], [2, 4], [2, 4, 2]] {
            let x = Tensor.whole([2, 3] + spatial, &generator)
            let planes = (0..<6).map { Array(x.floats[$0 * spatial.reduce(1, *)..<($0 + 1) * spatial.reduce(1, *)]) }
            let shape = [2, 3] + spatial.map { _ in 1 }
            #expect(try run(.globalMaxPool(GlobalMaxPool()), [x]) == Tensor(planes.map { $0.max() ?? 0 }, shape: shape))
            let means = planes.map { $0.reduce(0, +) / Float($0.count) }
            #expect(try run(.globalAveragePool(GlobalAveragePool()), [x]) == Tensor(means, shape: shape))
        }
    }

    @Test func `a maximum of negative numbers is negative, whatever the padding`() throws {
        let x = Tensor(repeating: -3, shape: [1, 1, 2, 2])
        let window = Window(kernel: [3, 3], padsBegin: [1, 1], padsEnd: [1, 1])
        #expect(try run(.maxPool(MaxPool(window: window)), [x]).floats == [-3, -3, -3, -3])
    }

    /// As many places as the input has, at more positions: the offsets of all would be 8 GB.
    @Test func `windows larger than their input are taken in portions`() throws {
        var generator = SeededGenerator(220)
        let (side, kernel) = (20, 180)
        let window = Window(kernel: [kernel, kernel], padsBegin: [kernel - 1, kernel - 1], padsEnd: [kernel - 1, kernel - 1])
        let x = Tensor.whole([1, 2, side, side], &generator)
        func places(_ position: Int) -> Range<Int> { max(0, position - kernel + 1)..<min(side, position + 1) }
        func pooled(_ reduce: ([Float]) -> Float) -> Tensor {
            .made([1, 2, side + kernel - 1, side + kernel - 1]) { at in
                reduce(places(at[2]).flatMap { y in places(at[3]).map { x[[0, at[1], y, $0]] } })
            }
        }
        #expect(try run(.maxPool(MaxPool(window: window)), [x]) == pooled { $0.max() ?? 0 })
        #expect(try run(.averagePool(AveragePool(window: window)), [x]) == pooled { $0.reduce(0, +) / Float($0.count) })
        let counted = AveragePool(window: window, countsPadding: true)
        #expect(try run(.averagePool(counted), [x]) == pooled { $0.reduce(0, +) / Float(kernel * kernel) })
    }
}
