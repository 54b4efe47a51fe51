import SpikeGraph

/// What a file cannot say of a network.
public struct ExportFinding: Sendable, Hashable {
    /// What it is, such as "initial membrane potentials".
    public var subject: String
    /// What the file says instead; `nil` where there is nothing to say.
    public var replacement: String?
    /// The nodes of the network.
    public var nodes: [String]
    /// What would help where nothing can be said; `nil`: only a network without it.
    public var advice: String?

    /// Something that the file does not say as the network does.
    public init(_ subject: String, replacement: String?, nodes: [String], advice: String? = nil) {
        self.advice = advice
        self.subject = subject
        self.replacement = replacement
        self.nodes = nodes
    }

    /// A line for people.
    public var text: String {
        let places =
            nodes.isEmpty ? "" : " (\(nodes.prefix(3).joined(separator: ", "))\(nodes.count > 3 ? " and \(nodes.count - 3) more" : ""))"
        return subject + places + (replacement.map { "; instead: \($0)" } ?? "")
    }
}

/// A network as NIR, with all that it lost on the way.
public struct NIRExport: Sendable {
    /// The network as NIR.
    public var graph: NIRGraph
    /// T, for which it was written.
    public var steps: Int
    /// Replaced, since the user allowed it.
    public var approximations: [ExportFinding]
    /// What a reader has to know to do the same; no change of meaning.
    public var notes: [String]
}
