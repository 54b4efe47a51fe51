import Foundation
import SpikeData
import SpikeGraph
import TestSupport
import Testing

@Suite struct NPYTests {
    /// A file of version 1 with this header and these bytes after it.
    static func file(_ header: String, _ data: [UInt8] = [], version: UInt8 = 1) -> [UInt8] {
        let length = header.utf8.count
        let field = [UInt8(length & 0xFF), UInt8(length >> 8 & 0xFF)] + (version == 1 ? [] : [0, 0])
        return [0x93] + Array("NUMPY".utf8) + [version, 0] + field + Array(header.utf8) + data
    }

    static func header(_ type: String, _ shape: String, fortran: String = "False") -> String {
        "{'descr': '\(type)', 'fortran_order': \(fortran), 'shape': \(shape), }\n"
    }

    static func error(_ bytes: [UInt8]) async -> SpikeletError {
        let error = await spikeletError { _ = try NPY.read(bytes: bytes, name: "a.npy") }
        #expect(error.location == "a.npy")
        return error
    }

    // MARK: Round trips

    @Test(arguments: [[], [1], [3], [2, 3], [2, 1, 4], [0, 3]])
    func `what is written is read again`(shape: [Int]) throws {
        let folder = try TemporaryFolder()
        let count = shape.reduce(1, *)
        let tensors = [
            Tensor((0..<count).map { Float($0) - 1.5 }, shape: shape), Tensor((0..<count).map { Int64($0) - 7 << 40 }, shape: shape),
            Tensor((0..<count).map { $0 % 3 == 0 }, shape: shape),
        ]
        for tensor in tensors {
            try NPY.write(tensor, to: folder.file("a.npy"))
            #expect(try NPY.read(folder.file("a.npy")).tensor() == tensor)
        }
        #expect(folder.contents == ["a.npy"])
    }

    @Test func `values start at a multiple of 64 bytes as NumPy's do`() throws {
        let folder = try TemporaryFolder()
        for length in 1...40 {
            let shape = [Int](repeating: 1, count: length)
            try NPY.write(tensor([1], shape), to: folder.file("a.npy"))
            #expect(try #require(folder.read("a.npy")).count % 64 == 4)
        }
    }

    @Test func `special numbers survive`() throws {
        let folder = try TemporaryFolder()
        let values: [Float] = [.infinity, -.infinity, -0.0, .leastNonzeroMagnitude, .greatestFiniteMagnitude, .nan]
        try NPY.write(tensor(values, [6]), to: folder.file("a.npy"))
        #expect(try NPY.read(folder.file("a.npy")).floats().map(\.bitPattern) == values.map(\.bitPattern))
    }

    // MARK: Element types and orders

