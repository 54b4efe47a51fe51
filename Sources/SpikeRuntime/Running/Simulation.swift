internal import CSpikeKernels
internal import Dispatch
public import SpikeGraph
public import SpikeReference

/// Simulates a spiking network fast.
///
///     let simulation = try Simulation(snn, precision: .int8, threads: 2)
///     let outputs = try simulation.run([images], steps: 32)
///
/// float32 gives the results of ``SpikeReference/ReferenceSimulation`` up to the order of additions; int8 trades a little
/// accuracy for speed. Results depend neither on the number of threads nor on how samples are batched.
public final class Simulation {
    /// What is run.
    public let program: Program
    /// How many may work at the same time.
    public let threads: Int
    /// What a run notes down besides its outputs.
    public var recording: Recording = []
    /// The most samples that go through the network together; more share the reading of weights, fewer need less memory.
    public var largestChunk = 8

    /// Sees, and may replace, what each layer sends: all samples then go through the network together.
    package var forcing: SpikeForcing?
    /// For tests: from how many spikes a neuron on the dense kernel is taken; `nil` for what was measured.
    package var denseCrossover: Double?

    private let isa: spike_isa
    private var workers: [Worker] = []
    /// Of the last whole run, one a thread: the next one takes their memory over.
    private var spareWorkers: [Worker?] = []
    /// Of networks of digit neurons the same, by slot.
    private var numberWorkers: [Int: NumberWorker] = [:]
    /// Of networks of digit neurons, the outputs after each step, if they were asked for.
    private var referenceStepOutputs: [[Tensor]] = []
    private var batch: Int?
    /// Steps since the last reset.
    public private(set) var steps = 0
    /// Of single steps: what was accumulated before the readout began.
    private var ignored: [String: [Float]] = [:]
    private var finished: Finished?

    /// What is kept of a run whose workers have gone on.
    fileprivate struct Finished {
        /// By value, all samples.
        var sums: [String: [Float]]
        var stepSums: [[String: [Float]]]
        var counts: [String: [Float]]
        var totals: [String: Int]
        var saturations: UInt64
        var peakBytes: Int
        var stepsUsed: [Int]
    }

    /// Compiles and prepares.
    ///
    /// - Parameter threads: how many may work at the same time: over samples first, then over rows and channels of a layer.
    /// - Throws: where the graph is no spiking network, or `threads` no number of threads.
    public convenience init(_ snn: Graph, precision: Precision = .float32, threads: Int = 1) throws {
        try self.init(try Compiler(precision: precision)(snn), threads: threads)
    }

    /// Prepares to run a compiled program.
    public init(_ program: Program, threads: Int = 1) throws {
        try checkThreads(threads)
        try KernelList.checkEnvironment()
        self.program = program
        self.threads = threads
        isa = spike_isa_default()
        longestBlock = program.longestBlock
    }

    /// With the kernels of one instruction set, for tests.
    package init(_ program: Program, threads: Int = 1, isaNumber: UInt32) {
        self.program = program
        self.threads = threads
        isa = spike_isa(rawValue: isaNumber)
        longestBlock = program.longestBlock
    }

    private lazy var crew = Threads.Crew(count: threads)

    // What looks through all stages.
    private(set) lazy var mostDigits = program.mostDigits
    private(set) lazy var mostSteps = program.mostSteps
    private let longestBlock: Int

    /// How many pieces a sample of each value lies in.
    private lazy var pieces = program.graph.piecesOfSamples()

    /// Forgets everything: membranes, sums, counts, the batch size.
    public func reset() {
        workers = []
        batch = nil
        steps = 0
        ignored = [:]
        finished = nil
        referenceStepOutputs = []
    }

    // MARK: Whole runs

