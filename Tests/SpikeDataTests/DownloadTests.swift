import Foundation
import SpikeData
import SpikeGraph
import TestSupport
import Testing

/// Whatever the server does, the destination is the right file, or not there.
@Suite(.timeLimit(.minutes(10)))
struct DownloadTests {
    let folder: TemporaryFolder
    let file = noise(300_000)

    init() throws { folder = try TemporaryFolder() }

    var destination: String { folder.file("file.bin") }

    func download(_ url: String, sha256: String? = nil, options: DownloadOptions = .impatient) async throws -> Int {
        try await Downloader(url, to: destination, sha256: sha256, options: options).run()
    }

    /// The destination is the file; nothing else is left.
    func expectRight(_ size: Int, _ bytes: [UInt8]? = nil, location: SourceLocation = #_sourceLocation) {
        #expect(size == (bytes ?? file).count, sourceLocation: location)
        #expect(folder.read("file.bin") == bytes ?? file, sourceLocation: location)
        #expect(folder.contents == ["file.bin"], sourceLocation: location)
    }

    // MARK: Without trouble

    @Test func `a file arrives whole and nothing else is left`() async throws {
        let server = try LocalServer { [file] request, connection in connection.serve(file, request) }
        expectRight(try await downloadURL(server.url, to: destination, showsProgress: false))
        #expect(server.requests.count == 1)
        #expect(server.requests[0].headers["accept-encoding"] == "identity")
        #expect(server.requests[0].headers["range"] == nil)
    }

    @Test func `an empty file arrives`() async throws {
        let server = try LocalServer { request, connection in connection.serve([], request) }
        expectRight(try await download(server.url), [])
    }

    @Test func `a right hash is accepted in either case`() async throws {
        let server = try LocalServer { request, connection in connection.serve(Array("abc".utf8), request) }
        expectRight(try await download(server.url, sha256: Self.abc.uppercased()), Array("abc".utf8))
    }

    /// FIPS 180-4's example.
    static let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

    @Test func `a redirect is followed`() async throws {
        let server = try LocalServer { [file] request, connection in
            request.path == "/file.bin" ? connection.send(302, ["Location: /moved", "Content-Length: 0"]) : connection.serve(file, request)
        }
        expectRight(try await download(server.url))
        #expect(server.requests.map(\.path) == ["/file.bin", "/moved"])
    }

    @Test func `a body in chunks is whole at its last chunk`() async throws {
        let server = try LocalServer { [file] _, connection in connection.sendChunks(file, isCut: false) }
        expectRight(try await download(server.url))
        #expect(server.requests.count == 1)
    }

    @Test func `a body without a length is asked for twice`() async throws {
        let server = try LocalServer { [file] _, connection in connection.send(200, [], file) }
        expectRight(try await download(server.url))
        #expect(server.requests.count == 2)
    }

    @Test func `a body without a length is asked for once with a hash`() async throws {
        let server = try LocalServer { _, connection in connection.send(200, [], Array("abc".utf8)) }
        expectRight(try await download(server.url, sha256: Self.abc), Array("abc".utf8))
        #expect(server.requests.count == 1)
    }

    @Test func `a body that the server compresses is not held against its length`() async throws {
        let compressed = try gzip(file)
        let server = try LocalServer { _, connection in
            connection.send(200, ["Content-Encoding: gzip", "Content-Length: \(compressed.count)", "ETag: \"1\""], compressed)
        }
        expectRight(try await download(server.url))
    }

    // MARK: Cuts

