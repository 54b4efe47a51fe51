internal import CSpikeKernels

/// The images of a plan for some samples, and the jobs that go from one to the next.
final class LayerMemory {
    let plan: LayerPlan
    let samples: Int
    /// [samples][items].
    let steps: UnsafeMutablePointer<spike_layer_step>
    private let branches: UnsafeMutablePointer<spike_layer_branch>
    /// Layers whose currents are computed elsewhere: the item, the stage, and whether there is one for all samples.
    private(set) var evaluated: [(item: Int, stage: Int, isConstant: Bool)] = []
    /// The names of layers, and the images that they send.
    private(set) var sent: [(name: String, image: Int)] = []
    private let buffer = Buffer()
    /// Currents of layers that read an input of the network.
    private let currents = Buffer()
    private let offsets: [Int]
    private let sampleBytes: Int
    /// The items that read an input of the network, the input of each, and how many numbers a sample has there.
    private var analogs: [(item: Int, input: Int, size: Int)] = []
    private let program: Program

    /// What lies in front of each image: kernels may look a little before its first byte.
    private static let slack = 128

    init(_ plan: LayerPlan, of program: Program, samples: Int) {
        (self.plan, self.samples, self.program) = (plan, samples, program)
        var (offsets, end) = ([Int](), 0)
        for image in plan.images {
            offsets.append(end + Self.slack)
            end += Self.slack + image.byteCount
        }
        (self.offsets, sampleBytes) = (offsets, end)
        buffer.reserve(samples * end)
        let synapses = plan.items.reduce(0) { if case .layer(let layer) = $1 { $0 + layer.synapses.count } else { $0 } }
        steps = .allocate(capacity: samples * plan.items.count)
        branches = .allocate(capacity: max(1, samples * synapses))
        var currentCount = 0
        for (item, each) in plan.items.enumerated() {
            guard case .layer(let layer) = each, case .neurons(let stage) = program.stages[layer.stage] else { continue }
            sent.append((stage.name, layer.target))
            if let analog = layer.analog {
                analogs.append((item, analog.input, analog.layer.imageSize))
                currentCount += Self.currents(stage.layout)
            } else if stage.evaluatesOffset {
                evaluated.append((item, layer.stage, stage.hasConstantOffset))
            }
        }
        currents.reserve(samples * currentCount * 4)
        var current = currents.integers
        var next = branches
        for sample in 0..<samples {
            for (index, item) in plan.items.enumerated() {
                var step = spike_layer_step()
                switch item {
                case .pool(let pool):
                    step.is_pool = true
                    step.pool = job(pool, sample: sample)
                case .layer(let layer):
                    step.layer = job(layer, sample: sample)
                    if let analog = layer.analog {
                        let layout = plan.images[layer.target].layout
                        let lanes = Lanes(layout: layout, block: 1, tile: plan.images[layer.target].pixelBytes)
                        step.is_analog = true
                        step.analog = analog.layer.job(lanes, limit: analog.limit)
                        step.analog.target = current
                        step.layer.added = UnsafePointer(current)
                        (step.layer.added_row, step.layer.added_pixel) = (layout.width * lanes.count, lanes.count)
                        current += Self.currents(layout)
                    }
                    step.layer.branches = UnsafePointer(next)
                    for (synapses, image) in layer.synapses {
                        next.initialize(to: branch(synapses, image: image, sample: sample))
                        next += 1
                    }
                }
                (steps + sample * plan.items.count + index).initialize(to: step)
            }
        }
    }

    deinit {
        steps.deallocate()
        branches.deallocate()
    }

    var byteCount: Int { buffer.capacity + currents.capacity }
    /// Items of a sample.
    var count: Int { plan.items.count }

    /// Numbers of an image of currents, and what vectors read behind the last.
    private static func currents(_ layout: Layout) -> Int { (layout.channels + 7) / 8 * 8 * layout.pixels + 16 }

    /// Reads these inputs of the network from now on.
    func read(_ inputs: [UnsafePointer<Float>?]) {
        for (item, input, size) in analogs {
            for sample in 0..<samples { steps(sample: sample)[item].analog.image = inputs[input].map { $0 + sample * size } }
        }
    }

    /// How many currents of a sample's whole run were limited, since it was asked last.
    func takeLimited() -> UInt64 {
        var sum: UInt64 = 0
        for (item, _, _) in analogs {
            for sample in 0..<samples {
                sum += steps(sample: sample)[item].analog.limited
                steps(sample: sample)[item].analog.limited = 0
            }
        }
        return sum
    }

