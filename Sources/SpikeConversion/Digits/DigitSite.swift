import SpikeGraph

/// An activation that is to be sent as digits.
struct DigitSite {
    /// One reader of a value: a node's name, and which of its inputs.
    struct Reader: Hashable {
        var node: String
        var position: Int
    }

    /// The node that makes it.
    var node: Node
    var isSigned = false
    /// Along which channels lie, as of a ``VoltageScaler``.
    var axis = 1
    /// Who reads digits, where others read the value itself; `nil`: all.
    var readers: Set<Reader>?
    /// θ, where it is known before anything is observed.
    var threshold: [Float]?
}
