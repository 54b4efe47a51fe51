import SpikeData
import SpikeGraph
import Testing

@Suite struct DataLoaderTests {
    /// Samples 0 … count−1, each its own label.
    static func dataset(_ count: Int) throws -> Dataset {
        try Dataset(
            NumericArray(Tensor((0..<count).map { Float($0) }, shape: [count, 1])),
            labels: NumericArray(Tensor((0..<count).map { Int64($0) }, shape: [count])))
    }

    /// The samples of the batches of a pass.
    static func pass(_ loader: any BatchSource) throws -> [[Int]] {
        var pass = try loader.makePass()
        var batches: [[Int]] = []
        while let batch = try pass.next() {
            #expect(batch.count > 0)
            #expect(batch.inputs.map(\.shape) == [[batch.count, 1]])
            #expect(batch.inputs[0].floats.map { Int($0) } == batch.labels)
            batches.append(try #require(batch.labels))
        }
        #expect(try pass.next() == nil)
        return batches
    }

    @Test func `batches come in order and the last may be smaller`() throws {
        let loader = try DataLoader(Self.dataset(7), batchSize: 3)
        #expect(try Self.pass(loader) == [[0, 1, 2], [3, 4, 5], [6]])
        #expect(loader.batchCount == 3)
        #expect(loader.count == 7)
        #expect(try DataLoader(Self.dataset(6), batchSize: 3).batchCount == 2)
        #expect(try Self.pass(DataLoader(Self.dataset(2), batchSize: .max)) == [[0, 1]])
        #expect(try DataLoader(Self.dataset(2), batchSize: .max).batchCount == 1)
        #expect(try DataLoader(Self.dataset(201)).batchCount == 3)
    }

    @Test func `a limit keeps the first samples`() throws {
        let loader = try DataLoader(Self.dataset(7), batchSize: 2, limit: 3)
        #expect(try Self.pass(loader) == [[0, 1], [2]])
        #expect(loader.batchCount == 2)
        #expect(try DataLoader(Self.dataset(7), limit: 100).count == 7)
    }

    @Test func `a seed draws the same order in every pass and on every platform`() throws {
        let loader = try DataLoader(Self.dataset(10), batchSize: 10, shuffleSeed: 1)
        let order = try #require(try Self.pass(loader).first)
        #expect(try Self.pass(loader) == [order])
        #expect(order.sorted() == Array(0..<10))
        #expect(order == Self.orderOfSeed1)
        #expect(try Self.pass(DataLoader(Self.dataset(10), batchSize: 10, limit: 4, shuffleSeed: 1)) == [Array(order.prefix(4))])
        #expect(try Self.pass(DataLoader(Self.dataset(10), batchSize: 10, shuffleSeed: 2)) != [order])
    }

    /// Computed by a program of its own from the published algorithm.
    static let orderOfSeed1 = [4, 2, 8, 1, 9, 3, 0, 6, 7, 5]

    @Test func `the digest tells data of any type from others`() throws {
        func digest(_ tensor: Tensor) throws -> String { try DataLoader(Dataset(TensorSamples(tensor: tensor)), batchSize: 2).digest() }
        let ids = Tensor([1, 2, 3, 4, 5, 6] as [Int64], shape: [3, 2])
        let others = [
            Tensor([1, 2, 3, 4, 5, 7] as [Int64], shape: [3, 2]), Tensor([1, 2, 3, 4, 5, 6] as [Float], shape: [3, 2]),
            Tensor([true, false, true, false, true, true], shape: [3, 2]),
        ]
        #expect(try Set(([ids] + others).map(digest)).count == 4)
        #expect(try digest(ids) == digest(ids))
    }

    @Test func `the generator is the published one`() {
        var generator = SplitMix64(seed: 1_234_567)
        let published: [UInt64] = [
            6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ]
        #expect((0..<5).map { _ in generator.next() } == published)
    }

    @Test func `every order is as likely as another`() {
        var counts: [[Int]: Int] = [:]
        var generator = SplitMix64(seed: 5)
        for _ in 0..<6000 { counts[generator.permutation(of: 3), default: 0] += 1 }
        #expect(counts.count == 6)
        #expect(counts.values.allSatisfy { (880...1120).contains($0) })
        #expect(generator.permutation(of: 0) == [])
        #expect(generator.permutation(of: 1) == [0])
    }

    @Test func `sizes below 1 are refused`() async throws {
        let dataset = try Self.dataset(3)
        for size in [0, -1, Int.min] {
            #expect(await spikeletError { _ = try DataLoader(dataset, batchSize: size) }.code == .invalidOption)
            #expect(await spikeletError { _ = try DataLoader(dataset, limit: size) }.code == .invalidOption)
        }
    }
}

/// Samples of any element type.
private struct TensorSamples: SampleSource {
    let tensor: Tensor

    var count: Int { tensor.shape[0] }
    var sampleShapes: [[Int]] { [Array(tensor.shape.dropFirst())] }
    var elementTypes: [ElementType] { [tensor.elementType] }

    func inputs(at indices: ArraySlice<Int>) -> [Tensor] { [Tensor.joined(indices.map { tensor.samples($0..<$0 + 1) })] }
}
