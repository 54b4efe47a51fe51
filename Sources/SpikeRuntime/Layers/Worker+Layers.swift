internal import CSpikeKernels
internal import SpikeGraph

extension Worker {
    /// The plan of numbers, where nothing is to be seen of single steps.
    func plan(_ block: Block) -> LayerPlan? {
        guard let plan = program.layers, block.isWhole, !block.variesInTime, block.steps == plan.steps, !recording.keepsSteps,
            forcing == nil, denseCrossover == nil
        else { return nil }
        return plan
    }

    /// All layers, in numbers, then the outputs.
    func run(_ plan: LayerPlan, inputs: [Tensor], _ block: Block) throws {
        try Cancellation.check()
        if !plan.readsImagesAlone { try computeStill([inputs], block) }
        let layers = memory.layers ?? LayerMemory(plan, of: program, samples: samples)
        memory.layers = layers
        for (item, stage, isConstant) in layers.evaluated {
            guard let offsets = memory.offsets[stage] else { continue }
            layers.add(offsets, to: item, isConstant: isConstant)
        }
        try withFloats(of: inputs[...]) { images in
            layers.read(images)
            if plan.isSmall && (samples >= threads.count || plan.products <= LayerPlan.aloneUpTo) || samples == 1 && threads.count == 1 {
                // One sample's images stay in the cache from layer to layer.
                threads.forEach(samples) { sample, _ in spike_run_layers(layers.steps(sample: sample), Int32(layers.count), table) }
            } else {
                for (number, item) in plan.items.enumerated() {
                    try Cancellation.check()
                    run(item, number, layers)
                }
            }
        }
        saturations += layers.takeLimited()
        for (name, image) in layers.sent { record(name, image, layers) }
        for signal in plan.read { makeTrain(signal, of: plan, layers, block) }
        for index in plan.outputs { try run(program.stages[index], index, block) }
        memory.release(after: program.stages.count, in: program)
    }

    /// The values of tensors, one after the other.
    private func withFloats(
        of tensors: ArraySlice<Tensor>, _ known: [UnsafePointer<Float>?] = [], _ body: ([UnsafePointer<Float>?]) throws -> Void
    ) throws {
        guard let first = tensors.first else { return try body(known) }
        guard first.elementType == .float32 else { return try withFloats(of: tensors.dropFirst(), known + [nil], body) }
        try first.floats.withUnsafeBufferPointer { try withFloats(of: tensors.dropFirst(), known + [$0.baseAddress], body) }
    }

    /// One layer, or pool, of all samples: the weights of some lanes stay in the cache for all of them.
    private func run(_ item: LayerPlan.Item, _ number: Int, _ layers: LayerMemory) {
        guard case .layer(let layer) = item, layer.analog == nil || threads.count > 1 else {
            threads.forEach(samples) { sample, _ in spike_run_layers(layers.steps(sample: sample) + number, 1, table) }
            return
        }
        let rows = layers.plan.images[layer.target].layout.height
        let blocks = samples > 1 && layer.analog == nil ? (layer.lanes + 63) / 64 : 1
        let pieces = blocks * samples
        // What is done in some microseconds is not worth waking anybody.
        let isDivided = threads.count > 1 && layer.products >= LayerPlan.dividedFrom
        let parts = isDivided ? min(rows, (4 * threads.count + pieces - 1) / pieces) : 1
        let threads = isDivided || samples > 1 ? threads : Threads(count: 1)
        nonisolated(unsafe) var limited = [UInt64](repeating: 0, count: pieces * parts)
        threads.forEach(pieces * parts) { piece, _ in
            let (part, rest) = (piece % parts, piece / parts)
            let (block, sample) = (rest / samples, rest % samples)
            var step = layers.steps(sample: sample)[number]
            (step.layer.row_begin, step.layer.row_end) = (Int32(part * rows / parts), Int32((part + 1) * rows / parts))
            if blocks > 1 { (step.layer.lane_begin, step.layer.lane_end) = (Int32(64 * block), Int32(min(layer.lanes, 64 * block + 64))) }
            spike_run_layers(&step, 1, table)
            limited[piece] = step.analog.limited
        }
        saturations += limited.reduce(0, +)
    }

    /// Counts a layer's spikes: the ones among the digits.
    private func record(_ name: String, _ number: Int, _ layers: LayerMemory) {
        let image = layers.plan.images[number]
        let size = image.layout.count
        if recording.countsSpikes, memory.counts[name] == nil { memory.counts[name] = Buffer(zeros: samples * size * 4) }
        var total = 0
        for sample in 0..<samples {
            let start = layers.image(number, sample: sample)
            total += Int(spike_popcount(UnsafeRawPointer(start).assumingMemoryBound(to: UInt64.self), image.byteCount / 8))
            guard recording.countsSpikes, let counts = memory.counts[name] else { continue }
            spike_count_digits(
                layers.pixel(number, y: 0, x: 0, sample: sample), image.rowBytes, image.pixelBytes, Int32(image.layout.height),
                Int32(image.layout.width), Int32(image.layout.channels), counts.floats + sample * size)
        }
        totals[name, default: 0] += total
    }

    /// The spikes whose digits an image's numbers are.
    private func makeTrain(_ number: Int, of plan: LayerPlan, _ layers: LayerMemory, _ block: Block) {
        guard let image = plan.trains[number] else { return }
        let signal = program.signals[number]
        _ = makeTrain(number, block)
        for sample in 0..<samples {
            guard let plane = plane(number, sample: sample, isMinus: false, block) else { continue }
            for y in 0..<signal.layout.height {
                spike_digits_of(
                    layers.pixel(image, y: y, x: 0, sample: sample), signal.pixelBytes * signal.layout.width, Int32(block.steps),
                    plane.assumingMemoryBound(to: UInt8.self) + y * signal.strides.row, signal.strides.step)
            }
        }
    }
}
