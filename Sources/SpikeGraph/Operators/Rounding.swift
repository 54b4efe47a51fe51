/// y = ⌊x⌋.
///
/// It is nonlinear. Where it is part of a clip–floor activation, the importer makes a ``Quantizer`` of the whole.
public struct Floor: OperatorPayload {
    package static let name = "Floor"

    /// An operator without attributes.
    public init() {}
}

/// y = the whole number nearest to x, halves to the even one. See ``Floor``.
public struct Round: OperatorPayload {
    package static let name = "Round"

    /// An operator without attributes.
    public init() {}
}