    /// Resets, then simulates `steps` steps.
    ///
    /// - Parameters:
    ///   - inputs: one tensor for each input: `[N, …]`, the same in every step; or, if `timeVarying`, `[T, N, …]` with at least
    ///     `steps` steps.
    ///   - steps: T; for a radix code its K.
    ///   - exitConfidence: p; under the streaming schedule a sample stops at the first step after which the softmax of its
    ///     accumulated first output (``stepConfidences()``) has a probability of at least p. ``stepsUsed`` tells when.
    /// - Returns: the outputs after the last step (of each sample), accumulated, averaged for rate codes, and read out.
    public func run(_ inputs: [Tensor], steps: Int, timeVarying: Bool = false, exitConfidence: Float? = nil) throws -> [Tensor] {
        let size = try check(inputs, steps: steps, timeVarying: timeVarying, exitConfidence: exitConfidence)
        reset()
        // Samples that stop by themselves go alone.
        let share = (size + threads - 1) / threads
        let length = forcing != nil ? size : exitConfidence == nil ? max(1, min(largestChunk, share)) : 1
        let chunks = stride(from: 0, to: size, by: length).map { $0..<min($0 + length, size) }
        let outer = Threads(count: min(threads, chunks.count), crew: crew)
        let inner = Threads(count: max(1, threads / chunks.count), crew: crew)
        let recording = exitConfidence == nil ? self.recording : self.recording.union(.stepOutputs)

        if let numbers = program.numbers {
            return try run(numbers, inputs, size: size, steps: steps, chunks: chunks, outer: outer, inner: inner)
        }
        nonisolated(unsafe) var results = [Result<Finished, any Error>?](repeating: nil, count: chunks.count)
        nonisolated(unsafe) var spare = spareWorkers.count == outer.count ? spareWorkers : [Worker?](repeating: nil, count: outer.count)
        let lock = DispatchSemaphore(value: 1)
        nonisolated(unsafe) var hasFailed = false
        let carried = Cancellation.carried
        outer.forEach(chunks.count) { index, slot in
            let chunk = chunks[index]
            let (known, isOver) = lock.with { (spare[slot], hasFailed) }
            if isOver { return }
            let worker: Worker
            if let known, known.samples == chunk.count, known.threads.count == inner.count, known.recording == recording {
                worker = known
                worker.reset()
            } else {
                worker = Worker(program, samples: chunk.count, threads: inner, isa: isa, recording: recording)
            }
            worker.forcing = forcing
            worker.denseCrossover = denseCrossover
            let result = Result {
                try carried {
                    try simulate(
                        worker,
                        inputs.map { timeVarying ? Self.samplesInTime($0, chunk) : size == chunk.count ? $0 : $0.samples(chunk) },
                        steps: steps, timeVarying: timeVarying, exitConfidence: exitConfidence)
                }
            }
            lock.with {
                spare[slot] = worker
                results[index] = result
                if case .failure = result { hasFailed = true }
            }
        }
        spareWorkers = spare
        let peakBytes = spare.reduce(0) { $0 + ($1?.memory.peakBytes ?? 0) }
        return try finish(results, size: size, steps: steps, peakBytes: peakBytes)
    }

    private func finish(_ results: [Result<Finished, any Error>?], size: Int, steps: Int, peakBytes: Int) throws -> [Tensor] {
        var parts: [Finished] = []
        for result in results {
            guard let result else { continue }
            parts.append(try result.get())
        }
        finished = Finished(
            sums: joined(parts.map { $0.sums }),
            stepSums: parts[0].stepSums.indices.prefix(parts.map { $0.stepSums.count }.min() ?? 0).map { step in
                joined(parts.map { $0.stepSums[step] })
            },
            counts: joinedCounts(parts.map { $0.counts }),
            totals: parts.count == 1 ? parts[0].totals : parts.reduce(into: [:]) { $0.merge($1.totals, uniquingKeysWith: +) },
            saturations: parts.reduce(0) { $0 + $1.saturations }, peakBytes: peakBytes, stepsUsed: parts.flatMap { $0.stepsUsed })
        batch = size
        self.steps = steps
        return try outputs()
    }

