import Foundation
import Testing

@Suite struct DownloadTests {
    static let body = [UInt8]((0..<10_000).map { UInt8(truncatingIfNeeded: $0 * 31) })

    private func server() throws -> LocalServer {
        try LocalServer { request, connection in
            guard request.path == "/file.bin" else { return connection.send(404, ["Content-Length: 0"]) }
            connection.send(200, ["Content-Length: \(Self.body.count)"], Self.body)
        }
    }

    @Test func `it puts the file in place and says how large it is`() async throws {
        let (folder, server) = (try Folder(), try server())
        let run = try await folder.succeeding("download", server.url, "file.bin")
        #expect(run.output == "file.bin: 10,000 bytes\n")
        #expect(try folder.data("file.bin") == Data(Self.body))
        #expect(folder.contents == ["file.bin"])
        _ = server
    }

    @Test func `a file with another hash is refused`() async throws {
        let (folder, server) = (try Folder(), try server())
        let run = try await folder.spikelet("download", server.url, "file.bin", "--sha256", String(repeating: "0", count: 64))
        #expect(run.status == 1 && run.output.isEmpty)
        #expect(run.errors.hasPrefix("Error: ") && run.errors.contains("→"), "\(run.errors)")
        #expect(!folder.contents.contains("file.bin"))
        _ = server
    }

    @Test func `a file that the server does not have is an error`() async throws {
        let (folder, server) = (try Folder(), try server())
        let run = try await folder.spikelet("download", server.url + ".other", "file.bin")
        #expect(run.status == 1 && run.errors.contains("404"), "\(run.errors)")
        #expect(folder.contents.isEmpty)
        _ = server
    }

    @Test(arguments: [
        (["ftp://127.0.0.1/x", "file.bin"], "http"), (["http://127.0.0.1:1/x", "no/file.bin"], "folder"),
        (["http://127.0.0.1:1/x", "file.bin", "--sha256", "abc"], "64 hexadecimal"),
    ]) func `what cannot work is refused before anything is asked for`(arguments: [String], part: String) async throws {
        let folder = try Folder()
        let run = try await Program.run(["download"] + arguments, in: folder.path)
        #expect(run.status == 1 && run.errors.contains(part), "\(run.errors)")
        #expect(folder.contents.isEmpty)
    }
}
