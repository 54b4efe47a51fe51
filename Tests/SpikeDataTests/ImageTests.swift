import Foundation
import SpikeData
import SpikeGraph
import TestSupport
import Testing

/// The pictures of `Tests/Fixtures/Images` beside what Pillow makes of them.
@Suite struct ImageTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    static let names = [
        "baseline.jpg", "progressive.jpeg", "full_chroma.JPG", "grey.jpg", "cmyk.jpg", "ycck.jpg", "orientation.jpg", "tall.jpg",
        "tiny.jpg",
        "rgb.png", "grey.png", "bits1.png", "palette.png", "palette_bits4.png", "palette_transparent.png", "rgb_transparent.png",
        "grey_alpha.png", "rgba.png", "rgb16.png", "grey16.png", "interlaced.png",
    ]

    static func path(_ name: String) -> String { Repository.fixture("Images/\(name)") }
    static func bytes(_ name: String) throws -> [UInt8] { try Array(Data(contentsOf: URL(fileURLWithPath: path(name)))) }

    private static let expected = Result { try NPZ(path: path("expected.npz")) }

    /// One picture as a network sees it, in whole bytes.
    private func prepared(_ name: String, _ transform: ImageTransform) throws -> Tensor {
        try folder.write(Self.bytes(name), "\(name)-alone/\(name)")
        let batch = try Dataset(path: folder.file("\(name)-alone"), images: transform).batch(at: [0])
        return Tensor(batch.inputs[0].floats.map { ($0 * 255).rounded() }, shape: batch.inputs[0].shape)
    }

    /// Pillow's libjpeg is another version than ours may be, so that JPEG gets a little room: the bound of the whole is 1/255 on average.
    private func compare(_ name: String, _ what: String, _ transform: ImageTransform) throws {
        let array = try Self.expected.get().array("\(name)/\(what)")
        let actual = try prepared(name, transform)
        #expect(actual.shape == [1] + array.shape)
        let differences = zip(actual.floats, array.floats()).map { abs($0 - $1) }
        let mean = differences.reduce(0, +) / Float(differences.count)
        if name.hasSuffix(".png") {
            #expect(mean == 0, "\(name), \(what)")
        } else {
            #expect(mean < 0.5 && differences.allSatisfy { $0 <= 8 }, "\(name), \(what): \(mean), \(differences.max() ?? 0)")
        }
    }

    @Test(arguments: names) func `a picture is what Pillow makes of it`(_ name: String) throws {
        try compare(name, "decoded", ImageTransform(resize: nil, crop: nil))
        try compare(name, "small", ImageTransform(resize: .side(20), crop: .side(16)))
        try compare(name, "cubic", ImageTransform(resize: .exact(height: 24, width: 18), crop: nil, interpolation: .bicubic))
        try compare(name, "border", ImageTransform(resize: .side(12), crop: .exact(height: 14, width: 30)))
    }

    @Test func `grey is BT 601's`() throws {
        let color = try prepared("rgb.png", ImageTransform(resize: nil, crop: nil)).floats
        let grey = try prepared("rgb.png", ImageTransform(resize: nil, crop: nil, isGrey: true))
        #expect(grey.shape == [1, 1, 37, 50])
        let plane = 37 * 50
        for place in 0..<plane {
            let exact = 0.299 * color[place] + 0.587 * color[plane + place] + 0.114 * color[2 * plane + place]
            #expect(abs(grey.floats[place] - exact) <= 0.51)
        }
    }

    @Test func `without options it is 224 of 256, spread to 0…1 and normalised`() throws {
        try folder.write(Self.bytes("grey.png"), "a/grey.png")
        let plain = try Dataset(path: folder.path)
        #expect(plain.sampleShapes == [[3, 224, 224]])
        let values = try plain.batch(at: [0]).inputs[0]
        #expect(values.floats.allSatisfy { (0...1).contains($0) })
        let normalization = try Normalization(mean: [0.5, 0, 0], standardDeviation: [0.5, 1, 1])
        let normalized = try Dataset(path: folder.path, normalization: normalization).batch(at: [0]).inputs[0]
        let plane = 224 * 224
        for place in 0..<plane {
            #expect(abs(normalized.floats[place] - (values.floats[place] - 0.5) / 0.5) < 1e-6)
            #expect(normalized.floats[plane + place] == values.floats[plane + place])
        }
    }

    @Test func `sizes that are none are refused`() {
        expectError(.invalidOption, "0 × 0") { _ = try ImageTransform(resize: .side(0)) }
        expectError(.invalidOption, "16384") { _ = try ImageTransform(crop: .exact(height: 4, width: 1 << 40)) }
    }
}

/// Folders of pictures, and what may be wrong with them.
@Suite struct ImageFolderTests {
    let folder: TemporaryFolder
    private let transform: ImageTransform

    init() throws {
        folder = try TemporaryFolder()
        transform = try ImageTransform(resize: .exact(height: 8, width: 8), crop: nil)
    }

    private func put(_ name: String, at places: String...) throws {
        for place in places { try folder.write(ImageTests.bytes(name), place) }
    }

    private func dataset(labels: String? = nil) throws -> Dataset {
        try Dataset(path: folder.path, images: transform, labels: labels)
    }

    @Test func `folders are classes by name, and take turns`() throws {
        try put("rgb.png", at: "B/1.png", "a/1.png", "a/deep/er/2.png", "a/3.jpg", "C/1.png")
        try folder.write([1, 2], "a/notes.txt")
        try folder.write([1, 2], ".hidden/x.png")
        let dataset = try dataset()
        #expect(dataset.labels == [0, 1, 2, 2, 2])
        let batch = try dataset.batch(at: [4, 0])
        #expect(batch.labels == [2, 0])
        #expect(batch.inputs[0].shape == [2, 3, 8, 8])
    }

