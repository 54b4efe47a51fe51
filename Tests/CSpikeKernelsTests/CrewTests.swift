import CSpikeKernels
import Foundation
import Testing

/// Threads that work on a layer together. (`Tools/check-kernels` runs the same under ThreadSanitizer.)
@Suite struct CrewTests {
    private final class Counts: @unchecked Sendable {
        var ofSlot = [Int](repeating: 0, count: 3)
        var refused = 0
        let crew: OpaquePointer

        init(_ crew: OpaquePointer) { self.crew = crew }
    }

    /// Counts the slot; slot 0 asks the crew, which is at work, for more.
    private static let work: @convention(c) (UnsafeMutableRawPointer?, Int32) -> Void = { context, slot in
        guard let context else { return }
        let counts = Unmanaged<Counts>.fromOpaque(context).takeUnretainedValue()
        counts.ofSlot[Int(slot)] += 1
        if slot == 0, !spike_crew_run(counts.crew, 2, { _, _ in }, nil) { counts.refused += 1 }
    }

    @Test func `every slot works once for each job, awake or asleep, and one job at a time`() throws {
        let crew = try #require(spike_crew_make(3))
        defer { spike_crew_free(crew) }
        let counts = Counts(crew)
        let context = Unmanaged.passUnretained(counts).toOpaque()
        #expect(!spike_crew_run(crew, 4, Self.work, context))
        for round in 0..<300 {
            #expect(spike_crew_run(crew, Int32(round % 3 + 1), Self.work, context))
            if round % 100 == 0 { Thread.sleep(forTimeInterval: 0.005) }
        }
        #expect(counts.ofSlot == [300, 200, 100])
        #expect(counts.refused == 300)
    }
}
