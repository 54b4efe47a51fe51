import Foundation
import TestSupport
import Testing

@Suite("Command lines in the documentation")
struct CommandTests {
    /// A command, and what the document says it prints.
    struct Example {
        let line: Int
        let command: String
        let printed: String
    }

    /// The commands of a block. A backslash at its end continues a line.
    static func examples(_ block: Markdown.Block) -> [Example] {
        var examples: [Example] = []
        var command = "", start = 0, printed: [String] = []
        func finish() {
            if !command.isEmpty { examples.append(Example(line: start, command: command, printed: printed.joined(separator: "\n"))) }
            (command, printed) = ("", [])
        }
        for (index, line) in block.text.components(separatedBy: "\n").enumerated() {
            if command.hasSuffix("\\") {
                command += "\n" + line
            } else if block.language == "sh" || line.hasPrefix("$ ") {
                finish()
                command = block.language == "sh" ? line : String(line.dropFirst(2))
                start = block.line + 1 + index
            } else {
                printed.append(line)
            }
        }
        finish()
        return examples.filter { !$0.command.hasPrefix("#") }
    }

    @Test(arguments: Markdown.all) func `every command of a document does what the document says`(path: String) throws {
        let document = try Markdown(path)
        let blocks = document.blocks.filter { ["sh", "console"].contains($0.language) && $0.notRun == nil }
        guard !blocks.isEmpty else { return }
        let sandbox = try Sandbox()
        for example in blocks.flatMap(Self.examples) {
            let place = "\(path):\(example.line): \(example.command)"
            // A file that a command writes takes the place of the one that all share.
            let run = try sandbox.run(example.command)
            if example.printed.hasPrefix("Error:") {
                #expect(run.status == 1, "\(place)")
                #expect(run.errors.trimmingCharacters(in: .newlines) == example.printed.trimmingCharacters(in: .newlines), "\(place)")
            } else {
                #expect(run.status == 0, "\(place)\n\(run.errors)")
            }
        }
    }

    @Test(arguments: Markdown.all) func `every block of a document has a language, and every link leads somewhere`(path: String) throws {
        let document = try Markdown(path)
        for block in document.blocks {
            let known = ["sh", "console", "swift", "text", "python"]
            #expect(known.contains(block.language), "\(path):\(block.line): '\(block.language)' is none of \(known)")
            if block.language == "python" { #expect(block.notRun != nil, "\(path):\(block.line): say where it is run, or why not") }
        }
        #expect(!document.text.contains(#/^(<<<<<<<|>>>>>>>) /#.anchorsMatchLineEndings()), "\(path): a merge left its marks")
        let isHidden = document.text.contains(#/^ {4}(spikelet|swift|make|python|pip)[ -]/#.anchorsMatchLineEndings())
        #expect(!isHidden, "\(path): an indented command is not seen by these tests: put it into a block")
        let folder = Repository.root.appendingPathComponent(path).deletingLastPathComponent()
        for link in document.text.matches(of: #/\]\(([^)#\s]+)(#[^)]*)?\)/#).map({ String($0.1) }) where !link.contains("://") {
            #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent(link).path), "\(path): \(link)")
        }
        for article in document.text.matches(of: #/<doc:([A-Za-z]+)>/#).map({ String($0.1) }) {
            #expect(FileManager.default.fileExists(atPath: folder.appendingPathComponent("\(article).md").path), "\(path): \(article)")
        }
    }

    /// The examples of `spikelet COMMAND --help`, but for what needs a network, or measures for long.
    @Test func `the examples in the help run`() throws {
        let sandbox = try Sandbox()
        let commands = try sandbox.run("spikelet --help").output.matches(of: #/^  ([a-z]+)  /#.anchorsMatchLineEndings()).map {
            String($0.1)
        }
        #expect(commands.count >= 12)
        var count = 0
        for command in [""] + commands where !["help", "demo", "download", "kernels"].contains(command) {
            let help = try sandbox.run("spikelet \(command) --help").output.components(separatedBy: "\nUSAGE:")[0]
            #expect(!help.contains(#/\n *\\\n/#), "an example of \(command) is too long for the help's lines")
            let joined = help.replacing(#/\\\n\s+/#, with: "")
            for example in joined.components(separatedBy: "\n") where example.hasPrefix("  spikelet ") {
                let run = try sandbox.run(example)
                #expect(run.status == 0, "\(example)\n\(run.errors)")
                count += 1
            }
        }
        #expect(count >= 20, "\(count) examples")
    }
}