    @Test func `pictures without folders have no classes`() throws {
        try put("rgb.png", at: "2.png", "1.png")
        let dataset = try dataset()
        #expect(dataset.labels == nil)
        #expect(dataset.count == 2)
    }

    @Test func `a file says the classes`() throws {
        try put("rgb.png", at: "n01/1.png", "n01/2 b.png", "n02/1.png", "loose.png")
        let labels = try folder.write(Array("# classes\nn01/ 7\n\nn02,3\r\n./n01/2 b.png\t5\nloose.png, 1\n".utf8), "labels.txt")
        // The loose ones first, then the folders in turns.
        #expect(try dataset(labels: labels).labels == [1, 7, 3, 5])
        let short = try folder.write(Array("n01 7\nn02 x".utf8), "short.txt")
        expectError(.invalidData, "short.txt, line 2", "does not end in a class") { _ = try dataset(labels: short) }
        let partial = try folder.write(Array("n01 7".utf8), "partial.txt")
        expectError(.invalidData, "2 of 4 pictures", "loose.png", "n02/1.png") { _ = try dataset(labels: partial) }
    }

    @Test func `everything that is wrong is listed at once`() throws {
        try put("rgb.png", at: "a/good.png")
        try folder.write(Array("not a picture".utf8), "a/text.jpg")
        try folder.write(try ImageTests.bytes("baseline.jpg").prefix(40), "b/cut.jpg")
        try folder.write([], "b/empty.png")
        expectError(.invalidData, folder.path, "a/text.jpg: its first bytes", "b/cut.jpg: the picture is damaged", "b/empty.png") {
            _ = try dataset()
        }
        try folder.write([0x42, 0x4D], "c/old.bmp")
        expectError(.invalidData, "c/old.bmp: pictures of the kind .bmp", "c: a class without") { _ = try dataset() }
    }

    @Test func `pictures beside folders of classes are refused`() throws {
        try put("rgb.png", at: "a/1.png", "2.png")
        expectError(.invalidData, "2.png: lies beside") { _ = try dataset() }
    }

    @Test func `what is damaged behind its head is named when its turn comes`() throws {
        let data = try ImageTests.bytes("rgb.png")
        try put("rgb.png", at: "a/0.png")
        try folder.write(data.prefix(data.count / 2), "a/1.png")
        let jpeg = try ImageTests.bytes("baseline.jpg")
        try folder.write(jpeg.prefix(jpeg.count - 100), "a/2.jpg")
        let progressive = try ImageTests.bytes("progressive.jpeg")
        try folder.write(progressive.prefix(progressive.count - 100), "a/3.jpg")
        let dataset = try dataset()
        #expect(try dataset.batch(at: [0]).count == 1)
        expectError(.invalidData, "a/1.png: the picture is damaged", "a/2.jpg", "a/3.jpg") { _ = try dataset.batch(at: [0, 1, 2, 3]) }
    }

    @Test func `a head that claims too much is refused before memory is asked for`() throws {
        var png = try ImageTests.bytes("rgb.png")
        // The width: libpng compares the checksum, which is changed too.
        png.replaceSubrange(16..<20, with: [0x7F, 0xFF, 0xFF, 0xFF])
        png.replaceSubrange(29..<33, with: Self.checksum(png[12..<29]))
        try folder.write(png, "a/bomb.png")
        var jpeg = try ImageTests.bytes("baseline.jpg")
        let frame = try #require((0..<jpeg.count - 1).first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
        jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
        try folder.write(jpeg, "a/bomb.jpg")
        expectError(.invalidData, "a/bomb.jpg: it claims 65500 x 65500", "a/bomb.png: it claims 2147483647 x 37") { _ = try dataset() }
    }

    /// CRC-32 as PNG has it, most significant byte first.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var sum = UInt32.max
        for byte in bytes {
            sum ^= UInt32(byte)
            for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
        }
        return withUnsafeBytes(of: (~sum).bigEndian) { Array($0) }
    }

    @Test func `pictures of several sizes need a crop`() throws {
        try put("rgb.png", at: "a/1.png")
        try put("tall.jpg", at: "a/2.jpg")
        expectError(.invalidData, "a batch needs one shape", "`crop: 224`") {
            _ = try Dataset(path: folder.path, images: ImageTransform(resize: .side(8), crop: nil))
        }
    }

    @Test func `options of pictures go with pictures alone`() throws {
        expectError(.invalidOption, "no folder of pictures") {
            _ = try Dataset(path: Repository.model("FashionMNIST/test_1000.npz"), images: transform)
        }
        try put("rgb.png", at: "a/1.png")
        expectError(.invalidOption, "no split") { _ = try Dataset(path: folder.path, split: .test) }
    }

    @Test func `changed pictures are decoded or refused`() throws {
        var random = SeededGenerator(9)
        for name in ImageTests.names {
            let original = try ImageTests.bytes(name)
            for _ in 0..<60 {
                var data = original
                for _ in 0...Int.random(in: 0..<6, using: &random) {
                    data[Int.random(in: 0..<data.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                if Int.random(in: 0..<4, using: &random) == 0 { data.removeLast(Int.random(in: 0..<data.count, using: &random)) }
                try folder.write(data, "a/x.png")
                do {
                    let batch = try dataset().batch(at: [0])
                    #expect(batch.inputs[0].shape == [1, 3, 8, 8])
                } catch is SpikeletError {}
            }
        }
    }
}
