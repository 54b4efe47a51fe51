internal import CSpikeKernels
internal import Dispatch
internal import SpikeGraph
internal import SpikeReference

/// Runs a ``NumberProgram`` for some samples.
final class NumberWorker {
    let program: NumberProgram
    let graph: Graph
    let samples: Int
    let threads: Threads
    let kernels: spike_kernel_table
    let pool = NumberPool()
    var forcing: SpikeForcing?
    let recording: Recording
    /// What is known so far, by name.
    private var values: [String: Held] = [:]
    private var steps = 0
    private(set) var totals: [String: Int] = [:]
    private(set) var counts: [String: [Float]] = [:]

    /// A value: of float32 where kernels find it; of the reference path as a tensor.
    enum Held {
        case number(NumberValue)
        case tensor(Tensor)
    }

    init(_ program: NumberProgram, graph: Graph, samples: Int, threads: Threads, isa: spike_isa, recording: Recording) {
        self.program = program
        self.graph = graph
        self.samples = samples
        self.threads = threads
        self.recording = recording
        kernels = spike_table(isa).pointee
    }

    /// All outputs that the program reads, `[N, …]` in the order of their axes.
    ///
    /// - Parameter steps: T, which spikes are shown and counted in.
    func run(_ inputs: [Tensor], steps: Int) throws -> [String: [Float]] {
        self.steps = steps
        values = [:]
        (totals, counts) = ([:], [:])
        defer { values = [:] }
        for (input, tensor) in zip(graph.inputs, inputs) { values[input.name] = .tensor(tensor) }
        for (stage, lastReads) in zip(program.stages, program.lastReads) {
            try Cancellation.check()
            values[stage.output] = try result(of: stage)
            for name in lastReads { values[name] = nil }
        }
        var outputs: [String: [Float]] = [:]
        for name in program.outputs {
            let value = inOrder(floats(try number(name)))
            outputs[name] = Array(UnsafeBufferPointer(start: value.floats, count: value.count))
        }
        return outputs
    }

    private func result(of stage: NumberStage) throws -> Held {
        if case .generic = stage.work { return .tensor(try generic(stage)) }
        let inputs = try stage.inputs.map { try number($0) }
        let made: NumberValue =
            switch stage.work {
            case .encode(let encoding): try encode(inputs[0], encoding)
            case .panels(let panels): rows(inputs[0], panels)
            case .convolution(let convolution): try self.convolution(inputs[0], convolution)
            case .depthwise(let depthwise): try self.depthwise(inputs[0], depthwise)
            case .matrices: try matrices(inputs[0], inputs[1])
            case .function(let function, let alpha, let beta): self.function(inputs[0], function, alpha, beta)
            case .pair(let pair): try self.pair(inputs[0], inputs[1], pair)
            case .standardise(let axes, let epsilon, let isCentred, let gain, let bias):
                standardised(inputs[0], axes: axes, epsilon: epsilon, isCentred: isCentred, gain: gain, bias: bias)
            case .reduce(let reduction, let axes, let keepsDimensions): reduced(inputs[0], reduction, axes, keepsDimensions)
            case .softmax: try softmax(inputs[0])
            case .view: try viewed(inputs[0], stage.node.operator)
            case .transpose(let permutation): transposed(inputs[0], permutation)
            case .slice(let slice): try sliced(inputs[0], slice)
            case .pick(let axis, let places, let shape): picked(inputs[0], axis: axis, places: places, shape: shape)
            case .concat(let axis): try joined(inputs, axis: axis)
            case .generic: preconditionFailure("the reference path's values are tensors")
            }
        return .number(made)
    }

