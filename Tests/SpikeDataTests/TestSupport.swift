import Foundation
import SpikeGraph
import Testing

/// The error that `body` throws, which must be one of ours, with something for the reader to do.
func spikeletError(_ body: () async throws -> Void, location: SourceLocation = #_sourceLocation) async -> SpikeletError {
    do {
        try await body()
    } catch let error as SpikeletError {
        #expect(error.remedy?.isEmpty == false, "no remedy: \(error)", sourceLocation: location)
        return error
    } catch {
        Issue.record("not a SpikeletError: \(error)", sourceLocation: location)
        return SpikeletError(.illegalGraph, "")
    }
    Issue.record("nothing was thrown", sourceLocation: location)
    return SpikeletError(.illegalGraph, "")
}

/// Bytes that look random and are the same in every run.
func noise(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var state = seed
    return (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 33)
    }
}

/// A float32 tensor, where a literal alone could be of any element type.
func tensor(_ values: [Float], _ shape: [Int]) -> Tensor { Tensor(values, shape: shape) }
