import Foundation
import SpikeFiles
import SpikeGraph

/// A text file that says the classes of pictures. Each line has a path below the folder of pictures (of one picture, or of a
/// folder for all in it), then white space or a comma, then the class, counted from 0:
///
///     n01440764 0
///     extra/strange.jpg 12
///
/// Empty lines and those that begin with `#` do not count. A picture's own line goes before that of its folder, and an inner folder's
/// before an outer one's.
struct ImageLabels {
    private let classes: [String: Int]
    private let path: String

    /// A line is a path and a number: more than this is no such file.
    private static let sizeLimit = 1 << 28
    private static let remedy = "write lines such as 'cats/tabby.jpg 3' or 'cats 3': a path below the folder, then the class from 0"

    /// - Throws: ``SpikeletError``: `fileSystem`, `invalidData`.
    init(_ path: String) throws {
        let source = try ByteSource(path: path)
        guard source.count <= Self.sizeLimit else {
            throw SpikeletError(.invalidData, "\(source.count) bytes are too many for a list of labels", at: path, remedy: Self.remedy)
        }
        var classes: [String: Int] = [:]
        let text = String(decoding: try source.bytes(at: 0, count: source.count), as: UTF8.self)
        for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let line = line.trimmingCharacters(in: .whitespaces)
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            let place = "\(path), line \(number + 1)"
            guard let separator = line.lastIndex(where: { $0 == "," || $0.isWhitespace }),
                let label = Int(line[line.index(after: separator)...]), label >= 0
            else {
                throw SpikeletError(.invalidData, "'\(line.prefix(80))' does not end in a class", at: place, remedy: Self.remedy)
            }
            let name = Self.normal(line[..<separator].trimmingCharacters(in: CharacterSet.whitespaces.union(["," as Unicode.Scalar])))
            if let other = classes.updateValue(label, forKey: name), other != label {
                throw SpikeletError(
                    .invalidData, "'\(name)' has the class \(label) here and \(other) before", at: place, remedy: "keep one of the lines")
            }
        }
        self.classes = classes
        self.path = path
    }

    /// Without the `./` and `/` that some programs write around a path.
    private static func normal(_ name: String) -> String {
        var name = Substring(name)
        if name.hasPrefix("./") { name = name.dropFirst(2) }
        while name.hasSuffix("/") { name = name.dropLast() }
        return String(name)
    }

    /// The class of each file.
    ///
    /// - Parameter files: paths below `folder`.
    /// - Throws: ``SpikeletError`` (`invalidData`) with all that have none.
    func classes(of files: [String], in folder: String) throws -> [Int] {
        let labels = files.map(label)
        let missing = zip(files, labels).filter { $0.1 == nil }.map(\.0)
        guard missing.isEmpty else {
            throw SpikeletError(
                .invalidData, "\(missing.count) of \(files.count) pictures in \(folder) have no class in it:",
                details: SpikeletError.list(missing), at: path, remedy: Self.remedy)
        }
        return labels.compactMap { $0 }
    }

    private func label(_ file: String) -> Int? {
        var name = Substring(file)
        while true {
            if let label = classes[String(name)] { return label }
            guard let slash = name.lastIndex(of: "/") else { return nil }
            name = name[..<slash]
        }
    }
}