    @Test(arguments: [false, true])
    func `a cut connection resumes where it stopped`(isReset: Bool) async throws {
        let server = try LocalServer { [file] request, connection in
            connection.serve(file, request, cutAfter: request.number == 0 ? 100_000 : nil, isReset: isReset && request.number == 0)
        }
        expectRight(try await download(server.url))
        #expect(server.requests.count == 2)
        if !isReset { #expect(server.requests[1].rangeStart == 100_000) }
        if server.requests[1].rangeStart != nil { #expect(server.requests[1].headers["if-range"] == "\"1\"") }
    }

    @Test func `many cuts with little progress each still come to the end`() async throws {
        let file = noise(8_000_000)
        let server = try LocalServer { request, connection in connection.serve(file, request, cutAfter: 1_200_000) }
        expectRight(try await download(server.url), file)
        #expect(server.requests.count == 7)
    }

    @Test func `the date names the file where there is no tag`() async throws {
        let date = "Mon, 01 Jan 2024 00:00:00 GMT"
        let server = try LocalServer { [file] request, connection in
            connection.serve(file, request, cutAfter: request.number == 0 ? 100_000 : nil, validator: "Last-Modified: \(date)")
        }
        expectRight(try await download(server.url))
        #expect(server.requests[1].headers["if-range"] == date)
    }

    @Test(arguments: ["ETag: W/\"1\"", "X-Nothing: 1", "Last-Modified: NOW\r\nDate: NOW"])
    func `without a strong name a cut file begins again`(validator: String) async throws {
        let server = try LocalServer { [file] request, connection in
            connection.serve(file, request, cutAfter: request.number == 0 ? 100_000 : nil, validator: validator)
        }
        expectRight(try await download(server.url))
        #expect(server.requests.map { $0.headers["range"] } == [nil, nil])
    }

    @Test func `a later download continues what an earlier one left`() async throws {
        let server = try LocalServer { [file] request, connection in
            connection.serve(file, request, cutAfter: request.number < 3 ? 70_000 : nil)
        }
        var options = DownloadOptions.impatient
        options.tries = 1
        let error = await spikeletError { _ = try await download(server.url, options: options) }
        #expect(error.code == .network)
        #expect(error.message == "the connection was cut after 70000 of 300000 bytes, 1 times")
        #expect(error.remedy == "run this again: it continues where it stopped (\(destination).part)")
        #expect(folder.contents == ["file.bin.part", "file.bin.part.json"])
        expectRight(try await download(server.url))
        #expect(server.requests.compactMap(\.rangeStart) == [70_000, 140_000, 210_000])
    }

    @Test func `a part of another address is not continued`() async throws {
        let server = try LocalServer { [file] request, connection in
            connection.serve(file, request, cutAfter: request.number == 0 ? 70_000 : nil)
        }
        var options = DownloadOptions.impatient
        options.tries = 1
        _ = await spikeletError { _ = try await download(server.url, options: options) }
        expectRight(try await download(server.url + "?other"))
        #expect(server.requests[1].headers["range"] == nil)
    }

    @Test func `a part with a broken record is not continued`() async throws {
        try folder.write(noise(1000), "file.bin.part")
        try folder.write(Array("{".utf8), "file.bin.part.json")
        let server = try LocalServer { [file] request, connection in connection.serve(file, request) }
        expectRight(try await download(server.url))
        #expect(server.requests[0].headers["range"] == nil)
    }

    @Test func `a body in chunks that is cut is not taken for whole`() async throws {
        let server = try LocalServer { [file] request, connection in connection.sendChunks(file, isCut: request.number == 0) }
        expectRight(try await download(server.url))
        #expect(server.requests.count == 2)
    }

    @Test func `a body without a length that is cut is not taken for whole`() async throws {
        let server = try LocalServer { [file] request, connection in
            connection.send(200, [], request.number == 0 ? Array(file[..<100_000]) : file)
        }
        expectRight(try await download(server.url))
    }

    @Test func `a compressed body that is cut begins again`() async throws {
        let compressed = try gzip(file)
        let server = try LocalServer { request, connection in
            connection.send(
                200, ["Content-Encoding: gzip", "Content-Length: \(compressed.count)", "ETag: \"1\""],
                request.number == 0 ? Array(compressed[..<90_000]) : compressed)
        }
        expectRight(try await download(server.url))
        #expect(server.requests[1].headers["range"] == nil)
    }

    @Test func `a connection that falls silent counts as cut`() async throws {
        let server = try LocalServer { [file] request, connection in
            connection.serve(file, request, cutAfter: request.number == 0 ? 100_000 : nil)
            if request.number == 0 { Thread.sleep(forTimeInterval: 4) }
        }
        var options = DownloadOptions.impatient
        options.timeout = 1
        expectRight(try await download(server.url, options: options))
        #expect(server.requests.count == 2)
    }

    @Test func `a connection that closes before any answer is tried again`() async throws {
        let server = try LocalServer { [file] request, connection in
            if request.number > 0 { connection.serve(file, request) }
        }
        expectRight(try await download(server.url))
    }

    @Test func `a server that is busy is asked again`() async throws {
        let server = try LocalServer { [file] request, connection in
            request.number < 2 ? connection.send(503, ["Content-Length: 4"], Array("busy".utf8)) : connection.serve(file, request)
        }
        expectRight(try await download(server.url))
    }

    @Test func `a cancelled download keeps its part`() async throws {
        let server = try LocalServer { [file] request, connection in
            connection.serve(file, request, cutAfter: 100_000)
            Thread.sleep(forTimeInterval: 3)
        }
        let task = Task { try await download(server.url) }
        while (folder.read("file.bin.part")?.count ?? 0) < 100_000 { try await Task.sleep(nanoseconds: 10_000_000) }
        task.cancel()
        await #expect(throws: CancellationError.self) { try await task.value }
        #expect(folder.contents == ["file.bin.part", "file.bin.part.json"])
    }

    // MARK: Servers that are wrong about ranges

    @Test func `a server that ignores the range is taken from its first byte`() async throws {
        let server = try LocalServer { [file] request, connection in
            connection.serve(file, request, cutAfter: request.number == 0 ? 100_000 : nil, ignoresRange: true)
        }
        expectRight(try await download(server.url))
        #expect(server.requests.count == 2)
    }

    @Test(arguments: [
        "bytes 0-199999/300000", "bytes 99999-299999/300000", "bytes 100001-299999/300000", "bytes 100000-299999/300001",
        "bytes 100000-299999/*x",
        "bytes 100000-300000/300000", "bytes 299999-100000/300000", "bytes 100000-/300000", "items 100000-299999/300000", "nonsense", "",
    ])
    func `a wrong Content-Range is never appended`(range: String) async throws {
        let server = try LocalServer { [file] request, connection in
            if request.rangeStart != nil {
                connection.send(206, ["ETag: \"1\"", "Content-Length: 200000", "Content-Range: \(range)"], noise(200_000, seed: 9))
            } else {
                connection.serve(file, request, cutAfter: request.number == 0 ? 100_000 : nil)
            }
        }
        expectRight(try await download(server.url))
        #expect(server.requests.map(\.rangeStart) == [nil, 100_000, nil])
    }

    @Test func `a part answer to a whole request is not taken`() async throws {
        let server = try LocalServer { [file] request, connection in
            connection.send(206, ["Content-Length: 1000", "Content-Range: bytes 0-999/300000"], Array(file[..<1000]))
        }
        #expect(await spikeletError { _ = try await download(server.url) }.code == .network)
        #expect(folder.contents.isEmpty)
    }

    @Test func `fewer bytes than asked for are asked for again`() async throws {
        let server = try LocalServer { [file] request, connection in
            guard let start = request.rangeStart else { return connection.serve(file, request, cutAfter: 100_000) }
            let end = min(start + 50_000, file.count)
            connection.send(
                206, ["ETag: \"1\"", "Content-Range: bytes \(start)-\(end - 1)/\(file.count)", "Content-Length: \(end - start)"],
                Array(file[start..<end]))
        }
        expectRight(try await download(server.url))
        #expect(server.requests.compactMap(\.rangeStart) == [100_000, 150_000, 200_000, 250_000])
    }

    @Test(arguments: ["bytes */300000", "bytes */100000", "bytes */5", ""])
    func `a range that cannot be satisfied begins again`(range: String) async throws {
        let server = try LocalServer { [file] request, connection in
            request.rangeStart != nil
                ? connection.send(416, ["Content-Range: \(range)", "Content-Length: 0"])
                : connection.serve(file, request, cutAfter: request.number == 0 ? 100_000 : nil)
        }
        expectRight(try await download(server.url))
    }

    @Test func `more bytes than announced are not taken`() async throws {
        let server = try LocalServer { [file] request, connection in
            guard request.rangeStart != nil else { return connection.serve(file, request, cutAfter: request.number == 0 ? 100_000 : nil) }
            connection.send(206, ["ETag: \"1\"", "Content-Range: bytes 100000-299999/300000"], Array(file[100_000...]) + [1, 2, 3])
        }
        expectRight(try await download(server.url))
    }

    // MARK: Files that change

    @Test(arguments: [300_000, 250_000, 50_000])
    func `a file that changed between two tries begins again`(size: Int) async throws {
        let changed = noise(size, seed: 2)
        let server = try LocalServer { [file] request, connection in
            request.number == 0
                ? connection.serve(file, request, cutAfter: 100_000) : connection.serve(changed, request, validator: "ETag: \"2\"")
        }
        expectRight(try await download(server.url), changed)
    }

    @Test func `a changed file from a server without If-Range begins again`() async throws {
        let changed = noise(300_000, seed: 2)
        let server = try LocalServer { [file] request, connection in
            request.number == 0
                ? connection.serve(file, request, cutAfter: 100_000)
                : connection.serve(changed, request, validator: "ETag: \"2\"", ignoresIfRange: true)
        }
        expectRight(try await download(server.url), changed)
        #expect(server.requests.map(\.rangeStart) == [nil, 100_000, nil])
    }

    @Test func `pieces of two files do not pass the hash and begin again`() async throws {
        let right = Array("abcdef".utf8)
        let server = try LocalServer { request, connection in
            request.number == 0
                ? connection.serve(Array("xbcdef".utf8), request, cutAfter: 3)
                : connection.serve(right, request, ignoresIfRange: true)
        }
        let sha256 = "bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721"
        expectRight(try await download(server.url, sha256: sha256), right)
        #expect(server.requests.map(\.rangeStart) == [nil, 3, nil])
    }

    @Test func `a wrong hash leaves nothing`() async throws {
        let server = try LocalServer { [file] request, connection in connection.serve(file, request) }
        let error = await spikeletError { _ = try await download(server.url, sha256: Self.abc) }
        #expect(error.code == .malformedFile)
        #expect(error.message.contains(Self.abc))
        #expect(folder.contents.isEmpty)
        #expect(server.requests.count == 1)
    }

    // MARK: What is at the destination already

    @Test func `an existing file with the right hash needs no server`() async throws {
        try folder.write(Array("abc".utf8), "file.bin")
        expectRight(try await download("http://127.0.0.1:9/none", sha256: Self.abc), Array("abc".utf8))
    }

    @Test(arguments: [3, 300_000, 400_000], [nil, Self.abc])
    func `an existing file that differs is never taken for the right one`(size: Int, sha256: String?) async throws {
        try folder.write(noise(size, seed: 3), "file.bin")
        let right = sha256 == nil ? file : Array("abc".utf8)
        let server = try LocalServer { request, connection in connection.serve(right, request) }
        expectRight(try await download(server.url, sha256: sha256), right)
    }

    @Test func `an existing file stays as it was when a download fails`() async throws {
        try folder.write([1, 2, 3], "file.bin")
        let server = try LocalServer { _, connection in connection.send(404) }
        _ = await spikeletError { _ = try await download(server.url) }
        #expect(folder.read("file.bin") == [1, 2, 3])
        #expect(folder.contents == ["file.bin"])
    }

    @Test func `a link at the destination keeps leading to the file`() async throws {
        try folder.write([1, 2, 3], "real.bin")
        try FileManager.default.createSymbolicLink(atPath: destination, withDestinationPath: folder.file("real.bin"))
        let server = try LocalServer { [file] request, connection in connection.serve(file, request) }
        _ = try await download(server.url)
        #expect(folder.read("real.bin") == file)
        #expect(folder.contents == ["file.bin", "real.bin"])
    }

    @Test func `two downloads to one destination do not mix`() async throws {
        let server = try LocalServer { [file] request, connection in
            connection.serve(file, request, cutAfter: 100_000)
            Thread.sleep(forTimeInterval: 0.5)
            connection.send(Array(file[100_000...]))
        }
        let first = Task { try await download(server.url) }
        while folder.read("file.bin.part") == nil { try await Task.sleep(nanoseconds: 10_000_000) }
        let error = await spikeletError { _ = try await download(server.url) }
        #expect(error.message == "another download is writing this file")
        expectRight(try await first.value)
    }
}
