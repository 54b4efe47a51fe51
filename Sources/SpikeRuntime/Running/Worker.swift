internal import CSpikeKernels
internal import SpikeGraph
internal import SpikeReference

extension Recording {
    var countsSpikes: Bool { contains(.spikeCounts) }
    var keepsSteps: Bool { contains(.stepOutputs) }
}

/// Some samples on their way through a program: their spikes, membranes and sums.
///
/// A block of steps goes through one stage after the other. That keeps the order of the streaming schedule, since a stage's step
/// t needs nothing but step t of the stages before it, and what lasts from block to block is kept here.
final class Worker {
    let program: Program
    let samples: Int
    let threads: Threads
    let recording: Recording
    let table: UnsafePointer<spike_kernel_table>

    /// Steps done.
    private(set) var steps = 0
    var saturations: UInt64 = 0
    /// For each neuron node, the spikes of all samples.
    var totals: [String: Int] = [:]
    let memory: WorkerMemory

    /// Values that do not depend on spikes: one set for a constant input, or one for each step of the block.
    var stillSteps: [[String: Tensor]] = [[:]]
    /// Values of the reference path, one tensor for each step of the block.
    var values: [String: [Tensor]] = [:]
    /// Of those that act on whole values, layer by layer: what they gave.
    var wholeValues: [String: Tensor] = [:]
    var genericStates: [String: any StatefulOperator] = [:]
    /// For tests: from how many spikes a neuron on the dense kernel is taken; from infinity on, nothing reads numbers.
    var denseCrossover: Double?
    /// For tests.
    var forcing: SpikeForcing?

    init(_ program: Program, samples: Int, threads: Threads, isa: spike_isa, recording: Recording) {
        self.program = program
        self.samples = samples
        self.threads = threads
        self.recording = recording
        table = spike_table(isa)
        memory = WorkerMemory(slots: threads.count)
    }

    /// Forgets what was simulated; memory stays.
    func reset() {
        steps = 0
        saturations = 0
        totals = [:]
        memory.reset()
        genericStates = [:]
        stillSteps = [[:]]
    }

    /// Simulates a block of steps.
    ///
    /// - Parameters:
    ///   - inputs: what arrives: one set of tensors for the whole block, or one for each step.
    ///   - isSameInput: the inputs are those of the block before.
    ///   - isWhole: the block is the whole simulation; no state has to outlast it.
    func advance(_ count: Int, inputs: [[Tensor]], isSameInput: Bool, isWhole: Bool) throws {
        let block = Block(steps: count, isFirst: steps == 0, isWhole: isWhole && steps == 0, variesInTime: inputs.count > 1)
        if let plan = plan(block) {
            try run(plan, inputs: inputs[0], block)
            end(block)
            return
        }
        if !(isSameInput && steps > 0) { try computeStill(inputs, block) }
        for (index, stage) in program.stages.enumerated() {
            try Cancellation.check()
            try run(stage, index, block)
            if let forcing, case .neurons(let stage) = stage, let target = stage.target { force(target, by: forcing, block) }
            memory.release(after: index, in: program)
            if !values.isEmpty { values = values.filter { program.lastValueReads[$0.key, default: -1] > index } }
        }
        end(block)
    }

    /// One stage of the program, or what stands in its place.
    func run(_ stage: Stage, _ index: Int, _ block: Block) throws {
        switch stage {
        case .neurons(let stage): try run(stage, index, block)
        case .pool(let stage): run(stage, index, block)
        case .move(let stage): run(stage, block)
        case .generic(let stage): try run(stage, block)
        }
    }

    /// Goes on to the next block.
    func end(_ block: Block) {
        (values, wholeValues) = ([:], [:])
        steps += block.steps
    }

    struct Block {
        var steps: Int
        var isFirst: Bool
        var isWhole: Bool
        /// The inputs change from step to step.
        var variesInTime: Bool
        /// The numbers that a radix code's spikes are the digits of are below 128.
        var hasNumbers: Bool { steps < 8 }
    }

