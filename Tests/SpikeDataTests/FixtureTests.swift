import Foundation
import SpikeData
import SpikeGraph
import TestSupport
import Testing

/// Files that NumPy and others wrote.
@Suite struct FixtureTests {
    struct Expected: Decodable, Sendable {
        var dtype: String
        var shape: [Int]
        /// The first ones, in row-major order.
        var values: [Double]

        enum Keys: String, CodingKey { case dtype, shape, values }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            dtype = try container.decode(String.self, forKey: .dtype)
            shape = try container.decode([Int].self, forKey: .shape)
            values =
                if let numbers = try? container.decode([Double].self, forKey: .values) {
                    numbers
                } else {
                    try container.decode([Bool].self, forKey: .values).map { $0 ? 1 : 0 }
                }
        }
    }

    enum Entry: Decodable, Sendable {
        case array(Expected)
        case archive([String: Expected])

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let array = try? container.decode(Expected.self) {
                self = .array(array)
            } else {
                self = .archive(try container.decode([String: Expected].self))
            }
        }
    }

    static let types: [String: NumericType] = [
        "f2": .float16, "f4": .float32, "f8": .float64, "i1": .int8, "u1": .uint8, "i2": .int16, "u2": .uint16, "i4": .int32, "u4": .uint32,
        "i8": .int64, "u8": .uint64, "b1": .bool,
    ]

    func compare(_ array: NumericArray, _ expected: Expected, _ name: String) throws {
        #expect(array.elementType == Self.types[String(expected.dtype.suffix(2))], "\(name)")
        #expect(array.shape == expected.shape, "\(name)")
        #expect(array.count == expected.shape.reduce(1, *), "\(name)")
        let tensor = try array.tensor()
        #expect(tensor.shape == expected.shape)
        if case .int64(let integers) = tensor.storage {
            #expect(integers.prefix(expected.values.count).map { Double($0) } == expected.values, "\(name)")
        }
        #expect(array.floats().prefix(expected.values.count).map { $0 } == expected.values.map { Float($0) }, "\(name)")
    }

    @Test func `arrays that NumPy wrote`() throws {
        let data = try Data(contentsOf: URL(fileURLWithPath: Repository.fixture("Arrays/expected.json")))
        let expected = try JSONDecoder().decode([String: Entry].self, from: data)
        #expect(expected.count >= 20)
        for (name, entry) in expected {
            let path = Repository.fixture("Arrays/\(name)")
            switch entry {
            case .array(let array): try compare(name.hasPrefix("IDX") ? IDX.read(path) : NPY.read(path), array, name)
            case .archive(let arrays):
                let archive = try NPZ(path: path)
                #expect(Set(archive.names) == Set(arrays.keys))
                for (key, array) in arrays { try compare(archive.array(key), array, "\(name)/\(key)") }
            }
        }
    }

    @Test(arguments: Dataset.Split.allCases)
    func `a folder of IDX files`(split: Dataset.Split) throws {
        let dataset = try Dataset(path: Repository.fixture("Arrays/IDX"), split: split)
        #expect(dataset.count == 5)
        #expect(dataset.sampleShapes == [[1, 4, 6]])
        #expect(dataset.labels == (split == .train ? [3, 0, 9, 1, 4] : [4, 1, 9, 0, 3]))
    }

    @Test(arguments: [("train_2000", 2000), ("test_1000", 1000)])
    func `the bundled images`(name: String, count: Int) throws {
        let dataset = try Dataset(path: Repository.model("FashionMNIST/\(name).npz"))
        #expect(dataset.count == count)
        #expect(dataset.sampleShapes == [[1, 28, 28]])
        #expect(Set(dataset.labels ?? []) == Set(0..<10))
        let first = try dataset.batch(at: [0]).inputs[0].floats
        #expect(first.allSatisfy { (0...1).contains($0) } && first.contains { $0 > 0.5 })
    }

    static let debianFolder = "/usr/share/datasets/fashion-mnist"

    @Test(.enabled(if: FileManager.default.fileExists(atPath: debianFolder), "only where Debian's package of the dataset is installed"))
    func `the whole of Fashion-MNIST`() throws {
        let train = try Dataset(path: Self.debianFolder, split: .train)
        #expect(train.count == 60_000)
        #expect(train.sampleShapes == [[1, 28, 28]])
        #expect(train.labels?.prefix(5) == [9, 0, 0, 3, 0])
        let test = try Dataset(path: Self.debianFolder, split: .test)
        #expect(test.count == 10_000)
        #expect(test.labels?.prefix(5) == [9, 2, 1, 1, 6])
        var pass = try DataLoader(test, batchSize: 500, shuffleSeed: 3).makePass()
        var counts = [Int](repeating: 0, count: 10)
        while let batch = try pass.next() { for label in batch.labels ?? [] { counts[label] += 1 } }
        #expect(counts == [Int](repeating: 1000, count: 10))
    }
}
