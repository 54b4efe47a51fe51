package import SpikeGraph

/// A rewriting of a graph with a name. Each pass states what it expects (Given) and what it leaves behind (Result); graphs
/// are verified after every one of them, since a ``Graph`` cannot be made otherwise.
package protocol Pass: Sendable {
    /// The pass's name in code, commands, reports and documentation: imperative, with hyphens.
    static var id: String { get }
    /// The changed graph; the one that went in stays as it was.
    func run(_ graph: Graph) throws -> Graph
}
