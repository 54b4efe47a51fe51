import Foundation
import SpikeFiles
import SpikeGraph

/// The pictures of a folder, and their classes.
///
/// Each folder in it is a class, with its pictures at any depth; classes are counted in the order of their names' code
/// points, as torchvision's `ImageFolder` does. Files that are no pictures by their names' endings, and hidden ones, are not looked at.
/// Classes take turns, so that the first samples are not all of one class. A folder with pictures but without folders has no classes.
struct ImageFolder {
    /// Paths below the folder.
    private(set) var files: [String] = []
    /// The class of each.
    private(set) var labels: [Int]?
    let path: String

    /// Deeper folders are not gone into: links may lead back.
    private static let depthLimit = 16

    /// Whether there is a picture, or a folder, which may hold some.
    static func isLikely(_ path: String) -> Bool {
        ((try? entries(of: path)) ?? []).contains { $0.isFolder || isPicture($0.name) }
    }

    /// - Parameter labels: a file that says the classes instead of the folders' names: see ``ImageLabels``.
    /// - Throws: ``SpikeletError``, with everything that is wrong with the folder.
    init(_ path: String, labels: String? = nil) throws {
        self.path = path
        let top = try Self.entries(of: path)
        let classes = top.filter(\.isFolder).map(\.name)
        var problems: [String] = []
        let loose = Self.pictures(of: top, &problems, in: "")
        var groups: [[String]] = []
        for name in classes {
            let files = try Self.pictures(below: name, of: path, depth: 1, &problems)
            // An empty folder would be a class all the same, and count the others differently.
            if files.isEmpty { problems.append("\(name): a class without JPEG or PNG pictures") }
            groups.append(files)
        }
        if labels == nil, !loose.isEmpty, !classes.isEmpty {
            problems.append("\(loose[0]): lies beside the folders of classes, so that its class is not known (\(loose.count) such)")
        }
        try Self.report(problems, at: path)
        guard !loose.isEmpty || !classes.isEmpty else {
            throw SpikeletError(
                .invalidData, "there are no pictures in this folder", at: path,
                remedy: "it should hold one folder for each class, with JPEG or PNG files")
        }
        if let labels {
            files = loose + Self.inTurns(groups).map(\.file)
            self.labels = try ImageLabels(labels).classes(of: files, in: path)
        } else if classes.isEmpty {
            files = loose
        } else {
            let turns = Self.inTurns(groups)
            files = turns.map(\.file)
            self.labels = turns.map(\.group)
        }
    }

    // MARK: Looking around

    private struct Entry {
        let name: String
        let isFolder: Bool
    }

    /// What is not hidden, by name.
    private static func entries(of folder: String) throws -> [Entry] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: folder)
        } catch {
            throw SpikeletError(
                .fileSystem, "the folder cannot be read", at: folder, remedy: "check that it is there, and its permissions")
        }
        return names.filter { !$0.hasPrefix(".") }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }.map { name in
            var isFolder: ObjCBool = false
            let exists = FileManager.default.fileExists(atPath: "\(folder)/\(name)", isDirectory: &isFolder)
            return Entry(name: name, isFolder: exists && isFolder.boolValue)
        }
    }

    private static func ending(of name: String) -> String {
        name.lastIndex(of: ".").map { name[name.index(after: $0)...].lowercased() } ?? ""
    }

    private static func isPicture(_ name: String) -> Bool { Picture.endings.contains(ending(of: name)) }

    /// The pictures among a folder's entries. Those of other formats are problems.
    private static func pictures(of entries: [Entry], _ problems: inout [String], in folder: String) -> [String] {
        let files = entries.filter { !$0.isFolder }.map { folder + $0.name }
        for file in files where Picture.otherEndings.contains(ending(of: file)) {
            problems.append("\(file): pictures of the kind .\(ending(of: file)) are not read; save it as JPEG or PNG, or remove it")
        }
        return files.filter(isPicture)
    }

    private static func pictures(below folder: String, of root: String, depth: Int, _ problems: inout [String]) throws -> [String] {
        guard depth <= depthLimit else {
            problems.append("\(folder): folders lie more than \(depthLimit) deep in each other; perhaps a link leads back")
            return []
        }
        let entries = try entries(of: "\(root)/\(folder)")
        var files = pictures(of: entries, &problems, in: folder + "/")
        for entry in entries where entry.isFolder {
            // What a link back would multiply is not gone through to its end.
            guard problems.count < 1000 else { break }
            files += try pictures(below: "\(folder)/\(entry.name)", of: root, depth: depth + 1, &problems)
        }
        return files
    }

    /// The first of each group, then the second of each, and so on.
    private static func inTurns(_ groups: [[String]]) -> [(file: String, group: Int)] {
        (0..<(groups.map(\.count).max() ?? 0)).flatMap { turn in
            groups.indices.compactMap { group in turn < groups[group].count ? (groups[group][turn], group) : nil }
        }
    }

    /// One error for all problems; nothing where there are none.
    static func report(_ problems: [String], at path: String) throws {
        guard !problems.isEmpty else { return }
        throw SpikeletError(
            .invalidData, "not all of its pictures can be used:", details: SpikeletError.list(problems), at: path,
            remedy: "repair these files or take them out")
    }
}
