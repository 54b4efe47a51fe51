internal import CSpikeKernels
internal import SpikeGraph

/// A convolution of the network's input and the neurons' scales, computed in one pass, straight into whole numbers in the neurons'
/// unit: the first layer of int8 programs. Only where nothing else reads what lies between.
struct AnalogLayer: Sendable {
    /// The input of the network.
    var input: String
    var channels: Int
    var window: spike_window
    /// [channels][kernel places][lanes of a pixel], scaled.
    var weights: Memory
    /// [lanes of a pixel].
    var bias: Memory
    /// The nodes whose work this is.
    var nodes: Set<String>

    /// `nil` where `value` is something else than scalers behind a plain convolution of an input.
    init?(_ value: String, of graph: Graph, lanes: Lanes, unitScale: [Float]) {
        var scales = unitScale
        var name = value
        nodes = []
        while true {
            let readers = graph.nodes.reduce(0) { $0 + $1.inputs.count { $0 == name } }
            guard readers == 1, !graph.outputs.contains(where: { $0.value == name }),
                let node = graph.nodes.first(where: { $0.outputs == [name] })
            else { return nil }
            nodes.insert(node.name)
            if case .voltageScaler(let scaler) = node.operator, scaler.axis == 1 {
                scales = scales.indices.map { scales[$0] * scaler.scales[scaler.scales.count == 1 ? 0 : $0] }
                name = node.inputs[0]
                continue
            }
            guard case .conv(let conv) = node.operator, conv.groups == 1, conv.window.rank == 2,
                graph.inputs.contains(where: { $0.name == node.inputs[0] }), let weights = graph.constants[node.inputs[1]],
                let layout = ExpressionBuilder.layout(of: graph, node.inputs[0])?.0,
                let window = try? spike_window(conv.window, over: layout), weights.shape[0] == lanes.layout.channels
            else { return nil }
            let bias = node.inputs.count > 2 ? graph.constants[node.inputs[2]] : nil
            guard node.inputs.count == 2 || bias != nil else { return nil }
            (input, channels, self.window) = (node.inputs[0], layout.channels, window)
            let (features, depth, width) = (lanes.layout.channels, layout.channels * window.places, lanes.channelStride)
            self.weights = Memory(count: depth * width * 4)
            self.bias = Memory(count: width * 4)
            let (values, added) = (weights.floats, bias?.floats)
            for feature in 0..<features {
                self.bias.floats[feature] = (added?[feature] ?? 0) * scales[feature]
                for place in 0..<depth { self.weights.floats[place * width + feature] = values[feature * depth + place] * scales[feature] }
            }
            return
        }
    }
}

extension AnalogLayer {
    /// The job for one sample, without its image and target.
    func job(_ lanes: Lanes, limit: Float) -> spike_analog {
        var job = spike_analog()
        job.window = window
        job.channels = Int32(channels)
        job.row_end = Int32(lanes.layout.height)
        (job.lanes, job.block) = (Int32(lanes.channelStride), Int32(lanes.block))
        (job.columns, job.stride) = (Int32(lanes.columns), Int32(lanes.count))
        job.weights = UnsafePointer(weights.floats)
        job.bias = UnsafePointer(bias.floats)
        job.limit = limit
        return job
    }

    /// Numbers of an image.
    var imageSize: Int { channels * Int(window.height) * Int(window.width) }
}

extension Worker {
    /// The currents of an analog layer for all samples: [samples][steps][blocks][lanes] at `target`, of which this is step `step`.
    func run(_ layer: AnalogLayer, _ stage: NeuronStage, input: Tensor, step: Int, of steps: Int, to target: UnsafeMutablePointer<Int32>) {
        let lanes = stage.lanes
        let parts = min(stage.layout.height, max(1, 2 * threads.count / samples))
        nonisolated(unsafe) let target = target
        nonisolated(unsafe) var limited = [UInt64](repeating: 0, count: samples * parts)
        input.floats.withUnsafeBufferPointer { values in
            limited.withUnsafeMutableBufferPointer { limited in
                nonisolated(unsafe) let (values, limited) = (values, limited)
                threads.forEach(samples * parts) { piece, _ in
                    let (sample, part) = (piece / parts, piece % parts)
                    guard let start = values.baseAddress else { return }
                    var job = layer.job(lanes, limit: stage.offsetLimit)
                    job.image = start + sample * layer.imageSize
                    job.row_begin = Int32(part * stage.layout.height / parts)
                    job.row_end = Int32((part + 1) * stage.layout.height / parts)
                    job.target = target + (sample * steps + step) * lanes.blocks * lanes.count
                    table.pointee.analog_i32?(&job)
                    limited[piece] = job.limited
                }
            }
        }
        saturations += limited.reduce(0, +)
    }
}
