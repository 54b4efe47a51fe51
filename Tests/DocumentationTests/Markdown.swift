import Foundation
import TestSupport

/// A document of the repository, and the fenced blocks in it.
///
/// The conventions, for who writes documentation:
/// - `sh` blocks are run line by line; in `console` blocks the lines behind `$ ` are, and what follows is what they print. Where that begins with
///   `Error:` the command fails with just this text; other output is shown for people, since numbers depend on the images.
/// - `swift` blocks of a document are compiled and run, one after the other, as one program.
/// - `text` is shown for people. A block without a language is an error.
/// - `<!-- not run: reason -->` before a block leaves it out; `<!-- given: code -->` is Swift that a block stands on and does not show.
///
/// Commands run in a folder that holds what ``Sandbox`` makes.
struct Markdown {
    struct Block {
        let language: String
        /// Counted from 1.
        let line: Int
        let text: String
        /// Why it is not run.
        let notRun: String?
    }

    /// From the repository's root.
    let path: String
    let text: String
    let blocks: [Block]
    /// Swift that blocks stand on, by the line it is in.
    let given: [(line: Int, code: String)]

    init(_ path: String) throws {
        self.path = path
        text = try String(contentsOf: Repository.root.appendingPathComponent(path), encoding: .utf8)
        var blocks: [Block] = []
        var given: [(Int, String)] = []
        var open: (language: String, line: Int, lines: [String], notRun: String?)?
        var notRun: String?
        for (index, line) in text.components(separatedBy: "\n").enumerated() {
            if let block = open {
                if line == "```" {
                    blocks.append(
                        Block(language: block.language, line: block.line, text: block.lines.joined(separator: "\n"), notRun: block.notRun))
                    open = nil
                } else {
                    open?.lines.append(line)
                }
            } else if line.hasPrefix("```") {
                open = (String(line.dropFirst(3)), index + 1, [], notRun)
                notRun = nil
            } else if let code = Self.comment("given", line) {
                given.append((index + 1, code))
            } else if let reason = Self.comment("not run", line) {
                notRun = reason
            } else if !line.isEmpty {
                notRun = nil
            }
        }
        self.blocks = blocks
        self.given = given
    }

    private static func comment(_ kind: String, _ line: String) -> String? {
        guard line.hasPrefix("<!-- \(kind): "), line.hasSuffix(" -->") else { return nil }
        return String(line.dropFirst("<!-- \(kind): ".count).dropLast(" -->".count))
    }

    /// All documents whose commands and code are run.
    static let all: [String] = {
        let files = FileManager.default
        let folders = ["Documentation", "Sources/Spikelet/Spikelet.docc", "Models", "Tools", "Benchmarks"]
        let inFolders = folders.flatMap { folder in
            ((try? files.contentsOfDirectory(atPath: Repository.root.appendingPathComponent(folder).path)) ?? []).map { "\(folder)/\($0)" }
        }
        return (["README.md", "CONTRIBUTING.md"] + inFolders).filter { $0.hasSuffix(".md") }.sorted()
    }()
}
