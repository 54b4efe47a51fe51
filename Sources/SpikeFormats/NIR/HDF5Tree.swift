import CHDF5Tree
import Foundation
import SpikeFiles
import SpikeGraph

/// The content of an HDF5 file as NIR uses it: groups of groups, arrays of numbers, and texts.
indirect enum HDF5Tree: Equatable {
    case group([String: HDF5Tree])
    /// float32 or int64.
    case numbers(Tensor)
    case texts([String], shape: [Int])

    static func text(_ text: String) -> HDF5Tree { .texts([text], shape: []) }

    /// What an HDF5 file may hold at most. The numbers are generous for networks, and far below what ends a machine.
    ///
    /// - Parameter size: of the file in bytes. A second reads far more than a MiB, compressed or not.
    private static func limits(size: Int) -> chdf5_limits {
        chdf5_limits(
            elements: 1 << 28, bytes: 1 << 31, objects: 1 << 18, depth: 48, seconds: UInt32(min(30, 5 + size / (1 << 20))))
    }

    // MARK: Reading

    /// Reads a file. libhdf5 works in a process of its own: damaged files can make it crash, and then end that process alone.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem` where there is no such file, `malformedFile` where it is damaged or something
    ///   else, `unsupported` without libhdf5.
    static func read(_ path: String) throws -> HDF5Tree {
        // Says in our words what is missing or no file.
        let source = try ByteSource(path: path)
        let result = chdf5_read(path, limits(size: source.count))
        defer { free(result.bytes) }
        switch Int(result.status) {
        case CHDF5_DONE: break
        case CHDF5_ABSENT: throw absent(path)
        case CHDF5_REFUSED:
            var message = result.message
            let text = withUnsafeBytes(of: &message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            throw source.malformed("this is no NIR file: \(text)")
        case CHDF5_CRASHED: throw source.malformed("libhdf5 broke down over this file (signal \(result.signal))")
        case CHDF5_TIMED_OUT: throw source.malformed("libhdf5 came to no end with this file")
        default:
            throw SpikeletError(.fileSystem, "there is no memory or no process to read it", at: path, remedy: "free some memory")
        }
        var parser = HDF5TreeParser(UnsafeRawBufferPointer(start: result.bytes, count: result.count), source: source)
        return try parser.root()
    }

    // MARK: Writing

    /// Writes a file, as a whole or not at all. The same tree gives the same bytes.
    ///
    /// - Throws: ``SpikeletError``: `fileSystem`; `unsupported` without libhdf5.
    func write(to path: String) throws {
        let bytes = try Self.encode(self, path: path)
        try AtomicFile.write(to: path) { try $0.write(bytes) }
    }

    private static func encode(_ tree: HDF5Tree, path: String) throws -> [UInt8] {
        guard let writer = chdf5_writer_open() else { throw absent(path) }
        let done = Result { try tree.put(into: writer, path: path) }
        let result = chdf5_writer_close(writer)
        defer { free(result.bytes) }
        try done.get()
        guard Int(result.status) == CHDF5_DONE else { throw writeFailure(path) }
        return Array(UnsafeBufferPointer(start: result.bytes, count: result.count))
    }

    private func put(into writer: OpaquePointer, path: String) throws {
        guard case .group(let members) = self else { return }
        for (name, member) in members.sorted(by: { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }) {
            guard !name.isEmpty, !name.contains("/"), name != "." else {
                throw SpikeletError(.invalidData, "'\(name)' cannot be a name in an HDF5 file", at: path, remedy: "rename the node")
            }
            let status: Int32
            switch member {
            case .group:
                guard chdf5_begin_group(writer, name) == 0 else { throw Self.writeFailure(path) }
                try member.put(into: writer, path: path)
                status = chdf5_end_group(writer)
            case .numbers(let tensor):
                let sizes = tensor.shape.map(UInt64.init)
                switch tensor.storage {
                case .float32(let values): status = chdf5_put_floats(writer, name, Int32(sizes.count), sizes, values)
                case .int64(let values): status = chdf5_put_integers(writer, name, Int32(sizes.count), sizes, values)
                case .bool(let values):
                    status = chdf5_put_integers(writer, name, Int32(sizes.count), sizes, values.map { $0 ? 1 : 0 })
                }
            case .texts(let texts, let shape):
                let copies = texts.map { strdup($0) }
                defer { for copy in copies { free(copy) } }
                status = chdf5_put_texts(writer, name, Int32(shape.count), shape.map(UInt64.init), copies.map { UnsafePointer($0) })
            }
            guard status == 0 else { throw Self.writeFailure(path) }
        }
    }

    private static func writeFailure(_ path: String) -> SpikeletError {
        SpikeletError(.fileSystem, "libhdf5 could not make the file", at: path, remedy: "free some memory, and try again")
    }

    private static func absent(_ path: String) -> SpikeletError {
        SpikeletError(
            .unsupported, "this build of Spikelet has no libhdf5, which NIR files need", at: path,
            remedy: "build it with 'make build', or with 'swift build --traits NIR'")
    }
}

/// Reads what `chdf5_read` gives. Its sender has read a file that nobody vouches for, so nothing in it is believed.
private struct HDF5TreeParser {
    private let bytes: UnsafeRawBufferPointer
    private let source: ByteSource
    private var position = 0

    init(_ bytes: UnsafeRawBufferPointer, source: ByteSource) {
        self.bytes = bytes
        self.source = source
    }

    mutating func root() throws -> HDF5Tree {
        guard try byte() == UInt8(ascii: "G") else { throw damaged }
        _ = try text()
        return .group(try members(depth: 0))
    }

    private mutating func members(depth: Int) throws -> [String: HDF5Tree] {
        guard depth < 64 else { throw damaged }
        var members: [String: HDF5Tree] = [:]
        while true {
            let kind = try byte()
            if kind == UInt8(ascii: "E") { return members }
            let name = try text()
            let member: HDF5Tree
            switch kind {
            case UInt8(ascii: "G"): member = .group(try self.members(depth: depth + 1))
            case UInt8(ascii: "F"):
                let (shape, count) = try self.shape()
                member = .numbers(Tensor(try values(count, as: Float.self), shape: shape))
            case UInt8(ascii: "I"):
                let (shape, count) = try self.shape()
                member = .numbers(Tensor(try values(count, as: Int64.self), shape: shape))
            case UInt8(ascii: "S"):
                let (shape, count) = try self.shape()
                var texts: [String] = []
                for _ in 0..<count { texts.append(try text()) }
                member = .texts(texts, shape: shape)
            default: throw damaged
            }
            guard members.updateValue(member, forKey: name) == nil else { throw source.malformed("it has two members named '\(name)'") }
        }
    }

    private mutating func shape() throws -> (shape: [Int], count: Int) {
        let rank = Int(try values(1, as: UInt32.self)[0])
        guard rank <= 32 else { throw damaged }
        let shape = try values(rank, as: UInt64.self).map { size -> Int in
            guard let size = Int(exactly: size), size < 1 << 40 else { throw damaged }
            return size
        }
        guard let count = Shape.count(of: shape) else { throw damaged }
        return (shape, count)
    }

    private mutating func byte() throws -> UInt8 { try values(1, as: UInt8.self)[0] }

    private mutating func text() throws -> String {
        let length = Int(try values(1, as: UInt32.self)[0])
        return String(decoding: try values(length, as: UInt8.self), as: UTF8.self)
    }

    private mutating func values<Value: BitwiseCopyable>(_ count: Int, as type: Value.Type) throws -> [Value] {
        let (length, overflow) = count.multipliedReportingOverflow(by: MemoryLayout<Value>.stride)
        guard !overflow, count >= 0, length <= bytes.count - position else { throw damaged }
        defer { position += length }
        return [Value](unsafeUninitializedCapacity: count) { buffer, initialized in
            let part = UnsafeRawBufferPointer(rebasing: bytes[position..<position + length])
            UnsafeMutableRawBufferPointer(buffer).copyMemory(from: part)
            initialized = count
        }
    }

    private var damaged: SpikeletError { source.malformed("what libhdf5 read of it makes no sense") }
}
