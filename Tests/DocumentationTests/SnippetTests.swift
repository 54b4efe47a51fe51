import Foundation
import TestSupport
import Testing

/// The Swift of the documentation, as a program: `Tests/DocumentationSnippets/Snippets.swift`, made by `make snippets`.
@Suite("Swift in the documentation")
struct SnippetTests {
    private static let file = Repository.root.appendingPathComponent("Tests/DocumentationSnippets/Snippets.swift")

    private struct Snippet {
        let path: String
        let code: String
        var name: String { path.split { !$0.isLetter }.joined(separator: "_").lowercased() }
    }

    /// One for each document with Swift in it: what is given and what is shown, in the document's order.
    private static func snippets() throws -> [Snippet] {
        try Markdown.all.compactMap { path in
            let document = try Markdown(path)
            let shown = document.blocks.filter { $0.language == "swift" && $0.notRun == nil }.map { (line: $0.line, code: $0.text) }
            guard !shown.isEmpty else { return nil }
            let code = (shown + document.given.map { (line: $0.line, code: $0.code) }).sorted { $0.line < $1.line }.map(\.code)
            return Snippet(path: path, code: code.joined(separator: "\n\n"))
        }
    }

    private static func program() throws -> String {
        let snippets = try snippets()
        var text = """
            // swift-format-ignore-file
            // The Swift of the documentation, gathered by `make snippets`; a test compares them. Edit the documents instead.
            import Foundation
            import SpikeExplorer
            import Spikelet


            """
        for snippet in snippets {
            let lines = snippet.code.components(separatedBy: "\n").filter { !$0.hasPrefix("import ") }
            let names = snippet.code.matches(of: #/^let ([a-z][A-Za-z]*) /#.anchorsMatchLineEndings()).map { String($0.1) }
            let unused = Set(names).sorted().map { "    _ = \($0)" }
            let body = (lines.map { $0.isEmpty ? "" : "    " + $0 } + unused).joined(separator: "\n")
            text += "/// \(snippet.path)\nfunc \(snippet.name)() async throws {\n\(body)\n}\n\n"
        }
        let cases = snippets.map { "        case \"\($0.path)\": try await \($0.name)()" }.joined(separator: "\n")
        return text + """
            @main
            enum Snippets {
                static func main() async throws {
                    switch CommandLine.arguments.last {
            \(cases)
                    default: exit(64)
                    }
                }
            }

            """
    }

    @Test func `the program holds what the documents show`() throws {
        let wanted = try Self.program()
        if ProcessInfo.processInfo.environment["SPIKELET_WRITE_SNIPPETS"] != nil {
            try wanted.write(to: Self.file, atomically: true, encoding: .utf8)
        }
        let found = try String(contentsOf: Self.file, encoding: .utf8)
        #expect(found == wanted, "the documents' Swift has changed: make snippets")
    }

    @Test func `each document's Swift runs`() throws {
        let snippets = try Self.snippets()
        #expect(snippets.count >= 5)
        for snippet in snippets {
            let run = try Sandbox().run("DocumentationSnippets \(snippet.path)")
            #expect(run.status == 0, "\(snippet.path)\n\(run.errors)")
        }
    }
}