    /// A value where kernels find it.
    private func number(_ name: String) throws -> NumberValue {
        if let constant = program.constants[name] {
            return NumberValue(shape: constant.shape, start: constant.memory.start, owner: constant.memory)
        }
        switch values[name] {
        case .number(let value): return value
        case .tensor(let tensor):
            let value = pool.value(tensor.shape)
            tensor.withFloats { source in
                if let start = source.baseAddress { value.floats.update(from: start, count: source.count) }
            }
            values[name] = .number(value)
            return value
        case nil: throw SpikeletError(.invalidModel, "value '\(name)' is read before it is made")
        }
    }

    /// What the reference path makes of a node.
    private func generic(_ stage: NumberStage) throws -> Tensor {
        let operands = try stage.inputs.map { name -> Tensor in
            if let constant = graph.constants[name] { return constant }
            guard let held = values[name] else { throw SpikeletError(.invalidModel, "value '\(name)' is read before it is made") }
            switch held {
            case .tensor(let tensor): return tensor
            case .number(let value): return tensor(value)
            }
        }
        return try ReferenceExecutor.compute(stage.node.operator, operands, batch: samples)[0]
    }

    private func tensor(_ value: NumberValue) -> Tensor {
        let value = inOrder(floats(value))
        return Tensor(Array(UnsafeBufferPointer(start: value.floats, count: value.count)), shape: value.shape)
    }

    // MARK: Neurons

    private func encode(_ value: NumberValue, _ encoding: NumberStage.Encoding) throws -> NumberValue {
        var x = floats(value)
        let rank = x.shape.count
        let axis = encoding.axis.map { $0 < 0 ? $0 + rank : $0 }
        // Steps of channels lie along the last axis, where whole numbers are wanted.
        if let axis, axis == 1, rank > 2, encoding.kind != .floats { x = channelsLast(x) }
        if axis != nil, axis != 1 { x = inOrder(x) }
        let isLast = axis == nil || axis == (x.isChannelsLast ? 1 : rank - 1)
        let columns = axis == nil || !isLast ? 0 : encoding.steps.count
        /// Else runs of numbers have one step.
        let run = isLast ? 0 : x.shape[((axis ?? 0) + 1)...].reduce(1, *)
        let result = pool.value(
            x.shape, isChannelsLast: x.isChannelsLast, kind: encoding.kind, steps: encoding.steps, largest: encoding.largest)
        nonisolated(unsafe) var (invalid, spikes) = (UInt64(0), UInt64(0))
        let lock = DispatchSemaphore(value: 1)
        func part(_ range: Range<Int>, step: Int) {
            var job = spike_encoding()
            (job.is_signed, job.largest) = (encoding.isSigned, Float(encoding.largest))
            (job.kind, job.offset) = (encoding.kind.code, encoding.kind.offset)
            if let latency = encoding.latency {
                (job.steps, job.most_spikes) = (Int32(latency.rule.weights.count), Int32(latency.rule.mostSpikes))
                job.weights = UnsafePointer(latency.weights.floats)
                (job.first, job.last) = (UnsafePointer(latency.first.floats), UnsafePointer(latency.last.floats))
            }
            job.x = UnsafePointer(x.floats + range.lowerBound)
            (job.count, job.columns, job.has_columns) = (range.count, columns, columns > 0)
            (job.inverse, job.step) = (UnsafePointer(encoding.inverse.floats + step), UnsafePointer(encoding.step.floats + step))
            job.out = result.start + range.lowerBound * encoding.kind.size
            kernels.encode_f32(&job)
            lock.with {
                invalid += job.invalid
                spikes += job.spikes
            }
        }
        if run > 0 {
            threads.forEach(x.count / run) { index, _ in part(index * run..<(index + 1) * run, step: index % encoding.steps.count) }
        } else {
            forParts(x.count, multipleOf: max(1, columns)) { part($0, step: 0) }
        }
        guard invalid == 0 else { throw self.invalid(x, encoding) }
        totals[encoding.neuron, default: 0] += Int(spikes)
        guard recording.contains(.spikeCounts) || forcing != nil else { return result }
        return noted(result, encoding, run: run)
    }

