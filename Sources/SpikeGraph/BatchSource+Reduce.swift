/// Sums over samples: what is found in some of them, to be added to what is found in others.
package protocol Accumulator: Codable, Sendable {
    /// Takes in what later samples gave.
    mutating func merge(_ later: Self)
}

extension Array where Element: Accumulator {
    /// Each with the one at its place.
    package mutating func mergeEach(_ later: [Element]) {
        if isEmpty { self = later } else { for (index, sums) in later.enumerated() { self[index].merge(sums) } }
    }
}

/// Neighbouring samples of a pass over data, all of one batch.
package struct Portion: Sendable {
    package let batch: Batch
    /// The samples before these.
    package let start: Int
    /// The number of the batch they are from, counted from 1.
    package let number: Int
    /// Whether they are the batch's last.
    package let endsBatch: Bool
}

extension BatchSource {
    /// Goes through the data, one portion after the other. ``Progress`` tells how far it has come.
    ///
    /// - Parameters:
    ///   - title: what is done, for people.
    ///   - passes: how often the data is gone through.
    ///   - size: the most samples of a portion; it ends where their number is a multiple of this, or with its batch.
    ///   - isDone: asked after each portion; the pass ends there.
    /// - Throws: where there is no sample.
    package func forEach(
        _ title: String, passes: Int = 1, portion size: Int = .max, until isDone: () -> Bool = { false }, _ body: (Portion) throws -> Void
    ) throws {
        try forEachGroup(of: 1, title, work: (1, "batches"), passes: passes, portion: size, until: isDone) { group, advance in
            try body(group[0])
            advance(group[0])
        }
    }

    /// Goes through the data once, and merges what each portion gives, in their order.
    ///
    /// - Parameters:
    ///   - title: what is done, for people.
    ///   - empty: sums over nothing, or over the samples that are skipped.
    ///   - work: how much each batch is, and in which unit.
    ///   - skipped: the first samples, which have been seen already.
    ///   - size: the most samples of a portion; it ends where their number is a multiple of this, or with its batch.
    ///   - threads: how many portions are worked on at a time. The result does not depend on it.
    ///   - merged: called with the sums so far, after as many portions as there are threads.
    /// - Throws: where there is no sample, or not as many as are to be skipped.
    package func reduce<Sums: Accumulator>(
        _ title: String, into empty: Sums, work: (amount: Int, unit: String) = (1, "batches"), skipping skipped: Int = 0,
        portion size: Int = .max, threads: Int = 1, _ part: @Sendable (Portion) throws -> Sums, merged: (Sums) throws -> Void = { _ in }
    ) throws -> Sums {
        var sums = empty
        try forEach(
            title, work: work, skipping: skipped, portion: size, threads: threads, mapping: part, { sums.merge($0) },
            afterGroup: { try merged(sums) })
        return sums
    }

    /// Goes through the data once, and gives what each portion is mapped to, in their order.
    ///
    /// - Parameters: as of ``reduce(_:into:work:skipping:portion:threads:_:merged:)``.
    package func forEach<Part: Sendable>(
        _ title: String, work: (amount: Int, unit: String) = (1, "batches"), skipping skipped: Int = 0, portion size: Int = .max,
        threads: Int = 1, mapping part: @Sendable (Portion) throws -> Part, _ body: (Part) throws -> Void,
        afterGroup: () throws -> Void = {}
    ) throws {
        try forEachGroup(of: threads, title, work: work, skipping: skipped, portion: size) { group, advance in
            for part in try concurrentMap(
                group,
                { portion in
                    defer { advance(portion) }
                    return try part(portion)
                })
            { try body(part) }
            try afterGroup()
        }
    }