    /// A network of digit neurons, in the numbers that their spikes are the digits of.
    private func run(
        _ numbers: NumberProgram, _ inputs: [Tensor], size: Int, steps: Int, chunks: [Range<Int>], outer: Threads, inner: Threads
    ) throws -> [Tensor] {
        nonisolated(unsafe) var results = [Result<Finished, any Error>?](repeating: nil, count: chunks.count)
        nonisolated(unsafe) var peaks = [Int](repeating: 0, count: outer.count)
        let lock = DispatchSemaphore(value: 1)
        nonisolated(unsafe) var hasFailed = false
        let carried = Cancellation.carried
        outer.forEach(chunks.count) { index, slot in
            if lock.with({ hasFailed }) { return }
            let chunk = chunks[index]
            let worker = lock.with { () -> NumberWorker in
                if let known = numberWorkers[slot], known.samples == chunk.count, known.threads.count == inner.count,
                    known.recording == recording
                {
                    return known
                }
                let worker = NumberWorker(
                    numbers, graph: program.graph, samples: chunk.count, threads: inner, isa: isa, recording: recording)
                numberWorkers[slot] = worker
                return worker
            }
            worker.forcing = forcing
            let result = Result {
                let sums = try carried {
                    try worker.run(inputs.map { size == chunk.count ? $0 : $0.samples(chunk) }, steps: steps)
                }
                return Finished(
                    sums: sums, stepSums: [], counts: worker.counts, totals: worker.totals, saturations: 0, peakBytes: 0,
                    stepsUsed: [Int](repeating: steps, count: chunk.count))
            }
            lock.with {
                results[index] = result
                if case .failure = result { hasFailed = true }
                peaks[slot] = max(peaks[slot], worker.pool.peakBytes)
            }
        }
        let outputs = try finish(results, size: size, steps: steps, peakBytes: peaks.reduce(0, +))
        if recording.contains(.stepOutputs) {
            // What the first digits of the last layers say is a matter of single steps.
            let reference = try ReferenceSimulation(program.graph)
            var after: [[Tensor]] = []
            _ = try reference.run(inputs, steps: steps, onStep: { _ in after.append(try reference.outputs()) })
            referenceStepOutputs = after
        }
        return outputs
    }

    private func simulate(
        _ worker: Worker, _ inputs: [Tensor], steps: Int, timeVarying: Bool, exitConfidence: Float?
    ) throws -> Finished {
        // Under the layer-synchronous schedule all steps are one block; else blocks bound the memory that spikes take.
        let isStreaming = program.schedule == .streaming
        let length = isStreaming ? min(exitConfidence == nil ? longestBlock : min(8, longestBlock), steps) : steps
        var stepSums: [[String: [Float]]] = []
        let delay = program.spikingDescription.readoutDelay ?? 0
        // What was accumulated before the readout began.
        var ignored: [String: [Float]] = [:]
        var done = 0
        var used: Int?
        while done < steps, used == nil {
            let count = min(length, (done < delay ? min(delay, steps) : steps) - done)
            let blockInputs = timeVarying ? (done..<done + count).map { step in inputs.map { $0.step(step) } } : [inputs]
            try worker.advance(count, inputs: blockInputs, isSameInput: !timeVarying && done > 0, isWhole: count == steps)
            if worker.recording.keepsSteps { stepSums += (0..<count).map { worker.sums(atStep: $0, of: count).subtracting(ignored) } }
            if let exitConfidence {
                used = try (done..<done + count).first { try confidences(stepSums[$0], of: steps, samples: 1)[0] >= exitConfidence }.map {
                    $0 + 1
                }
            }
            done += count
            if done == delay, done < steps { ignored = worker.sums() }
        }
        let stepsUsed = used ?? steps
        return Finished(
            sums: used == nil ? worker.sums().subtracting(ignored) : stepSums[stepsUsed - 1],
            stepSums: recording.contains(.stepOutputs) ? stepSums : [],
            counts: worker.spikeCounts(), totals: worker.totals, saturations: worker.saturations, peakBytes: worker.memory.peakBytes,
            stepsUsed: [Int](repeating: stepsUsed, count: worker.samples))
    }

    // MARK: Single steps

