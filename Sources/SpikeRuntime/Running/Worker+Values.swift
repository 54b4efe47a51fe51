internal import CDense
internal import CSpikeKernels
internal import SpikeGraph
internal import SpikeReference

// What is no spike: the real-valued inputs and all that depends on them alone, and the nodes that are left to the reference path.

extension Worker {
    /// Computes what does not depend on spikes, and the offsets of the stages that need it: of all, or of one.
    func computeStill(_ inputs: [[Tensor]], _ block: Block, for only: Int? = nil) throws {
        var steps: [[String: Tensor]] = []
        for inputs in inputs {
            var values = program.graph.constants
            for (input, tensor) in zip(program.graph.inputs, inputs) { values[input.name] = tensor }
            for node in program.stillNodes {
                values[node.outputs[0]] = try evaluate(node, node.inputs.compactMap { values[$0] })
            }
            steps.append(values)
        }
        stillSteps = steps
        for (index, stage) in program.stages.enumerated() {
            guard case .neurons(let stage) = stage, stage.evaluatesOffset, only ?? index == index else { continue }
            let size = stage.lanes.blocks * stage.lanes.count
            let buffer = memory.offsets[index] ?? Buffer()
            let (samples, count) = stage.hasConstantOffset ? (1, 1) : (samples, steps.count)
            buffer.reserve(samples * count * size * 4)
            buffer.clear(samples * count * size * 4)
            memory.offsets[index] = buffer
            for step in 0..<count {
                if let layer = stage.analog, let input = steps[step][layer.input] {
                    let target = buffer.start.assumingMemoryBound(to: Int32.self)
                    run(layer, stage, input: input, step: step, of: count, to: target)
                    continue
                }
                // A value of the reference path comes as a branch of its own.
                var silent: [String: Tensor] = [:]
                for branch in stage.branches {
                    guard case .values(let name) = branch.kind, let shape = program.graph.types[name]?.shape.resolved(batch: samples)
                    else { continue }
                    silent[name] = Tensor(repeating: 0, shape: shape)
                }
                let offset = try silentValue(stage.input, still: steps[step], known: &silent, samples: samples)
                for sample in 0..<samples {
                    // An offset that depends on constants alone has one sample for all.
                    let part = offset.shape.first == samples ? sample : 0
                    write(
                        offset, sample: part, stage, channels: 0..<stage.layout.channels,
                        to: buffer.start + (sample * count + step) * size * 4, copies: stage.hasConstantOffset ? self.samples : 1)
                }
            }
        }
    }

    /// A value when no neuron spikes, of so many samples.
    private func silentValue(_ name: String, still: [String: Tensor], known: inout [String: Tensor], samples: Int) throws -> Tensor {
        if let value = still[name] ?? known[name] { return value }
        guard let node = program.graph.nodes.first(where: { $0.outputs.contains(name) }),
            let shape = program.graph.types[name]?.shape.resolved(batch: samples)
        else { throw SpikeletError(.invalidModel, "nothing defines '\(name)'") }
        let value: Tensor
        switch node.operator {
        case .neuron: value = Tensor(repeating: 0, shape: shape)
        default:
            let operands = try node.inputs.map { try silentValue($0, still: still, known: &known, samples: samples) }
            // Of constants of the channels, which lie on spikes in front of it, a pool shows the largest too.
            if case .runningMaximumPool(let pool) = node.operator {
                value = try ReferenceExecutor.compute(.maxPool(MaxPool(window: pool.window)), operands, batch: samples)[0]
            } else {
                value = try evaluate(node, operands, samples: samples)
            }
        }
        known[name] = value
        return value
    }

    /// One sample of a value in a stage's layout and unit: these of the stage's channels.
    ///
    /// - Parameter copies: for how many samples it stands.
    private func write(
        _ tensor: Tensor, sample: Int, _ stage: NeuronStage, channels: Range<Int>, to start: UnsafeMutableRawPointer, copies: Int = 1
    ) {
        var lanes = stage.lanes.image
        lanes.channels = Int32(channels.count)
        let target = start + channels.lowerBound * 4
        tensor.floats.withUnsafeBufferPointer { values in
            guard let source = values.baseAddress.map({ $0 + sample * channels.count * stage.layout.pixels }) else { return }
            if stage.isInteger {
                stage.unitScale.withUnsafeBufferPointer { scales in
                    guard let scale = scales.baseAddress else { return }
                    saturations &+=
                        UInt64(copies)
                        &* spike_to_lanes_i32(
                            source, &lanes, scale + channels.lowerBound, stage.offsetLimit, target.assumingMemoryBound(to: Int32.self))
                }
            } else {
                spike_to_lanes_f32(source, &lanes, target.assumingMemoryBound(to: Float.self))
            }
        }
    }

