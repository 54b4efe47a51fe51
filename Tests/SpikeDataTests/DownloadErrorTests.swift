import Foundation
import SpikeData
import SpikeFiles
import SpikeGraph
import TestSupport
import Testing

/// What goes wrong for good is said in one message, with something to do about it.
@Suite(.timeLimit(.minutes(10)))
struct DownloadErrorTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    func error(_ url: String, to name: String = "file.bin", sha256: String? = nil, options: DownloadOptions = .impatient) async
        -> SpikeletError
    {
        let error = await spikeletError { _ = try await Downloader(url, to: folder.file(name), sha256: sha256, options: options).run() }
        #expect(!folder.contents.contains("file.bin"))
        return error
    }

    @Test func `an unknown host`() async throws {
        let error = await error("http://no-such-host.invalid/file.bin")
        #expect(error.code == .network)
        #expect(error.message == "the host 'no-such-host.invalid' is unknown")
        #expect(folder.contents.isEmpty)
    }

    @Test func `a host that does not answer`() async throws {
        // A port that was free a moment ago.
        let port = try LocalServer { _, _ in }.port
        let error = await error("http://127.0.0.1:\(port)/file.bin")
        #expect(error.message == "the host '127.0.0.1' does not accept connections")
        #expect(folder.contents.isEmpty)
    }

    @Test(arguments: [
        (404, "the server has no such file (HTTP status 404)"), (403, "the server does not allow this download (HTTP status 403)"),
        (418, "the server answered with HTTP status 418"), (204, "the server answered with HTTP status 204"),
    ])
    func `a refusal is final`(status: Int, message: String) async throws {
        let server = try LocalServer { _, connection in
            connection.send(status, status == 204 ? [] : ["Content-Length: 9"], status == 204 ? [] : Array("not found".utf8))
        }
        let error = await error(server.url)
        #expect(error.code == .network)
        #expect(error.message == message)
        #expect(error.location == server.url)
        #expect(server.requests.count == 1)
        #expect(folder.contents.isEmpty)
    }

    @Test func `a server that stays busy`() async throws {
        let server = try LocalServer { _, connection in connection.send(503, ["Content-Length: 0"]) }
        let error = await error(server.url)
        #expect(error.message == "the server answered with HTTP status 503 after 0 bytes, 5 times")
        #expect(server.requests.count == 5)
        #expect(folder.contents.isEmpty)
    }

    @Test func `redirects in circles`() async throws {
        let server = try LocalServer { _, connection in connection.send(302, ["Location: /file.bin", "Content-Length: 0"]) }
        let error = await error(server.url)
        #expect(error.message.contains("redirect"))
        #expect(folder.contents.isEmpty)
    }

    @Test(arguments: ["file:///etc/hostname", "ftp://127.0.0.1/file"])
    func `a redirect to another scheme`(target: String) async throws {
        let server = try LocalServer { _, connection in connection.send(302, ["Location: \(target)", "Content-Length: 0"]) }
        let error = await error(server.url)
        #expect(error.code == .network)
        #expect(folder.contents.isEmpty)
    }

    @Test(arguments: [
        "", "file:///etc/hostname", "ftp://host/file", "example.org/file", "http://", "http:///file", "https:file", "model.onnx",
    ])
    func `an address that is none`(url: String) async throws {
        #expect(await error(url).code == .invalidOption)
    }

    @Test(arguments: ["", "abc", String(repeating: "g", count: 64), String(repeating: "a", count: 63)])
    func `a hash that is none`(sha256: String) async throws {
        #expect(await error("http://127.0.0.1/file", sha256: sha256).code == .invalidOption)
    }

    @Test func `a folder that does not exist`() async throws {
        let error = await error("http://127.0.0.1/file", to: "missing/file.bin")
        #expect(error.code == .fileSystem)
        #expect(error.remedy == "create the folder first")
    }

    @Test func `a destination that is a folder`() async throws {
        let error = await spikeletError { _ = try await downloadURL("http://127.0.0.1/file", to: folder.path) }
        #expect(error.code == .fileSystem)
        #expect(error.message.contains("folder"))
    }

    @Test(.enabled(if: geteuid() != 0)) func `a folder without permission`() async throws {
        try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: folder.path)
        let error = await error("http://127.0.0.1/file")
        #expect(error.message.contains("permission denied"))
    }

    @Test func `a file larger than the disk is refused before it comes`() async throws {
        let server = try LocalServer { _, connection in connection.send(200, ["Content-Length: 4000000000000000000"], [1, 2, 3]) }
        let error = await error(server.url)
        #expect(error.code == .fileSystem)
        #expect(error.message.hasPrefix("the disk is full: 4000000000000000000 bytes are to come"))
        #expect(folder.contents.isEmpty)
    }

    @Test func `a disk that fills up keeps the part for later`() async throws {
        let file = noise(300_000)
        let server = try LocalServer { request, connection in connection.serve(file, request) }
        var options = DownloadOptions.impatient
        options.systemWrite = { descriptor, bytes, count in
            let size = lseek(descriptor, 0, SEEK_CUR)
            guard size < 120_000 else {
                errno = ENOSPC
                return -1
            }
            return writeBytes(descriptor, bytes, min(count, 120_000 - Int(size)))
        }
        let error = await error(server.url, options: options)
        #expect(error.code == .fileSystem)
        #expect(error.message == "cannot write: the disk is full")
        #expect(error.remedy == "free some space, or write to another disk; then run this again: it continues where it stopped")
        #expect(folder.contents == ["file.bin.part", "file.bin.part.json"])
        #expect(try await Downloader(server.url, to: folder.file("file.bin"), sha256: nil, options: .impatient).run() == file.count)
        #expect(folder.read("file.bin") == file)
        #expect(server.requests.last?.rangeStart == 120_000)
    }
}