    /// One time step of the streaming schedule, for live data.
    ///
    /// - Parameters:
    ///   - inputs: what arrives in this step, one tensor `[N, …]` for each input of the network.
    ///   - isSameInput: whether the inputs are those of the step before; what depends on them alone is then not computed again.
    /// - Throws: where the inputs do not fit, or their batch size is not that of the steps before. After an error in the network itself
    ///   the simulation begins anew.
    public func step(_ inputs: [Tensor], isSameInput: Bool = false) throws {
        guard program.schedule == .streaming else {
            throw SpikeletError(
                .unsupported, "single steps of a network with the \(program.schedule.rawValue) schedule", remedy: "simulate whole runs")
        }
        if finished != nil { reset() }
        let size = try program.graph.check(inputs: inputs)
        if let batch, batch != size {
            throw SpikeletError(
                .invalidData, "a batch of \(size) samples in the middle of a simulation of \(batch)",
                remedy: "call reset() before a new batch")
        }
        try checkSums(steps + 1)
        if workers.isEmpty {
            batch = size
            let parts = forcing == nil ? min(threads, size) : 1
            let recording = self.recording.intersection(.spikeCounts)
            workers = (0..<parts).map { part in
                Worker(
                    program, samples: (part + 1) * size / parts - part * size / parts,
                    threads: Threads(count: max(1, threads / parts), crew: crew), isa: isa, recording: recording)
            }
        }
        for worker in workers { worker.forcing = forcing }
        var begin = 0
        let pieces = workers.map { worker -> [Tensor] in
            defer { begin += worker.samples }
            return inputs.map { $0.samples(begin..<begin + worker.samples) }
        }
        nonisolated(unsafe) let workers = workers
        nonisolated(unsafe) var errors = [(any Error)?](repeating: nil, count: workers.count)
        let lock = DispatchSemaphore(value: 1)
        Threads(count: min(threads, workers.count), crew: crew).forEach(workers.count) { index, _ in
            do {
                try workers[index].advance(1, inputs: [pieces[index]], isSameInput: isSameInput, isWhole: false)
            } catch {
                lock.with { errors[index] = error }
            }
        }
        if let error = errors.compactMap({ $0 }).first {
            reset()
            throw error
        }
        steps += 1
        if steps == program.spikingDescription.readoutDelay { ignored = joined(workers.map { $0.sums() }) }
    }

    // MARK: Results

    /// The outputs so far: accumulated, for rate codes divided by the number of steps, and read out.
    public func outputs() throws -> [Tensor] {
        if let finished { return try read(finished.sums, stepsOf: finished.stepsUsed) }
        guard steps > 0 else { throw SpikeletError(.invalidData, "no step has been simulated yet") }
        let sums = joined(workers.map { $0.sums() })
        let hasBegun = steps > program.spikingDescription.readoutDelay ?? 0
        return try read(hasBegun ? sums.subtracting(ignored) : sums, stepsOf: [Int](repeating: steps, count: batch ?? 0))
    }

    /// What has been accumulated since it was asked for last, by value; from now on begins anew.
    func takeSums() -> [String: [Float]] {
        defer { for worker in workers { worker.clearSums() } }
        return joined(workers.map { $0.sums() })
    }

    /// The outputs after each step of the last run, if ``recording`` asked for them; of samples that stopped early, only steps
    /// that all of them did.
    public func stepOutputs() throws -> [[Tensor]] {
        guard let finished else { return [] }
        if !referenceStepOutputs.isEmpty { return referenceStepOutputs }
        return try finished.stepSums.enumerated().map { index, sums in
            try read(sums, stepsOf: [Int](repeating: index + 1, count: batch ?? 0))
        }
    }

    /// For each neuron node, the spikes of each neuron, `[N, …]` (spikes taken back count too), if ``recording`` asked for them.
    public var spikeCounts: [String: Tensor] {
        let counts = finished?.counts ?? joinedCounts(workers.map { $0.spikeCounts() })
        var tensors: [String: Tensor] = [:]
        for (name, values) in counts {
            guard let node = program.graph.node(named: name),
                let shape = program.graph.types[node.outputs[0]]?.shape.resolved(batch: batch ?? 0)
            else { continue }
            tensors[name] = Tensor(values, shape: shape)
        }
        return tensors
    }