    private func forEachGroup(
        of count: Int, _ title: String, work: (amount: Int, unit: String), passes: Int = 1, skipping skipped: Int = 0, portion size: Int,
        until isDone: () -> Bool = { false }, _ body: ([Portion], _ advance: @Sendable (Portion) -> Void) throws -> Void
    ) throws {
        let display = Progress.begin(title, total: batchCount.map { $0 * passes * work.amount }, unit: work.unit)
        defer { display.finish() }
        precondition(count > 0 && size > 0, "portions of \(size) samples, \(count) at a time")
        for _ in 0..<passes {
            var portions = Portions(pass: try makePass(), skipped: skipped, size: size)
            repeat {
                try Cancellation.check()
                var group: [Portion] = []
                while group.count < count, let portion = try portions.next(skip: { display.advance(by: work.amount, isWork: false) }) {
                    group.append(portion)
                }
                if group.isEmpty { break }
                try body(group) { if $0.endsBatch { display.advance(by: work.amount) } }
            } while !isDone()
            guard portions.skipped == 0 else {
                throw SpikeletError(
                    .invalidData, "the earlier run has \(portions.skipped) samples more than the data",
                    remedy: "give the data that it was run on, or start again")
            }
            guard portions.start > 0 else {
                throw SpikeletError(
                    .invalidData, "the data holds no sample", remedy: "give at least one sample; for calibration some hundred are usual")
            }
        }
    }

    /// The first samples, in as many batches as they come in.
    ///
    /// - Parameter wholeBatches: takes the whole of the last batch, for networks that take nothing else.
    package func first(_ count: Int, wholeBatches: Bool = false) throws -> [Batch] {
        var (found, missing) = ([Batch](), count)
        var pass = try makePass()
        while missing > 0, let batch = try pass.next() {
            found.append(wholeBatches || batch.count <= missing ? batch : try batch.samples(0..<missing))
            missing -= batch.count
        }
        return found
    }
}

/// A pass in portions, without its first samples.
private struct Portions {
    var pass: any BatchPass
    /// Samples that are to be skipped yet.
    var skipped: Int
    let size: Int
    /// The samples before the next portion.
    private(set) var start = 0
    private var number = 0
    /// The batch that portions are taken from, and how many of its samples are behind.
    private var current: (batch: Batch, done: Int)?

    init(pass: any BatchPass, skipped: Int, size: Int) {
        (self.pass, self.skipped, self.size) = (pass, skipped, size)
    }

    /// - Parameter skip: called for each batch that is skipped as a whole.
    mutating func next(skip: () -> Void) throws -> Portion? {
        while current == nil {
            guard let batch = try pass.next() else { return nil }
            number += 1
            let passed = min(skipped, batch.count)
            skipped -= passed
            start += passed
            if passed == batch.count { skip() } else { current = (batch, passed) }
        }
        guard let (batch, done) = current else { return nil }
        let count = min(batch.count - done, size - start % size)
        let isLast = done + count == batch.count
        current = isLast ? nil : (batch, done + count)
        defer { start += count }
        return Portion(
            batch: count == batch.count ? batch : try batch.samples(done..<done + count), start: start, number: number, endsBatch: isLast)
    }
}

extension Batch {
    /// Some of the samples, with their labels and targets.
    ///
    /// - Throws: where there are not as many labels or targets as samples.
    package func samples(_ range: Range<Int>) throws -> Batch {
        guard labels.map({ $0.count == count }) ?? true, targets.map({ $0.shape.first == count }) ?? true else {
            throw SpikeletError(
                .invalidData, "\(labels?.count ?? targets?.shape.first ?? 0) labels for \(count) samples",
                remedy: "give one label for each sample")
        }
        return Batch(
            inputs: inputs.map { $0.samples(range) }, labels: labels.map { Array($0[range]) }, targets: targets?.samples(range))
    }
}

extension [Batch] {
    /// The inputs of all batches, each in one tensor; none where there is no batch.
    package var joinedInputs: [Tensor] {
        (first?.inputs ?? []).indices.map { input in Tensor.joined(map { $0.inputs[input] }) }
    }
}
