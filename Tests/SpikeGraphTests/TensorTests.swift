import SpikeGraph
import Testing

@Suite struct TensorTests {
    private let numbers = Tensor((0..<12).map(Float.init), shape: [3, 2, 2])

    @Test func `a tensor knows its rank, count and element type`() {
        #expect((numbers.rank, numbers.count, numbers.elementType) == (3, 12, .float32))
        #expect(Tensor([Int64](), shape: [0, 4]).count == 0)
        #expect(Tensor([true], shape: [1]).elementType == .bool)
        #expect(Tensor(scalar: 2) == Tensor([2] as [Float], shape: []))
        #expect(Tensor(repeating: 1.5, shape: [2, 2]).floats == [1.5, 1.5, 1.5, 1.5])
    }

    @Test func `samples are cut along the first axis in every element type`() {
        #expect(numbers.samples(1..<2) == Tensor([4, 5, 6, 7] as [Float], shape: [1, 2, 2]))
        #expect(numbers.samples(0..<3) == numbers)
        #expect(numbers.samples(2..<2).shape == [0, 2, 2])
        #expect(Tensor([1, 2, 3] as [Int64], shape: [3]).samples(1..<3).integers == [2, 3])
        #expect(Tensor([true, false], shape: [2]).samples(1..<2).booleans == [false])
    }

    @Test func `cut and joined is the same again`() {
        #expect(Tensor.joined([numbers.samples(0..<1), numbers.samples(1..<3)]) == numbers)
        #expect(Tensor.joined([numbers]) == numbers)
    }

    /// Memory that notices when nobody needs it any more.
    private final class Lender: @unchecked Sendable {
        let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: 6)
        deinit { values.deallocate() }
    }

    @Test func `a tensor borrows numbers, and lets their owner go with its last user`() throws {
        var lender: Lender? = Lender()
        weak let watched = lender
        func borrowed() throws -> Tensor {
            let values = try #require(lender?.values)
            for index in values.indices { values[index] = Float(index) }
            return Tensor(borrowing: UnsafeBufferPointer(values), shape: [3, 2], owner: try #require(lender))
        }
        var tensor: Tensor? = try borrowed()
        lender = nil
        #expect(tensor == Tensor([0, 1, 2, 3, 4, 5] as [Float], shape: [3, 2]) && tensor?.elementType == .float32)
        #expect(tensor?.withFloats { $0.baseAddress } == watched.map { UnsafePointer($0.values.baseAddress) })
        #expect(tensor?.samples(1..<3) == Tensor([2, 3, 4, 5] as [Float], shape: [2, 2]) && tensor?.firstNonFinite == nil)
        var reshaped = tensor?.reshaped(to: [6])
        tensor = nil
        #expect(watched != nil && reshaped?.floats[5] == 5)
        reshaped = nil
        #expect(watched == nil)
    }

    @Test func `borrowed numbers that are not finite are found`() {
        let values: [Float] = [1, .infinity, .nan]
        values.withUnsafeBufferPointer { values in
            #expect(Tensor(borrowing: values, shape: [3], owner: 0).firstNonFinite == 1)
        }
    }

    @Test func `reshaping keeps the values and mapping keeps the shape`() {
        #expect(numbers.reshaped(to: [12]).floats == numbers.floats)
        #expect(numbers.map { -$0 }.floats[11] == -11)
        #expect(numbers.map { -$0 }.shape == [3, 2, 2])
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity]) func `the first number that is not finite is found`(_ strange: Float) {
        #expect(numbers.firstNonFinite == nil)
        for position in 0..<12 {
            var values = numbers.floats
            values[position] = strange
            values[11] = .nan
            #expect(Tensor(values, shape: [12]).firstNonFinite == position)
        }
        #expect(Tensor([Float.greatestFiniteMagnitude, -.greatestFiniteMagnitude, 0, -0.0], shape: [4]).firstNonFinite == nil)
        #expect(Tensor([Int64.max], shape: [1]).firstNonFinite == nil)
    }

    @Test func `an array of batches can be passed through again and again`() throws {
        let batches = [Batch(numbers, labels: [1, 2, 3]), Batch(numbers.samples(0..<1))]
        #expect(batches.batchCount == 2)
        #expect(batches.map(\.count) == [3, 1])
        for _ in 0..<2 {
            var pass = batches.makePass()
            #expect(try pass.next()?.labels == [1, 2, 3])
            #expect(try pass.next()?.inputs == [numbers.samples(0..<1)])
            #expect(try pass.next() == nil)
        }
        #expect(Batch(inputs: []).count == 0)
    }

    @Test func `an error names the place, what is wrong and what to do`() {
        let error = SpikeletError(.invalidModel, "it is broken", remedy: "mend it").located("node 'a'").located("m.onnx")
        #expect(error.description == "m.onnx: node 'a': it is broken\n  → mend it")
        #expect(error.code == .invalidModel)
    }

    #if compiler(>=6.2)
    @Test func `what a tensor cannot be or give ends the program`() async {
        await #expect(processExitsWith: .failure) { _ = Tensor.joined([]) }
        await #expect(processExitsWith: .failure) {
            // As many numbers, in another shape.
            _ = Tensor.joined([Tensor(repeating: 0, shape: [1, 4]), Tensor(repeating: 0, shape: [2, 2, 2])])
        }
        await #expect(processExitsWith: .failure) { _ = Tensor(repeating: 0, shape: [3, 0]).samples(5..<9) }
        await #expect(processExitsWith: .failure) { _ = Tensor([Float](), shape: [0, 1 << 40, 1 << 40]) }
        await #expect(processExitsWith: .failure) {
            var state = NeuronState(membrane: Tensor(repeating: 0, shape: [4]))
            state.memory["count"] = Tensor(repeating: 0, shape: [1])
            _ = state.emit(remembering: "count") { membrane, memory in membrane + memory }
        }
    }
    #endif
}