    private func invalid(_ value: NumberValue, _ encoding: NumberStage.Encoding) -> any Error {
        do {
            _ = try tensor(value).map { $0.isNaN ? $0 : 0 }.spikeCount(of: encoding.neuron)
            return SpikeletError(.invalidModel, "node '\(encoding.neuron)': a potential is no number")
        } catch {
            return error
        }
    }

    /// Notes each neuron's spikes, and lets an observer see them and say what they are to be.
    private func noted(_ value: NumberValue, _ encoding: NumberStage.Encoding, run: Int) -> NumberValue {
        func step(_ index: Int) -> Float {
            let count = encoding.steps.count
            return encoding.steps[count == 1 ? 0 : run > 0 ? index / run % count : index % count]
        }
        var numbers = (0..<value.count).map { index -> Float in
            switch value.kind {
            case .bytes(let offset): Float(Int(value.bytes[index]) - Int(offset))
            case .shorts: Float(value.shorts[index])
            case .floats: encoding.latency == nil ? (value.floats[index] / step(index)).rounded() : value.floats[index] / step(index)
            }
        }
        func tensor(_ numbers: [Float]) -> Tensor {
            value.isChannelsLast ? Tensor(numbers, shape: value.storedShape).channelsFirst : Tensor(numbers, shape: value.shape)
        }
        if recording.contains(.spikeCounts) {
            counts[encoding.neuron] = tensor(numbers.map { Float(encoding.spikes(of: $0)) }).floats
        }
        guard let forcing else { return value }
        let trains = numbers.map { encoding.train(of: $0) }
        var forced = [Float](repeating: 0, count: value.count)
        var isForced = false
        // Digits come last: layers of fewer than there are steps have none in the first.
        let silent = encoding.latency == nil ? max(0, steps - encoding.digits) : 0
        for index in 0..<silent + encoding.stepCount {
            let isSilent = index < silent
            let sent = tensor(isSilent ? numbers.map { _ in 0 } : trains.map { $0[index - silent] })
            let wanted = forcing(encoding.neuron, index, sent)
            if wanted != sent { isForced = true }
            let weight = encoding.weight(ofStep: index - silent)
            for (place, spike) in wanted.floats.enumerated() { forced[place] += spike * weight }
        }
        guard isForced else { return value }
        let inOrder = Tensor(forced, shape: value.shape)
        numbers = (value.isChannelsLast ? inOrder.channelsLast : inOrder).floats
        for (index, number) in numbers.enumerated() {
            switch value.kind {
            case .bytes(let offset): value.bytes[index] = UInt8(clamping: Int(number) + Int(offset))
            case .shorts: value.shorts[index] = Int16(clamping: Int(number))
            case .floats: value.floats[index] = number * step(index)
            }
        }
        return value
    }

    // MARK: Layouts

    /// In the order of its axes.
    func inOrder(_ value: NumberValue) -> NumberValue {
        guard value.isChannelsLast else { return value }
        if value.isEitherOrder { return value.viewed(as: value.shape) }
        let rank = value.shape.count
        // Stored [N, places…, C].
        let stored = value.storedShape
        return permuted(value, stored: stored, [0, rank - 1] + Array(1..<rank - 1), as: value.shape)
    }

    /// As [N, places…, C].
    func channelsLast(_ value: NumberValue) -> NumberValue {
        guard !value.isChannelsLast else { return value }
        if value.isEitherOrder { return value.viewed(as: value.shape, isChannelsLast: true) }
        let rank = value.shape.count
        let turned = permuted(value, stored: value.shape, [0] + Array(2..<rank) + [1], as: NumberValue.channelsLast(value.shape))
        return turned.viewed(as: value.shape, isChannelsLast: true)
    }