    // MARK: Trains

    /// A train's memory, zeroed: [samples][steps][plane].
    func makeTrain(_ number: Int, _ block: Block) -> Buffer {
        let bytes = samples * block.steps * program.signals[number].stepBytes
        let buffer = memory.take(bytes)
        buffer.clear(bytes)
        memory.trains[number] = buffer
        return buffer
    }

    /// A sample's part of a train: the plane of spikes sent, or the one of spikes taken back.
    func plane(_ number: Int, sample: Int, isMinus: Bool, _ block: Block) -> UnsafeMutableRawPointer? {
        let signal = program.signals[number]
        let planes = signal.encoding == .signed ? 2 : 1
        return memory.trains[number].map { $0.start + (sample * planes + (isMinus ? 1 : 0)) * block.steps * signal.planeBytes }
    }

    // MARK: Lists

    /// Makes the lists of a view, unless they are there.
    ///
    /// - Throws: where they would be longer than their starts can say.
    func makeLists(_ number: Int, _ block: Block) throws {
        guard memory.lists[number] == nil else { return }
        let view = program.views[number]
        let signal = program.signals[view.signal]
        let startCount = block.steps * view.startCount
        // Room for as many entries as there are spikes, and for what vectors write behind the last. Steps are split where there are too
        // few samples for all threads, and so many neurons that it is worth it.
        let isWorth = signal.layout.count * block.steps >= 1 << 14
        let parts = isWorth ? threads.parts(of: block.steps, samples: samples) : [0..<block.steps]
        var begins: [Int] = []
        var stride = 0
        for sample in 0..<samples {
            guard let plane = plane(view.signal, sample: sample, isMinus: view.isMinus, block) else { return }
            var begin = 0
            for part in parts {
                begins.append(begin)
                begin += count(plane + part.lowerBound * signal.planeBytes, signal, steps: part.count) * view.multiplicity + 64
            }
            stride = max(stride, begin)
        }
        guard stride <= Limits.list else {
            throw SpikeletError(
                .unsupported,
                "the spikes of '\(signal.name)' in \(block.steps) steps: \(stride) entries of lists, more than \(Limits.list)",
                remedy: "simulate fewer steps, or with the reference executor (`reference`)")
        }
        let (entries, starts) = (memory.take(samples * stride * 2), memory.take(samples * startCount * 4))
        memory.lists[number] = .init(entries: entries, starts: starts, stride: stride)
        threads.forEach(samples * parts.count) { piece, _ in
            let (sample, part) = (piece / parts.count, parts[piece % parts.count])
            guard let plane = plane(view.signal, sample: sample, isMinus: view.isMinus, block) else { return }
            var job = spike_list_job()
            job.bits = UnsafePointer(plane.assumingMemoryBound(to: UInt8.self))
            job.counts = UnsafePointer(plane.assumingMemoryBound(to: Int16.self))
            job.strides = signal.strides
            job.channel_begin = Int32(view.channels.lowerBound)
            job.channel_count = Int32(view.channels.count)
            job.entry_stride = Int32(view.entryStride)
            job.step_begin = Int32(part.lowerBound)
            job.step_end = Int32(part.upperBound)
            job.first_entry = UInt32(begins[piece])
            job.window = view.window
            job.rows = view.rows
            job.entries = entries.entries + sample * stride
            job.starts = starts.starts + sample * startCount
            (signal.encoding == .counts ? table.pointee.list_counts : table.pointee.list_bits)?(&job)
        }
    }

    /// The spikes of some steps of a plane.
    func count(_ plane: UnsafeRawPointer, _ signal: Signal, steps: Int) -> Int {
        let bytes = steps * signal.planeBytes
        guard signal.encoding == .counts else { return Int(spike_popcount(plane.assumingMemoryBound(to: UInt64.self), bytes / 8)) }
        let counts = plane.assumingMemoryBound(to: Int16.self)
        return (0..<bytes / 2).reduce(0) { $0 + Int(counts[$1]) }
    }
}
