import Foundation
import TestSupport
import Testing

@Suite("Public symbols")
struct PublicSymbolTests {
    private struct Graph: Decodable {
        struct Symbol: Decodable {
            struct Identifier: Decodable { let precise: String }
            struct Comment: Decodable {}
            struct Location: Decodable {
                struct Position: Decodable { let line: Int }
                let uri: String
                let position: Position
            }

            let identifier: Identifier
            let pathComponents: [String]
            let docComment: Comment?
            let location: Location?
        }

        let symbols: [Symbol]
    }

    /// `Scripts/docs --symbols` reads them out of what the compiler has written; a comment of a protocol's requirement counts for what fulfils it.
    @Test func `each one has a comment`() throws {
        let folder = try TemporaryFolder()
        let process = Process()
        process.executableURL = Repository.root.appendingPathComponent("Scripts/docs")
        process.arguments = ["--symbols", folder.path, "--build", Sandbox.program.path]
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        var count = 0
        for name in folder.contents where name.hasSuffix(".symbols.json") {
            let graph = try JSONDecoder().decode(Graph.self, from: Data(folder.bytes(name)))
            for symbol in graph.symbols where !symbol.identifier.precise.contains("::SYNTHESIZED::") {
                count += 1
                let place =
                    symbol.location.map { "\($0.uri.components(separatedBy: "/Sources/").last ?? ""):\($0.position.line + 1)" } ?? name
                #expect(symbol.docComment != nil, "\(place): \(symbol.pathComponents.joined(separator: "."))")
            }
        }
        // So many there are at least: an empty folder proves nothing.
        #expect(count > 1000, "\(count) symbols")
    }
}