    /// A value of the reference path as a branch: [samples][steps][blocks][lanes], in the stage's unit.
    func unitValues(_ name: String, _ branch: Branch, _ stage: NeuronStage, _ block: Block) -> Buffer {
        let size = stage.lanes.blocks * stage.lanes.count
        let buffer = Buffer(zeros: samples * block.steps * size * 4)
        for step in 0..<block.steps {
            guard let tensor = value(name, step, block) else { continue }
            for sample in 0..<samples {
                write(
                    tensor, sample: sample, stage, channels: branch.firstTarget..<branch.firstTarget + branch.targetCount,
                    to: buffer.start + (sample * block.steps + step) * size * 4)
            }
        }
        return buffer
    }

    /// A value in one step of the block.
    func value(_ name: String, _ step: Int, _ block: Block) -> Tensor? {
        if let constant = program.graph.constants[name] { return constant }
        if let tensors = values[name] { return tensors[step] }
        if let number = program.densified[name] { return dense(number, step, block) }
        guard let still = stillSteps[min(step, stillSteps.count - 1)][name] else { return nil }
        let arrives = program.code.hasConstants(inStep: step, of: block.steps) || still.elementType != .float32
        return arrives ? still : Tensor(repeating: 0, shape: still.shape)
    }

    /// A spike train's step as numbers, [samples, channels, …].
    func dense(_ number: Int, _ step: Int, _ block: Block) -> Tensor? {
        let signal = program.signals[number]
        let (channels, pixels) = (signal.layout.channels, signal.layout.pixels)
        var result = [Float](repeating: 0, count: samples * channels * pixels)
        for sample in 0..<samples {
            for isMinus in signal.encoding == .signed ? [false, true] : [false] {
                guard let plane = plane(number, sample: sample, isMinus: isMinus, block) else { return nil }
                let start = plane + step * signal.planeBytes
                for pixel in 0..<pixels {
                    for channel in 0..<channels {
                        let spikes: Int
                        let width = signal.layout.width
                        let place = pixel / width * signal.strides.row + pixel % width * signal.strides.pixel
                        if signal.encoding == .counts {
                            spikes = Int(start.assumingMemoryBound(to: Int16.self)[place + channel])
                        } else {
                            spikes = Int(start.assumingMemoryBound(to: UInt8.self)[place + channel / 8] >> UInt8(channel % 8) & 1)
                        }
                        result[(sample * channels + channel) * pixels + pixel] += Float(isMinus ? -spikes : spikes)
                    }
                }
            }
        }
        guard let shape = program.graph.types[signal.name]?.shape.resolved(batch: samples) else { return nil }
        return Tensor(result, shape: shape)
    }

    /// A node of the reference path, all steps of the block.
    func run(_ stage: GenericStage, _ block: Block) throws {
        let node = stage.node
        var results: [Tensor] = []
        let additive = Set(node.operator.payload.additiveInputs)
        func operands(_ step: Int) -> [Tensor] {
            node.inputs.enumerated().compactMap { position, name in
                guard let constant = program.graph.constants[name] else { return value(name, step, block) }
                // A weight acts in every step of a radix code; a bias comes with the last.
                let waits = additive.contains(position) && !program.code.hasConstants(inStep: step, of: block.steps)
                return waits ? Tensor(repeating: 0, shape: constant.shape) : constant
            }
        }
        if node.operator.isStateful {
            let isStreaming = program.schedule == .streaming
            guard var state = genericStates.removeValue(forKey: node.name) ?? node.operator.makeState(program.code) else { return }
            let inputs = (0..<block.steps).map { operands($0)[0] }
            if isStreaming {
                for (step, input) in inputs.enumerated() { results += try state.advance(by: [input], at: TimeStep(steps + step)) }
                genericStates[node.name] = state
            } else {
                results = try state.advance(by: inputs, at: TimeStep(0, of: block.steps))
            }
            if case .neuron = node.operator { try record(node.name, results) }
        } else if program.schedule == .layerSynchronous, program.graph.actsOnWholeValues(node) {
            let whole = try evaluate(node, node.inputs.compactMap { wholeValue($0, block) })
            wholeValues[node.outputs[0]] = whole
            let silence = whole.elementType == .float32 ? Tensor(repeating: 0, shape: whole.shape) : whole
            results = (0..<block.steps).map { program.code.hasConstants(inStep: $0, of: block.steps) ? whole : silence }
        } else {
            for step in 0..<block.steps { results.append(try evaluate(node, operands(step))) }
        }
        values[node.outputs[0]] = results
    }

