import Foundation
import SpikeData
import SpikeGraph
import TestSupport
import Testing

@Suite struct DatasetTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    static func array(_ type: String, _ shape: String, _ data: [UInt8]) throws -> NumericArray {
        try NPY.read(bytes: NPYTests.file(NPYTests.header(type, shape), data))
    }

    static func floats(_ values: [Float], _ shape: [Int]) -> NumericArray { NumericArray(Tensor(values, shape: shape)) }

    /// All samples of a dataset, to be compared.
    struct Samples: Equatable {
        var inputs: [Tensor]
        var labels: [Int]?

        init(_ input: Tensor, labels: [Int]? = nil) {
            self.inputs = [input]
            self.labels = labels
        }
    }

    static func all(_ dataset: Dataset) throws -> Samples {
        let batch = try dataset.batch(at: Array(0..<dataset.count)[...])
        var samples = Samples(batch.inputs[0], labels: batch.labels)
        samples.inputs = batch.inputs
        return samples
    }

    // MARK: Indices

    @Test(arguments: [-1, 2, 3, 100_000_000, Int.max, .min]) func `a sample that is not there is an error`(index: Int) throws {
        let targets = Self.floats([1, 2], [2, 1])
        let datasets = try [
            Dataset(Self.array("|u1", "(2, 2)", [0, 1, 128, 255])), Dataset(Self.floats([1, 2, 3, 4], [2, 2])),
            Dataset(Self.floats([1, 2, 3, 4], [2, 2]), targets: targets),
            Dataset(Self.floats([1, 2, 3, 4], [2, 2]), labels: NumericArray(Tensor([0, 1] as [Int64], shape: [2]))),
        ]
        for dataset in datasets {
            expectError(.invalidData, "there is no sample \(index) among 2") { _ = try dataset.batch(at: [index]) }
            expectError(.invalidData, "there is no sample \(index) among 2") { _ = try dataset.batch(at: [0, index, 1]) }
            #expect(try dataset.batch(at: [1, 0, 1]).count == 3)
            #expect(try dataset.batch(at: []).count == 0)
        }
    }

    @Test func `a source gives what it says`() throws {
        struct Source: SampleSource {
            var given: [Tensor]
            let count = 5
            let sampleShapes = [[2]]
            func inputs(at indices: ArraySlice<Int>) throws -> [Tensor] { given }
        }
        #expect(try Dataset(Source(given: [Tensor(repeating: 1, shape: [3, 2])])).batch(at: [0, 1, 2]).count == 3)
        let (few, narrow) = (Tensor(repeating: 1, shape: [2, 2]), Tensor(repeating: 1, shape: [3, 1]))
        for given in [[], [few], [narrow], [Tensor([Int64](repeating: 1, count: 6), shape: [3, 2])]] {
            expectError(.invalidData, "3 samples come as") { _ = try Dataset(Source(given: given)).batch(at: [0, 1, 2]) }
        }
    }

    #if compiler(>=6.2)
    @Test func `values outside an array are not read`() async {
        await #expect(processExitsWith: .failure) { _ = NumericArray(Tensor([1, 2] as [Float], shape: [2])).floats(in: 1..<3) }
        await #expect(processExitsWith: .failure) { _ = NumericArray(Tensor([1, 2] as [Float], shape: [2])).floats(in: -1..<1) }
    }
    #endif

    // MARK: Numbers

    @Test func `bytes become floats by 1/255`() throws {
        let dataset = try Dataset(Self.array("|u1", "(2, 2)", [0, 1, 128, 255]))
        #expect(try Self.all(dataset).inputs == [tensor([0, 1 / 255, 128 / 255, 1], [2, 2])])
    }

    @Test func `other numbers stay as they are`() throws {
        #expect(try Self.all(Dataset(Self.array("|i1", "(1, 2)", [5, 0xFF]))).inputs == [tensor([5, -1], [1, 2])])
        #expect(try Self.all(Dataset(Self.floats([0.5, 300], [1, 2]))).inputs == [tensor([0.5, 300], [1, 2])])
        #expect(try Self.all(Dataset(Self.array("|b1", "(1, 2)", [1, 0]))).inputs == [tensor([1, 0], [1, 2])])
    }

    @Test func `a normalisation is done per channel`() throws {
        let normalization = try Normalization(mean: [0.5, 0.25], standardDeviation: [0.5, 0.25])
        let expected = tensor([-1, 1, -1, 3, 1, -1, 3, -1], [2, 2, 2])
        let bytes = try Self.array("|u1", "(2, 2, 2)", [0, 255, 0, 255, 255, 0, 255, 0])
        #expect(try Self.all(Dataset(bytes, normalization: normalization)).inputs == [expected])
        let floats = Self.floats([0, 1, 0, 1, 1, 0, 1, 0], [2, 2, 2])
        #expect(try Self.all(Dataset(floats, normalization: normalization)).inputs == [expected])
    }

    @Test func `one number serves all channels`() throws {
        let normalization = try Normalization(mean: [1], standardDeviation: [2])
        let floats = Self.floats([1, 3, 5, 7], [1, 4])
        #expect(try Self.all(Dataset(floats, normalization: normalization)).inputs == [tensor([0, 1, 2, 3], [1, 4])])
    }

    @Test func `a normalisation that does not fit is refused`() async throws {
        #expect(await spikeletError { _ = try Normalization(mean: [], standardDeviation: [1]) }.code == .invalidOption)
        #expect(await spikeletError { _ = try Normalization(mean: [0], standardDeviation: [0]) }.code == .invalidOption)
        #expect(await spikeletError { _ = try Normalization(mean: [.nan], standardDeviation: [1]) }.code == .invalidOption)
        let three = try Normalization(mean: [0, 0, 0], standardDeviation: [1])
        let error = await spikeletError { _ = try Dataset(Self.floats([1, 2], [1, 1, 2]), normalization: three) }
        #expect(error.message == "3 numbers as mean, but the data has 1 channel")
    }

    @Test(arguments: [Float.nan, .infinity])
    func `numbers that are not finite are found`(value: Float) async throws {
        let dataset = try Dataset(Self.floats([1, 2, 3, value], [2, 2]))
        let error = await spikeletError { _ = try Self.all(dataset) }
        #expect(error.code == .invalidData)
        #expect(error.message.contains("sample 1 holds"))
    }

    // MARK: Labels

    @Test func `labels of any type that counts are taken`() throws {
        let inputs = Self.floats([1, 2], [2, 1])
        #expect(try Dataset(inputs, labels: Self.array("|u1", "(2,)", [3, 255])).labels == [3, 255])
        #expect(try Dataset(inputs, labels: Self.floats([3, 9], [2])).labels == [3, 9])
        #expect(try Dataset(inputs, labels: Self.array("<i2", "(2, 1)", [3, 0, 9, 0])).labels == [3, 9])
        #expect(try Dataset(inputs).labels == nil)
    }

    @Test func `labels that are no class numbers are refused`() async throws {
        let inputs = Self.floats([1, 2], [2, 1])
        func error(_ labels: NumericArray) async -> SpikeletError {
            let error = await spikeletError { _ = try Dataset(inputs, labels: labels, name: "data.npz") }
            #expect(error.location == "data.npz")
            #expect(error.code == .invalidData)
            return error
        }
        #expect(await error(Self.floats([1, 2, 3], [3])).message == "2 samples, but 3 labels")
        #expect(await error(Self.floats([1, 0.5], [2])).message.contains("0.5"))
        #expect(await error(Self.floats([1, .nan], [2])).message.contains("nan"))
        #expect(await error(Self.floats([1, -1], [2])).message == "label -1 of sample 1 is below 0")
        #expect(await error(Self.floats([1, 0, 0, 1], [2, 2])).remedy?.contains("argmax") == true)
        #expect(await error(Self.floats([1], [])).message.contains("shape"))
    }

    @Test func `classes of places and values of a regression are targets`() throws {
        let x = tensor([1, 2, 3, 4], [2, 2])
        func dataset(_ name: String, _ array: Tensor) throws -> Dataset {
            try NPZ.write([("x", x), (name, array)], to: folder.file("t.npz"))
            return try Dataset(path: folder.file("t.npz"))
        }
        // Integers of several places a sample.
        let places = Tensor([Int64(0), 2, 1, 1], shape: [2, 2])
        let segmented = try dataset("labels", places)
        #expect(segmented.labels == nil && segmented.targets == places)
        #expect(try segmented.batch(at: [1]).targets == places.samples(1..<2))
        // Fractions, or several numbers a sample, are values; whole numbers, one a sample, are classes.
        for name in ["labels", "y"] {
            #expect(try dataset(name, tensor([0.5, 2], [2])).targets == tensor([0.5, 2], [2]))
            #expect(try dataset(name, tensor([1, 2, 3, 4], [2, 2])).targets == tensor([1, 2, 3, 4], [2, 2]))
            #expect(try dataset(name, tensor([0, 1], [2, 1])).labels == [0, 1])
        }
        #expect(try dataset("targets", Tensor([Int64(3), 4], shape: [2])).targets == tensor([3, 4], [2]))
        for array in [tensor([1, 0, 0, 1], [2, 2]), Tensor([Int64(1), 0, 0, 1], shape: [2, 2])] {
            #expect(throws: SpikeletError.self) { try dataset("y", array) }
        }
        #expect(throws: SpikeletError.self) { try dataset("labels", Tensor([Int64(0), -1, 0, 0], shape: [2, 2])) }
        // A network of several inputs has them too.
        try NPZ.write([("a", x), ("b", x), ("targets", tensor([0.5, 2], [2]))], to: folder.file("m.npz"))
        #expect(try Dataset(path: folder.file("m.npz"), inputs: ["a", "b"]).targets == tensor([0.5, 2], [2]))
        try NPZ.write([("x", x), ("y", tensor([0, 1], [2])), ("targets", x)], to: folder.file("b.npz"))
        #expect(throws: SpikeletError.self) { try Dataset(path: folder.file("b.npz")) }
        // Other classes are other data.
        let other = try DataLoader(dataset("labels", Tensor([Int64(0), 2, 1, 0], shape: [2, 2]))).digest()
        #expect(try DataLoader(segmented).digest() != other)
    }

    // MARK: Shapes

    @Test func `empty data is refused`() async {
        #expect(await spikeletError { _ = try Dataset(Self.floats([], [0, 3])) }.message == "the dataset is empty: it has 0 samples")
        #expect(await spikeletError { _ = try Dataset(Self.floats([], [3, 0])) }.message == "samples of shape [0] hold no values")
        #expect(await spikeletError { _ = try Dataset(Self.floats([1], [])) }.message.contains("single number"))
    }

    // MARK: Files

    @Test(arguments: [("images", "labels"), ("x", "y"), ("x", "labels")], [false, true])
    func `archives are opened by the names of their arrays`(names: (String, String), compressed: Bool) throws {
        let images = tensor([1, 2, 3, 4, 5, 6], [3, 2])
        try NPZ.write(
            [(names.0, images), (names.1, Tensor([Int64(1), 0, 2], shape: [3])), ("other", images)], to: folder.file("a.npz"),
            compressed: compressed)
        let dataset = try Dataset(path: folder.file("a.npz"))
        #expect(dataset.count == 3)
        #expect(dataset.sampleShapes == [[2]])
        #expect(try Self.all(dataset) == Samples(images, labels: [1, 0, 2]))
    }

    @Test func `archives without or with too many arrays are refused`() async throws {
        let one = tensor([1], [1, 1])
        try NPZ.write([("a", one), ("b", one)], to: folder.file("a.npz"))
        let error = await spikeletError { _ = try Dataset(path: folder.file("a.npz")) }
        #expect(error.message == "it has no array 'images' or 'x'; it holds 'a', 'b'")
        try NPZ.write([("x", one), ("images", one)], to: folder.file("b.npz"))
        #expect(await spikeletError { _ = try Dataset(path: folder.file("b.npz")) }.message == "it has both 'images' and 'x'")
    }

    @Test func `an npy file holds inputs only`() throws {
        let one = tensor([1, 2], [2, 1])
        try NPY.write(one, to: folder.file("a.npy"))
        #expect(try Self.all(Dataset(path: folder.file("a.npy"))) == Samples(one))
    }

    @Test func `a folder of IDX files has splits and gains a channel axis`() async throws {
        try folder.write(IDXTests.file(8, [2, 1, 2], [0, 255, 255, 0]), "train-images-idx3-ubyte")
        try folder.write(IDXTests.file(8, [2], [7, 9]), "train-labels-idx1-ubyte")
        let train = try Dataset(path: folder.path)
        #expect(try Self.all(train) == Samples(tensor([0, 1, 1, 0], [2, 1, 1, 2]), labels: [7, 9]))
        #expect(await spikeletError { _ = try Dataset(path: folder.path, split: .test) }.remedy?.contains("`split: train`") == true)

        try folder.write(gzip(IDXTests.file(8, [1, 1, 2], [255, 255])), "t10k-images.idx3-ubyte.gz")
        #expect(await spikeletError { _ = try Dataset(path: folder.path) }.code == .invalidOption)
        #expect(try Self.all(Dataset(path: folder.path, split: .train)) == Self.all(train))
        #expect(try Self.all(Dataset(path: folder.path, split: .test)) == Samples(tensor([1, 1], [1, 1, 1, 2])))
    }

    @Test func `paths that are no data are refused`() async throws {
        #expect(await spikeletError { _ = try Dataset(path: folder.path) }.message == "there is no data in this folder")
        #expect(await spikeletError { _ = try Dataset(path: folder.file("missing")) }.code == .fileSystem)
        #expect(await spikeletError { _ = try Dataset(path: folder.file("missing.npz")) }.code == .fileSystem)
        try folder.write([1], "a.txt")
        #expect(await spikeletError { _ = try Dataset(path: folder.file("a.txt")) }.message.contains("kind"))
        #expect(await spikeletError { _ = try Dataset(path: folder.file("a.npz"), split: .test) }.code == .invalidOption)
    }
}