    /// What lies in the order of `stored`, with its axes in another order.
    func permuted(_ value: NumberValue, stored: [Int], _ permutation: [Int], as shape: [Int]) -> NumberValue {
        // Steps of columns do not move with them.
        let value = value.steps.count > 1 ? floats(value) : value
        let result = pool.value(shape, kind: value.kind, steps: value.steps, largest: value.largest)
        let strides = Self.strides(stored)
        copy(
            from: value.start, to: result.start, sizes: permutation.map { stored[$0] }, strides: permutation.map { strides[$0] },
            value.kind.size)
        return result
    }

    static func strides(_ shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
        return strides
    }

    /// Elements in the order of `sizes`, read with these strides; the first axis shared between threads.
    func copy(from source: UnsafeMutableRawPointer, to target: UnsafeMutableRawPointer, sizes: [Int], strides: [Int], _ element: Int) {
        guard !sizes.contains(0) else { return }
        // Axes that lie one behind the other are one.
        var (joined, steps) = ([Int](), [Int]())
        for (size, stride) in zip(sizes, strides) {
            if size == 1 { continue }
            if let last = steps.last, let lastSize = joined.last, last == stride * size {
                (joined[joined.count - 1], steps[steps.count - 1]) = (lastSize * size, stride)
            } else {
                joined.append(size)
                steps.append(stride)
            }
        }
        if joined.isEmpty { (joined, steps) = ([1], [1]) }
        let rest = joined.dropFirst().reduce(1, *)
        let parts = joined.count > 1 ? min(threads.count, joined[0]) : 1
        nonisolated(unsafe) let (source, target) = (source, target)
        threads.forEach(parts) { [joined, steps] index, _ in
            let range = index * joined[0] / parts..<(index + 1) * joined[0] / parts
            let sizes = [range.count] + joined.dropFirst()
            spike_permute(
                source + range.lowerBound * steps[0] * element, target + range.lowerBound * rest * element, Int32(sizes.count), sizes,
                steps,
                element)
        }
    }

    // MARK: Numbers

    /// float32 numbers.
    func floats(_ value: NumberValue) -> NumberValue {
        guard value.kind != .floats else { return value }
        let result = pool.value(value.shape, isChannelsLast: value.isChannelsLast)
        let columns = value.steps.count == 1 ? 0 : value.steps.count
        forParts(value.count, multipleOf: max(1, columns)) { range in
            value.steps.withUnsafeBufferPointer { steps in
                spike_decode(
                    value.start + range.lowerBound * value.kind.size, value.kind.code, value.kind.offset, steps.baseAddress, columns,
                    range.count, result.floats + range.lowerBound)
            }
        }
        return result
    }

    /// Pieces of so many elements, shared between threads.
    func forParts(_ count: Int, multipleOf unit: Int = 1, _ body: (Range<Int>) -> Void) {
        let length = max(1, 16384 / unit) * unit
        let pieces = (count + length - 1) / length
        threads.forEach(pieces) { index, _ in body(index * length..<min((index + 1) * length, count)) }
    }
}

extension Tensor {
    /// What lies as [N, C, places…], as [N, places…, C].
    fileprivate var channelsLast: Tensor {
        let (channels, pixels) = (shape[1], shape.dropFirst(2).reduce(1, *))
        let values = floats
        let turned = values.indices.map { index -> Float in
            let (sample, pixel, channel) = (index / (channels * pixels), index / channels % pixels, index % channels)
            return values[(sample * channels + channel) * pixels + pixel]
        }
        return Tensor(turned, shape: NumberValue.channelsLast(shape))
    }

    /// What lies as [N, places…, C], as [N, C, places…].
    fileprivate var channelsFirst: Tensor {
        let (channels, pixels) = (shape.last ?? 1, shape.dropFirst().dropLast().reduce(1, *))
        let values = floats
        let turned = values.indices.map { index -> Float in
            let (sample, channel, pixel) = (index / (channels * pixels), index / pixels % channels, index % pixels)
            return values[(sample * pixels + pixel) * channels + channel]
        }
        return Tensor(turned, shape: [shape[0], channels] + shape.dropFirst().dropLast())
    }
}