    /// Currents [samples][blocks][lanes] that an item adds, of all samples or of one for all.
    func add(_ offsets: Buffer, to item: Int, isConstant: Bool) {
        guard case .layer(let layer) = plan.items[item], case .neurons(let stage) = program.stages[layer.stage] else { return }
        let size = stage.lanes.blocks * stage.lanes.count
        for sample in 0..<samples {
            let step = steps(sample: sample) + item
            step.pointee.layer.added = UnsafePointer(offsets.integers + (isConstant ? 0 : sample * size))
            step.pointee.layer.added_pixel = stage.lanes.block > 1 ? stage.lanes.channelStride : stage.lanes.count
            step.pointee.layer.added_row = stage.lanes.columns * stage.lanes.count
        }
    }

    /// The first byte of a sample's image, border included.
    func image(_ number: Int, sample: Int) -> UnsafeMutablePointer<UInt8> {
        buffer.start.assumingMemoryBound(to: UInt8.self) + sample * sampleBytes + offsets[number]
    }

    /// A pixel of it.
    func pixel(_ number: Int, y: Int, x: Int, sample: Int) -> UnsafeMutablePointer<UInt8> {
        image(number, sample: sample) + plan.images[number].offset(y: y, x: x)
    }

    /// The jobs of a sample.
    func steps(sample: Int) -> UnsafeMutablePointer<spike_layer_step> { steps + sample * plan.items.count }

    private func job(_ pool: LayerPlan.Pool, sample: Int) -> spike_image_pool {
        let (w, source, target) = (pool.window, plan.images[pool.source], plan.images[pool.target])
        var job = spike_image_pool()
        job.image = UnsafePointer(pixel(pool.source, y: -Int(w.pad_top), x: -Int(w.pad_left), sample: sample))
        (job.row, job.pixel) = (Int(w.stride_y) * source.rowBytes, Int(w.stride_x) * source.pixelBytes)
        (job.place_row, job.place_column) = (Int(w.dilation_y) * source.rowBytes, Int(w.dilation_x) * source.pixelBytes)
        (job.places_y, job.places_x) = (w.kernel_height, w.kernel_width)
        job.sums = pool.isSum
        (job.row_end, job.width) = (w.out_height, w.out_width)
        job.target = pixel(pool.target, y: 0, x: 0, sample: sample)
        (job.target_row, job.target_pixel) = (target.rowBytes, target.pixelBytes)
        job.channels = Int32(target.pixelBytes)
        return job
    }

    private func job(_ layer: LayerPlan.Layer, sample: Int) -> spike_layer {
        let target = plan.images[layer.target]
        var job = spike_layer()
        job.branch_count = Int32(layer.synapses.count)
        job.dense_count = Int32(layer.synapses.count { $0.synapses.groups > 0 })
        (job.row_end, job.width) = (Int32(target.layout.height), Int32(target.layout.width))
        (job.lanes, job.lane_end) = (Int32(layer.lanes), Int32(layer.lanes))
        job.start = UnsafePointer(layer.start.integers)
        job.threshold = UnsafePointer(layer.threshold.integers)
        job.inverse = UnsafePointer(layer.inverse.floats)
        (job.largest, job.largest_read) = (Int32(layer.largest), Int32(layer.largestRead))
        job.target = pixel(layer.target, y: 0, x: 0, sample: sample)
        (job.target_row, job.target_pixel) = (target.rowBytes, target.pixelBytes)
        job.channels = Int32(target.pixelBytes)
        return job
    }

    private func branch(_ synapses: NumberSynapses, image number: Int, sample: Int) -> spike_layer_branch {
        let (w, image) = (synapses.window, plan.images[number])
        var branch = spike_layer_branch()
        // Each channel to itself: lane 0 reads what would be its channel, even where that is none.
        let channel = synapses.firstChannel - (synapses.groups == 0 ? synapses.targets.lowerBound : 0)
        branch.image = UnsafePointer(pixel(number, y: -Int(w.pad_top), x: -Int(w.pad_left), sample: sample) + channel)
        (branch.row, branch.pixel) = (Int(w.stride_y) * image.rowBytes, Int(w.stride_x) * image.pixelBytes)
        (branch.run_rows, branch.run_columns) = (w.kernel_height, w.kernel_width)
        (branch.run_row, branch.run_column) = (Int(w.dilation_y) * image.rowBytes, Int(w.dilation_x) * image.pixelBytes)
        branch.groups = Int32(synapses.groups)
        if w.dilation_x == 1, synapses.groups * 4 == image.pixelBytes, channel == 0 {
            // A row of the window is one run.
            branch.groups *= branch.run_columns
            branch.run_columns = 1
        }
        (branch.lane_begin, branch.lane_end) = (Int32(synapses.targets.lowerBound), Int32(synapses.targets.upperBound))
        branch.weights = UnsafeRawPointer(synapses.weights.start)
        branch.shift = Int32(synapses.shift)
        return branch
    }
}
