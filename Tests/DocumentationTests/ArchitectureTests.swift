import Foundation
import TestSupport
import Testing

/// The table of rooms in `Documentation/Architecture.md`, `Package.swift` and the sources say the same of who imports whom.
@Suite("Architecture")
struct ArchitectureTests {
    private static func text(_ path: String) throws -> String {
        try String(contentsOf: Repository.root.appendingPathComponent(path), encoding: .utf8)
    }

    /// The targets in `Sources`, and the targets and packages that `Package.swift` has each depend on.
    private static func declared() throws -> [String: Set<String>] {
        var manifest = try text("Package.swift")
        for constant in manifest.matches(of: #/let ([A-Za-z]+) = Target\.Dependency(.*)/#) {
            manifest.replace(try Regex("\\b\(constant.1)\\b"), with: String(constant.2))
        }
        var rooms: [String: Set<String>] = [:]
        // One entry of the list of targets begins with each line of this indentation.
        for entry in manifest.components(separatedBy: "\n    targets: [")[1].split(separator: #/\n {8}(?=\S)/#) {
            guard entry.hasPrefix("room(") || entry.contains(#/^\.(target|executableTarget|systemLibrary)\(/#) else { continue }
            let names = entry.matches(of: #/"([A-Za-z0-9-]+)"/#).map { String($0.1) }
            rooms[names[0]] = Set(names.dropFirst())
        }
        rooms = rooms.filter { FileManager.default.fileExists(atPath: Repository.root.appendingPathComponent("Sources/\($0.key)").path) }
        return rooms.mapValues { names in names.filter { rooms[$0] != nil || $0.hasPrefix("swift-") } }
    }

    @Test func `the table of rooms is the package's`() throws {
        var documented: [String: Set<String>] = [:]
        for line in try Self.text("Documentation/Architecture.md").components(separatedBy: "\n") where line.hasPrefix("| `") {
            let names = line.components(separatedBy: " | ").map { cell in Set(cell.matches(of: #/`([A-Za-z0-9-]+)`/#).map { String($0.1) })
            }
            for room in names[0] where names.count == 4 { documented[room] = names[2] }
        }
        let declared = try Self.declared()
        #expect(declared.count >= 20)
        #expect(Set(documented.keys) == Set(declared.keys))
        for (room, imports) in declared {
            #expect(documented[room] == imports, "\(room): Documentation/Architecture.md and Package.swift differ")
        }
    }

    @Test func `a room imports what the package has it depend on`() throws {
        let declared = try Self.declared()
        for (room, imports) in declared where room.hasPrefix("Spike") {
            let folder = Repository.root.appendingPathComponent("Sources/\(room)")
            var found: Set<String> = []
            for path in try FileManager.default.subpathsOfDirectory(atPath: folder.path) where path.hasSuffix(".swift") {
                let source = try String(contentsOf: folder.appendingPathComponent(path), encoding: .utf8)
                found.formUnion(source.matches(of: #/^[@_a-z ]*\bimport ([A-Za-z0-9]+)/#.anchorsMatchLineEndings()).map { String($0.1) })
            }
            #expect(
                found.filter { declared[$0] != nil } == imports.filter { declared[$0] != nil },
                "\(room): its sources and Package.swift differ")
        }
    }
}
