import Foundation
import SpikeFormats
import SpikeGraph
import TestSupport
import Testing

@Suite struct SafetensorsFileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static let tensors: [String: Tensor] = [
        "b": Tensor([0.5, -0.0, .nan], shape: [3]), "a": Tensor([1.5, 2, 3, 4, 5, 6], shape: [2, 3]),
        "long": Tensor([Int64.min, 7], shape: [1, 2]), "flags": Tensor([true, false, true], shape: [3]),
        "none": Tensor([Float](), shape: [0, 4]),
        "scalar": Tensor(scalar: 3), "ünïcode \"\\\n\u{7F}\u{1F600}": Tensor([Int64(1)], shape: []),
    ]

    /// The error for a file of these bytes.
    private func error(_ bytes: [UInt8]) throws -> SpikeletError {
        try #require(throws: SpikeletError.self) { try SafetensorsFile(bytes: bytes, name: "f") }
    }

    @Test func `tensors and text come back as they were written`() throws {
        let metadata = ["title": "a \"quoted\" \u{1}\u{1F} text", "": "empty key", "ключ": "значение"]
        try SafetensorsFile.write(Self.tensors, metadata: metadata, to: folder.file("f"))
        let file = try SafetensorsFile(path: folder.file("f"))
        #expect(file.metadata == metadata)
        #expect(Set(file.entries.map(\.name)) == Set(Self.tensors.keys))
        for (name, tensor) in Self.tensors {
            let read = try file.tensor(named: name)
            #expect(read.shape == tensor.shape)
            #expect(read.elementType == tensor.elementType)
            if tensor.elementType == .float32 {
                #expect(read.floats.map(\.bitPattern) == tensor.floats.map(\.bitPattern))
            } else {
                #expect(read == tensor)
            }
        }
    }

    @Test func `the layout is the format's: padded header, wide types first, then names, no gaps`() throws {
        try SafetensorsFile.write(["b": Tensor([true], shape: [1]), "c": Tensor(scalar: 1), "a": Tensor(scalar: 2)], to: folder.file("f"))
        let bytes = try folder.bytes("f")
        let header =
            #"{"a":{"data_offsets":[0,4],"dtype":"F32","shape":[]},"b":{"data_offsets":[8,9],"dtype":"BOOL","shape":[1]},"#
            + #""c":{"data_offsets":[4,8],"dtype":"F32","shape":[]}}"#
        let padded = header + String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        #expect(bytes == Samples.file(padded, data: [0, 0, 0, 64, 0, 0, 128, 63, 1]))
    }

    @Test func `a file without tensors is a file`() throws {
        try SafetensorsFile.write([:], to: folder.file("f"))
        #expect(try folder.bytes("f") == Samples.file("{}      "))
        let file = try SafetensorsFile(path: folder.file("f"))
        #expect(file.entries.isEmpty)
        #expect(file.metadata.isEmpty)
    }

    @Test func `the reserved name is refused on writing`() throws {
        let error = try #require(throws: SpikeletError.self) {
            try SafetensorsFile.write(["__metadata__": Tensor(scalar: 1)], to: folder.file("f"))
        }
        #expect(error.code == .invalidData)
        #expect(folder.contents.isEmpty)
    }

    @Test func `an unknown name is answered with the names that exist`() throws {
        let file = try SafetensorsFile(bytes: Samples.file(#"{"w":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}"#))
        let error = try #require(throws: SpikeletError.self) { try file.tensor(named: "v") }
        #expect(error.message == "there is no tensor 'v'")
        #expect(error.remedy == "the file holds 'w'")
        #expect(file.entry(named: "v") == nil)
        #expect(file.entry(named: "w")?.dataType == .uint8)
    }

    static let foreign: [(type: String, bytes: [UInt8], tensor: Tensor)] = [
        (
            "F16", [0x00, 0x3C, 0x01, 0x00, 0xFF, 0x7B, 0x00, 0x80, 0x00, 0xFC, 0x00, 0xC0],
            Tensor([1, 0x1p-24, 65504, -0.0, -.infinity, -2], shape: [6])
        ),
        ("BF16", [0x80, 0x3F, 0x00, 0xC0, 0x7F, 0x7F], Tensor([1, -2, 0x1.fep127], shape: [3])),
        ("F64", [0x9A, 0x99, 0x99, 0x99, 0x99, 0x99, 0xB9, 0x3F], Tensor([0.1], shape: [1])),
        ("U64", [0, 1, 0, 0, 0, 0, 0, 0], Tensor([Int64(256)], shape: [1])),
        ("I32", [0xFF, 0xFF, 0xFF, 0xFF], Tensor([Int64(-1)], shape: [1])),
        ("U32", [0xFF, 0xFF, 0xFF, 0xFF], Tensor([Int64(4_294_967_295)], shape: [1])),
        ("I16", [0, 0x80], Tensor([Int64(-32768)], shape: [1])), ("U16", [0, 0x80], Tensor([Int64(32768)], shape: [1])),
        ("I8", [0x80], Tensor([Int64(-128)], shape: [1])), ("U8", [0x80], Tensor([Int64(128)], shape: [1])),
    ]

    @Test(arguments: foreign.indices)
    func `other types become float32 or int64`(index: Int) throws {
        let (type, bytes, tensor) = Self.foreign[index]
        let header = #"{"t":{"dtype":"\#(type)","shape":\#(tensor.shape),"data_offsets":[0,\#(bytes.count)]}}"#
        let file = try SafetensorsFile(bytes: Samples.file(header, data: bytes))
        let read = try file.tensor(named: "t")
        #expect(read == tensor)
        #expect(try file.bytes(named: "t") == bytes)
    }

    @Test(arguments: [
        ("F64", [0, 0, 0, 0, 0, 0, 0xF0, 0x7E] as [UInt8], "does not fit float32"),
        ("U64", [0, 0, 0, 0, 0, 0, 0, 0x80], "9223372036854775808 does not fit int64"),
        ("BOOL", [2], "a truth value of 2, 0 or 1 is needed"),
    ])
    func `values that do not fit are refused`(type: String, bytes: [UInt8], message: String) throws {
        let header = #"{"t":{"dtype":"\#(type)","shape":[1],"data_offsets":[0,\#(bytes.count)]}}"#
        let file = try SafetensorsFile(bytes: Samples.file(header, data: bytes), name: "f")
        let error = try #require(throws: SpikeletError.self) { try file.tensor(named: "t") }
        #expect(error.code == .malformedFile)
        #expect(error.location == "f: tensor 't'")
        #expect(error.message.hasSuffix(message))
    }

    @Test func `types that nothing here computes with are readable as bytes`() throws {
        let header = #"{"t":{"dtype":"F4","shape":[3,2],"data_offsets":[0,3]},"u":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[3,4]}}"#
        let file = try SafetensorsFile(bytes: Samples.file(header, data: [1, 2, 3, 4]))
        #expect(try file.bytes(named: "t") == [1, 2, 3])
        #expect(try file.bytes(named: "u") == [4])
        let error = try #require(throws: SpikeletError.self) { try file.tensor(named: "u") }
        #expect(error.code == .unsupported)
    }

    @Test(arguments: [
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 3, "its data end at byte 4 of the data, of which the file has 3"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5, "1 bytes belong to no tensor"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "begin at byte 4 of the data and leave a gap before them"),
        (
            #"{"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"u":{"dtype":"U8","shape":[4],"data_offsets":[3,7]}}"#, 7,
            "overlap with another"
        ),
        (
            #"{"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"u":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}"#, 4,
            "overlap with another"
        ),
        (
            #"{"t":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"u":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}}"#, 4,
            "overlap with another"
        ),
        (#"{"t":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "4 bytes for F32[2], which takes 64 bits"),
        (#"{"t":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}"#, 2, "2 bytes for F4[3], which takes 12 bits"),
        (#"{"t":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "a negative size or place"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "a negative size or place"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "a negative size or place"),
        (#"{"t":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}"#, 0, "more elements than can be counted"),
        (#"{"t":{"dtype":"F32","shape":[0,4294967296,4294967296],"data_offsets":[0,0]}}"#, 0, "more elements than can be counted"),
        (#"{"t":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,0]}}"#, 0, "is missing or malformed"),
        (#"{"t":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4, "is missing or malformed"),
        (#"{"t":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}"#, 4, "is missing or malformed"),
        (#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, 4, "is missing or malformed"),
        (#"{"t":{"dtype":"F32","shape":[1]}}"#, 4, "is missing or malformed"), (#"{"t":[]}"#, 0, "is missing or malformed"),
        (#"{"t":{"dtype":"Q7","shape":[1],"data_offsets":[0,4]}}"#, 4, "the data type 'Q7' is not known"),
        (#"{"__metadata__":{"a":1}}"#, 0, "__metadata__ is not a map of strings to strings"),
        (#"{"__metadata__":null}"#, 0, "__metadata__ is not a map of strings to strings"),
        (" {}", 0, "the header is not a JSON object"),
        ("[]", 0, "the header is not a JSON object"), ("", 0, "the header is not a JSON object"), ("{", 0, "the header cannot be read"),
        ("{}x", 0, "the header cannot be read"), (#"{"a":}"#, 0, "the header cannot be read"),
    ])
    func `a header that does not hold is refused`(header: String, dataLength: Int, message: String) throws {
        let error = try error(Samples.file(header, data: [UInt8](repeating: 0, count: dataLength)))
        #expect(error.code == .malformedFile)
        #expect(error.message.contains(message), "\(error)")
        #expect(error.location?.hasPrefix("f: ") == true)
        #expect(error.remedy != nil)
    }

    @Test func `a tensor that stands twice is refused, since one of the two is missed where it lies`() throws {
        let twice = #"{"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#
        #expect(try error(Samples.file(twice, data: [1, 2])).code == .malformedFile)
    }

    @Test func `a length that the file does not hold is refused before anything is read`() throws {
        func file(_ length: UInt64) -> [UInt8] { withUnsafeBytes(of: length.littleEndian) { Array($0) } + Array("{}".utf8) }
        #expect(try error(file(3)).message == "a header of 3 bytes, but only 2 follow")
        #expect(try error(file(100_000_001)).message == "a header of 100000001 bytes, more than 100000000 are not allowed")
        #expect(try error(file(.max)).message.contains("are not allowed"))
        #expect(try error([]).message == "the file has 0 bytes, not even the 8 of the header's length")
    }

    @Test func `an error reads as a sentence with its place and the way out`() throws {
        #expect(
            try error(Samples.file(#"{"t":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#)).description == """
                f: tensor 't': its data end at byte 4 of the data, of which the file has 0
                  → the file is cut short: fetch or write it again
                """)
    }
}
