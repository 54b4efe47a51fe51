package import SpikeGraph
package import Testing

/// Expects a ``SpikeletError`` of this code whose text has all the parts.
package func expectError(
    _ code: SpikeletError.Code? = nil, _ parts: String..., at location: SourceLocation = #_sourceLocation, from body: () throws -> Void
) {
    do {
        try body()
        Issue.record("no error was thrown", sourceLocation: location)
    } catch let error as SpikeletError {
        if let code { #expect(error.code == code, "\(error)", sourceLocation: location) }
        for part in parts {
            #expect(error.description.contains(part), "'\(part)' is not in: \(error)", sourceLocation: location)
        }
    } catch {
        Issue.record("another error than SpikeletError: \(error)", sourceLocation: location)
    }
}
