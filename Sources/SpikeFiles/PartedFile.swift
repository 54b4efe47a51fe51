/// A part of a file.
package struct FilePart: Sendable {
    package let source: ByteSource
    /// Its bytes' places in the file.
    package let range: Range<Int>

    package init(_ source: ByteSource, _ range: Range<Int>) { (self.source, self.range) = (source, range) }

    /// - Throws: ``SpikeletError``, as ``ByteSource/bytes(at:count:)``.
    package func bytes() throws -> [UInt8] { try source.bytes(at: range.lowerBound, count: range.count) }
}

/// A file in parts, so that another one can hold it, and large parts can be where the same bytes stand already.
package struct PartedFile: Sendable {
    /// The file's name, without its folder.
    package let name: String
    /// What is left of it without ``parts``.
    package let head: [UInt8]
    /// What was taken out, in the order of the places it was taken from; `nil` where nothing was.
    package let parts: [FilePart?]

    package init(name: String, head: [UInt8], parts: [FilePart?]) { (self.name, self.head, self.parts) = (name, head, parts) }

    package var size: Int { head.count + parts.reduce(0) { $0 + ($1?.range.count ?? 0) } }
}
