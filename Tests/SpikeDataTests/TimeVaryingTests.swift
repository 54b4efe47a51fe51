import Foundation
import SpikeData
import SpikeGraph
import TestSupport
import Testing

@Suite("Time-varying samples as data") struct TimeVaryingDataTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The number of step t, sample n and place p is 100 t + 10 n + p.
    private static func values(_ steps: Int, _ samples: Int, stepsFirst: Bool) -> [Float] {
        let (rows, columns) = stepsFirst ? (steps, samples) : (samples, steps)
        return (0..<rows * columns * 2).map { index in
            let (row, column) = (index / 2 / columns, index / 2 % columns)
            return Float(100 * (stepsFirst ? row : column) + 10 * (stepsFirst ? column : row) + index % 2)
        }
    }

    private func write(_ images: Tensor, labels: [Int64]? = nil, _ name: String = "events.npz") throws -> String {
        let path = folder.file(name)
        try NPZ.write([("images", images)] + (labels.map { [("labels", Tensor($0, shape: [$0.count]))] } ?? []), to: path)
        return path
    }

    @Test func `the number of labels says which axis counts samples`() throws {
        let expected = Tensor(Self.values(4, 3, stepsFirst: false), shape: [3, 4, 2])
        for stepsFirst in [true, false] {
            let images = Tensor(Self.values(4, 3, stepsFirst: stepsFirst), shape: (stepsFirst ? [4, 3] : [3, 4]) + [2])
            let dataset = try Dataset(timeVarying: write(images, labels: [5, 6, 7]), sample: [2])
            #expect(dataset.count == 3 && dataset.sampleShapes == [[4, 2]] && dataset.labels == [5, 6, 7] && dataset.cautions.isEmpty)
            #expect(try dataset.batch(at: [0, 1, 2]).inputs == [expected])
            let some = try dataset.batch(at: [2, 0])
            #expect(some.inputs == [Tensor.joined([expected.samples(2..<3), expected.samples(0..<1)])] && some.labels == [7, 5])
        }
        // An open size is any.
        #expect(try Dataset(timeVarying: folder.file("events.npz"), sample: [nil]).count == 3)
    }

    @Test func `where both can be, and without labels, time steps come first`() throws {
        let images = Tensor(Self.values(3, 3, stepsFirst: true), shape: [3, 3, 2])
        let expected = Tensor(Self.values(3, 3, stepsFirst: false), shape: [3, 3, 2])
        let path = try write(images, labels: [0, 1, 2])
        let dataset = try Dataset(timeVarying: path, sample: [2])
        #expect(try dataset.batch(at: [0, 1, 2]).inputs == [expected])
        #expect(dataset.cautions == ["\(path): time steps and samples are both 3: the inputs [3, 3, 2] are taken as [T, N, …]"])
        let unlabelled = Tensor(Self.values(4, 3, stepsFirst: true), shape: [4, 3, 2])
        try NPY.write(unlabelled, to: folder.file("events.npy"))
        for path in [try write(unlabelled), folder.file("events.npy")] {
            let dataset = try Dataset(timeVarying: path, sample: [2])
            #expect(dataset.count == 3 && dataset.sampleShapes == [[4, 2]] && dataset.labels == nil && dataset.cautions.isEmpty)
        }
    }

    @Test func `bytes and truth values are taken as they are`() throws {
        let path = folder.file("bytes.npy")
        try Data(NPYTests.file(NPYTests.header("|u1", "(2, 1, 2)"), [0, 1, 3, 255])).write(to: URL(fileURLWithPath: path))
        let dataset = try Dataset(timeVarying: path, sample: [2])
        #expect(try dataset.batch(at: [0]).inputs == [Tensor([0, 1, 3, 255] as [Float], shape: [1, 2, 2])])
        #expect(dataset.cautions == ["\(path): the bytes of a time-varying input are taken as they are, not divided by 255"])
        try NPY.write(Tensor([true, false], shape: [2, 1, 1]), to: path)
        #expect(try Dataset(timeVarying: path, sample: [1]).batch(at: [0]).inputs == [Tensor([1, 0] as [Float], shape: [1, 2, 1])])
    }

    @Test func `what does not fit is an error that names the sizes`() throws {
        let images = Tensor(repeating: 1, shape: [4, 3, 2])
        expectError(.invalidData, "5 labels", "[4, 3, 2]", "neither 4 nor 3 samples") {
            _ = try Dataset(timeVarying: write(images, labels: [0, 1, 2, 3, 4]), sample: [2])
        }
        expectError(.invalidData, "[4, 3, 2]", "[T, N, 5]") { _ = try Dataset(timeVarying: write(images), sample: [5]) }
        expectError(.invalidData, "[T, N, 3, 2]", "leave out `timeVarying: true`") {
            _ = try Dataset(timeVarying: write(images), sample: [3, 2])
        }
        expectError(.invalidData, "[T, N, 7, 3, 2]") { _ = try Dataset(timeVarying: write(images), sample: [7, 3, 2]) }
        expectError(.invalidData, "dataset is empty", "[0, 3, 2]") {
            _ = try Dataset(timeVarying: write(Tensor(repeating: 1, shape: [0, 3, 2])), sample: [2])
        }
        expectError(.invalidData, "arrays") { _ = try Dataset(timeVarying: folder.path, sample: [2]) }
        try NPZ.write([("events", images)], to: folder.file("other.npz"))
        expectError(.invalidData, "no array 'images' or 'x'", "'events'") {
            _ = try Dataset(timeVarying: folder.file("other.npz"), sample: [2])
        }
        var values = images.floats
        values[2 * 3 * 2 + 2] = .nan
        let dataset = try Dataset(timeVarying: write(Tensor(values, shape: [4, 3, 2])), sample: [2])
        #expect(try dataset.batch(at: [0, 2]).count == 2)
        expectError(.invalidData, "sample 1 holds nan in time step 2, at position 0") { _ = try dataset.batch(at: [0, 1]) }
        // Taken for samples that are the same in every step, they may be meant otherwise.
        expectError(.invalidData, "4 samples, but 3 labels", "`timeVarying: true`") {
            _ = try Dataset(path: write(images, labels: [0, 1, 2]))
        }
    }
}