    /// What a value stands for after all steps of the block.
    private func wholeValue(_ name: String, _ block: Block) -> Tensor? {
        if let known = program.graph.constants[name] ?? stillSteps[0][name] ?? wholeValues[name] { return known }
        return program.code.decoded((0..<block.steps).compactMap { value(name, $0, block) })
    }

    private func record(_ name: String, _ spikes: [Tensor]) throws {
        let size = spikes.first?.count ?? 0
        for tensor in spikes { totals[name, default: 0] += try tensor.spikeCount(of: name) }
        guard recording.countsSpikes else { return }
        let counts = memory.counts[name] ?? Buffer(zeros: size * 4)
        memory.counts[name] = counts
        let target = counts.floats
        for tensor in spikes {
            for (index, value) in tensor.floats.enumerated() { target[index] += abs(value) }
        }
    }

    /// What a node makes of its inputs: convolutions by the engine's own unrolling, the rest by the reference.
    ///
    /// - Parameter count: the batch, where it is not the worker's.
    func evaluate(_ node: Node, _ inputs: [Tensor], samples count: Int? = nil) throws -> Tensor {
        if case .conv(let conv) = node.operator, let result = convolve(conv, inputs) { return result }
        return try ReferenceExecutor.compute(node.operator, inputs, batch: count ?? samples)[0]
    }

    /// A plain convolution: the same product as the reference's, so the same numbers, unrolled faster.
    private func convolve(_ conv: Conv, _ inputs: [Tensor]) -> Tensor? {
        let (x, w) = (inputs[0], inputs[1])
        guard conv.groups == 1, conv.window.rank == 2, x.rank == 4,
            let window = try? spike_window(conv.window, over: Layout(channels: x.shape[1], height: x.shape[2], width: x.shape[3]))
        else { return nil }
        let (features, depth, positions) = (w.shape[0], x.shape[1] * window.places, window.outPixels)
        // A 1×1 product on the image itself is what the reference does there; it is fast already.
        guard window.places > 1 else { return nil }
        var output = [Float](repeating: 0, count: x.shape[0] * features * positions)
        let bias = inputs.count > 2 ? inputs[2].floats : nil
        let size = x.shape[1] * x.shape[2] * x.shape[3]
        let (xs, ws) = (x.floats, w.floats)
        let count = x.shape[0]
        let buffers = (0..<min(threads.count, count)).map { _ in Buffer(zeros: depth * positions * 4) }
        output.withUnsafeMutableBufferPointer { y in
            xs.withUnsafeBufferPointer { x in
                ws.withUnsafeBufferPointer { w in
                    guard let x = x.baseAddress, let w = w.baseAddress, let y = y.baseAddress else { return }
                    threads.forEach(count) { sample, slot in
                        var window = window
                        let target = y + sample * features * positions
                        spike_unroll_f32(x + sample * size, Int32(depth / window.places), &window, buffers[slot].floats)
                        spike_dense_product(
                            0, 0, Int32(features), Int32(positions), Int32(depth), w, buffers[slot].floats, 0, target)
                        guard let bias else { return }
                        for feature in 0..<features {
                            let row = target + feature * positions
                            for position in 0..<positions { row[position] += bias[feature] }
                        }
                    }
                }
            }
        }
        return Tensor(output, shape: [count, features, Int(window.out_height), Int(window.out_width)])
    }
}
