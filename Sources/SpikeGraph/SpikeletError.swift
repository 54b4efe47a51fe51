/// What went wrong, where, and what to do about it.
///
/// Every error that Spikelet throws for bad input is of this type. `description` is the text a person reads.
public struct SpikeletError: Error, Equatable, CustomStringConvertible {
    /// The class of a failure, for programs.
    public enum Code: String, Sendable, CaseIterable {
        /// A file cannot be read, or its bytes are not what its format says.
        case malformedFile
        /// A file or a folder is missing, full, or not permitted.
        case fileSystem
        /// A well-formed model that breaks a rule of its own format, or holds NaN or infinity.
        case invalidModel
        /// An operator, an attribute or a data type that Spikelet does not take.
        case unsupported
        /// A network that cannot become a spiking one as it is.
        case notConvertible
        /// Data (inputs, labels, calibration) that does not fit the network.
        case invalidData
        /// An option outside its range.
        case invalidOption
        /// A transfer that failed.
        case network
        /// A graph edit that would break the law of graphs (see ``Verifier``).
        case illegalGraph
        /// Work that the user broke off.
        case interrupted
    }

    /// The class of the failure.
    public var code: Code
    /// What is wrong, as a sentence without its full stop; with ``details`` it ends in a colon.
    public var message: String
    /// Lines below the message, where one sentence is not enough: `- node 'a': …`.
    public var details: [String]
    /// Where: a file, a node, a byte offset.
    public var location: String?
    /// What the reader can do about it.
    public var remedy: String?

    /// An error in words.
    public init(_ code: Code, _ message: String, details: [String] = [], at location: String? = nil, remedy: String? = nil) {
        self.code = code
        self.message = message
        self.details = details
        self.location = location
        self.remedy = remedy
    }

    /// The location and the message on one line, a line for each detail, one for the remedy. Names in them can break no line, nor
    /// control a terminal.
    public var description: String {
        var text = (location.map { "\($0): \(message)" } ?? message).visible
        for detail in details { text += "\n  \(detail.visible)" }
        if let remedy { text += "\n  → \(remedy.visible)" }
        return text
    }

    /// The first of many items as ``details``, and how many more there are.
    package static func list(_ items: [String], most: Int = 20) -> [String] {
        items.prefix(most).map { "- \($0)" } + (items.count > most ? ["- and \(items.count - most) more"] : [])
    }

    /// The same error, seen from further out: `file.onnx: node 'conv1': …`.
    public func located(_ outer: String) -> SpikeletError {
        var copy = self
        copy.location = location.map { "\(outer): \($0)" } ?? outer
        return copy
    }
}