    /// For each neuron node, the spikes of all its neurons and samples.
    public var spikeTotals: [String: Int] {
        finished?.totals ?? workers.reduce(into: [:]) { $0.merge($1.totals, uniquingKeysWith: +) }
    }

    /// How many steps each sample was simulated.
    public var stepsUsed: [Int] { finished?.stepsUsed ?? [Int](repeating: steps, count: batch ?? 0) }

    /// int8: how often a current or a membrane met the bound that keeps whole numbers from overflowing.
    public var saturations: UInt64 { finished?.saturations ?? workers.reduce(0) { $0 + $1.saturations } }

    /// The most memory that spikes, lists, membranes and sums took, in bytes.
    public var peakBytes: Int { finished?.peakBytes ?? workers.reduce(0) { $0 + $1.memory.peakBytes } }

    /// What parts of the batch gave for values, put together.
    private func joined(_ parts: [[String: [Float]]], value: (String) -> String = { $0 }) -> [String: [Float]] {
        guard parts.count > 1 else { return parts.first ?? [:] }
        var whole: [String: [Float]] = [:]
        for name in parts[0].keys {
            let (numbers, count) = (parts.compactMap { $0[name] }, pieces[value(name)] ?? 1)
            whole[name] = (0..<count).flatMap { piece in
                numbers.flatMap { $0[piece * $0.count / count..<(piece + 1) * $0.count / count] }
            }
        }
        return whole
    }

    /// The same for neurons, by the names of their nodes.
    private func joinedCounts(_ parts: [[String: [Float]]]) -> [String: [Float]] {
        joined(parts) { [graph = program.graph] in graph.node(named: $0)?.outputs[0] ?? $0 }
    }

    /// Sums as outputs.
    private func read(_ sums: [String: [Float]], stepsOf samples: [Int]) throws -> [Tensor] {
        var values: [String: Tensor] = [:]
        func value(_ name: String) -> Tensor? { values[name] ?? program.graph.constants[name] }
        for (name, sum) in sums {
            let size = sum.count / max(1, samples.count)
            let divisors = samples.map { program.spikingDescription.divisor(after: $0) }
            let averaged = divisors.allSatisfy { $0 == 1 } ? sum : sum.indices.map { sum[$0] / divisors[$0 / max(1, size)] }
            guard let shape = program.graph.types[name]?.shape.resolved(batch: samples.count) else { continue }
            values[name] = Tensor(averaged, shape: shape)
        }
        for node in program.readout {
            values[node.outputs[0]] = try ReferenceExecutor.evaluate(
                node.operator, node.inputs.compactMap(value), batch: samples.count)[0]
        }
        return program.graph.outputs.compactMap { value($0.value) }
    }

    /// How sure the network was of each sample after each step of the last run, `[step][sample]`, if ``recording`` asked for the
    /// steps' outputs: by what was accumulated until then, divided by all steps, as if no spike came any more. So it grows with
    /// the evidence; means over the first few steps would be sure of anything.
    public func stepConfidences() throws -> [[Float]] {
        guard let finished else { return [] }
        return try finished.stepSums.map { try confidences($0, of: steps, samples: batch ?? 0) }
    }

    private func confidences(_ sums: [String: [Float]], of steps: Int, samples: Int) throws -> [Float] {
        guard let output = try read(sums, stepsOf: [Int](repeating: steps, count: samples)).first else { return [] }
        return try program.confidences(output)
    }
}

extension [String: [Float]] {
    /// Sums without an earlier part of them.
    fileprivate func subtracting(_ earlier: Self) -> Self {
        merging(earlier) { sum, part in zip(sum, part).map { $0 - $1 } }
    }
}

extension DispatchSemaphore {
    func with<Value>(_ body: () -> Value) -> Value {
        wait()
        defer { signal() }
        return body()
    }
}

/// Throws where there cannot be so many threads.
package func checkThreads(_ threads: Int) throws {
    guard (1...1024).contains(threads) else {
        throw SpikeletError(.invalidOption, "\(threads) threads", remedy: "give a number from 1 to 1024")
    }
}