    @Test(arguments: ["<f2", ">f2"])
    func `half precision, normal and subnormal and special`(type: String) throws {
        let bits: [UInt16] = [0x3C00, 0xC000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0x7C00, 0xFC00, 0x8000]
        let data = bits.flatMap { type == "<f2" ? [UInt8($0 & 0xFF), UInt8($0 >> 8)] : [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
        let array = try NPY.read(bytes: Self.file(Self.header(type, "(9,)"), data))
        #expect(array.elementType == .float16)
        #expect(array.floats() == [1, -2, 0x1p-24, -0x1.FF8p-15, 0x1p-14, 65504, .infinity, -.infinity, 0])
        #expect(try NPY.read(bytes: Self.file(Self.header("<f2", "()"), [0x01, 0x7E])).floats()[0].isNaN)
    }

    @Test func `integers of every size keep their sign`() throws {
        func values(_ type: String, _ data: [UInt8]) throws -> [Int64] {
            try NPY.read(bytes: Self.file(Self.header(type, "(\(data.count / (type.last?.wholeNumberValue ?? 1)),)"), data)).integers()
        }
        #expect(try values("|i1", [0xFF, 0x80, 0x7F]) == [-1, -128, 127])
        #expect(try values("|u1", [0xFF, 0x80, 0x7F]) == [255, 128, 127])
        #expect(try values("<i2", [0xFE, 0xFF]) == [-2])
        #expect(try values(">i2", [0xFE, 0xFF]) == [-257])
        #expect(try values("<u2", [0xFE, 0xFF]) == [65534])
        #expect(try values(">i4", [0xFF, 0xFF, 0xFF, 0xFD]) == [-3])
        #expect(try values("<u4", [0xFF, 0xFF, 0xFF, 0xFF]) == [4_294_967_295])
        #expect(try values("=i8", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF]) == [-1])
        #expect(try values(">u8", [0, 0, 0, 0, 0, 0, 1, 2]) == [258])
        #expect(try values("|b1", [0, 1, 1]) == [0, 1, 1])
    }

    @Test func `an unsigned integer that no int64 holds is an error`() async throws {
        let array = try NPY.read(bytes: Self.file(Self.header("<u8", "(1,)"), [UInt8](repeating: 0xFF, count: 8)))
        #expect(array.floats() == [0x1p64])
        #expect(await spikeletError { _ = try array.tensor() }.code == .invalidData)
    }

    @Test(arguments: ["<f4", "<f8"])
    func `numbers with a fraction are no integers`(type: String) async throws {
        let folder = try TemporaryFolder()
        try NPY.write(tensor([1, 2.5], [2]), to: folder.file("a.npy"))
        let array = try NPY.read(folder.file("a.npy"))
        #expect(await spikeletError { _ = try array.integers() }.message.contains("2.5"))
    }

    @Test func `column-major arrays are read row by row`() throws {
        let array = try NPY.read(bytes: Self.file(Self.header("|u1", "(2, 3)", fortran: "True"), [1, 4, 2, 5, 3, 6]))
        #expect(try array.integers() == [1, 2, 3, 4, 5, 6])
        let deep = (0..<24).map { UInt8($0) }
        let cube = try NPY.read(bytes: Self.file(Self.header("|u1", "(2, 3, 4)", fortran: "True"), deep)).integers()
        for i in 0..<2 { for j in 0..<3 { for k in 0..<4 { #expect(cube[(i * 3 + j) * 4 + k] == Int64(i + 2 * j + 6 * k)) } } }
    }

    @Test func `headers as other writers make them`() throws {
        for header in [
            "{\"shape\": (2L,), \"descr\": \"|u1\", \"fortran_order\": False}", "{'descr':'|u1','fortran_order':False,'shape':(2,)}",
            " { 'shape' : ( 2 , ) , 'fortran_order' : False , 'descr' : 'u1' , } \n\n",
        ] {
            for version: UInt8 in 1...3 {
                #expect(try NPY.read(bytes: Self.file(header, [7, 8], version: version)).integers() == [7, 8])
            }
        }
    }

    // MARK: Bad files

    @Test(arguments: [
        ("<c8", "complex"), ("|O", "Python objects"), ("<U5", "text"), ("<f16", "extended"), ("<M8[ns]", "M8"), ("", "''"), ("f3", "f3"),
        ("<>f4", "<>f4"),
    ])
    func `element types that are not read are named`(type: String, word: String) async {
        let error = await Self.error(Self.file(Self.header(type, "(1,)"), [0, 0, 0, 0, 0, 0, 0, 0]))
        #expect(error.code == .malformedFile)
        #expect(error.message.contains(word))
        #expect(error.remedy?.contains("astype") == true)
    }

    @Test(arguments: [
        "(9223372036854775807,)", "(4611686018427387904, 4)", "(1, 9223372036854775807, 9223372036854775807)",
        "(0, 9223372036854775807, 9)",
        "(99999999999999999999,)", "(-1,)", "(1.5,)", "('a',)", "(True,)", "((1,),)", "5", "[1]", "None", "(1", "(,)", "(1,,)",
        "(" + String(repeating: "1, ", count: 65) + ")", String(repeating: "(", count: 5000),
    ])
    func `absurd shapes are refused`(shape: String) async {
        #expect(await Self.error(Self.file(Self.header("<f4", shape), [0, 0, 0, 0])).code == .malformedFile)
    }

    @Test func `an array that is larger than its file is truncated`() async {
        let error = await Self.error(Self.file(Self.header("<f4", "(1000000000, 1000)"), [0, 0, 0, 0]))
        #expect(error.message == "truncated: float32 values of shape [1000000000, 1000] take 4000000000000 bytes, and only 4 are there")
    }

    @Test func `bytes after the array are refused`() async {
        #expect(await Self.error(Self.file(Self.header("|u1", "(2,)"), [1, 2, 3])).message.hasPrefix("1 bytes follow"))
    }

    @Test(arguments: [
        "", "{}", "{'descr': '<f4'}", "[]", "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ()",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", "{'descr': '<\\x66", "\u{0}\u{1}",
    ])
    func `headers that are none are refused`(header: String) async {
        #expect(await Self.error(Self.file(header, [0, 0, 0, 0])).code == .malformedFile)
    }

    @Test func `unknown versions and other files are refused`() async {
        #expect(await Self.error(Self.file(Self.header("|u1", "()"), [1], version: 4)).message.contains("version 4.0"))
        #expect(await Self.error([0x93] + Array("NUMPY".utf8) + [2, 0, 0xFF, 0xFF, 0xFF, 0xFF]).code == .malformedFile)
        #expect(await Self.error(Array("PK\u{3}\u{4}".utf8)).message.hasPrefix("not an .npy file"))
        #expect(await Self.error([]).code == .malformedFile)
    }

    @Test func `files that cannot be opened are named with the reason`() async throws {
        let folder = try TemporaryFolder()
        let missing = await spikeletError { _ = try NPY.read(folder.file("missing.npy")) }
        #expect(missing.code == .fileSystem)
        #expect(missing.location == folder.file("missing.npy"))
        #expect(await spikeletError { _ = try NPY.read(folder.path) }.message == "cannot read: it is a folder")
        #expect(await spikeletError { _ = try NPY.read("/dev/zero") }.message == "cannot read: it is not a regular file")
    }

    @Test func `a file that cannot be written leaves nothing`() async throws {
        let folder = try TemporaryFolder()
        let one = tensor([1], [1])
        let missing = await spikeletError { try NPY.write(one, to: folder.file("missing/a.npy")) }
        #expect(missing.code == .fileSystem)
        #expect(missing.location == folder.file("missing/a.npy"))
        #expect(await spikeletError { try NPY.write(one, to: folder.path) }.message == "cannot write: it is a folder")
        #expect(await spikeletError { try NPY.write(one, to: "/dev/null") }.message == "cannot write: it is not a regular file")
        #expect(folder.contents.isEmpty)
    }
}
