internal import SpikeGraph

extension Worker {
    /// The accumulated outputs, by value: [samples][channels][pixels].
    func sums() -> [String: [Float]] {
        program.outputs.mapValues { index in
            guard case .neurons(let stage) = program.stages[index], let sums = memory.membranes[index] else { return [] }
            return images(sums.floats, stage, sampleStride: stage.lanes.blocks * stage.lanes.count)
        }
    }

    /// Begins to accumulate anew.
    func clearSums() {
        for index in program.outputs.values {
            guard case .neurons(let stage) = program.stages[index], let sums = memory.membranes[index] else { continue }
            sums.floats.update(repeating: 0, count: samples * stage.lanes.blocks * stage.lanes.count)
        }
    }

    /// The same as they were after a step of the last block.
    func sums(atStep step: Int, of count: Int) -> [String: [Float]] {
        program.outputs.mapValues { index in
            guard case .neurons(let stage) = program.stages[index], let record = memory.records[index] else { return [] }
            let size = stage.lanes.blocks * stage.lanes.count
            return images(record.floats + step * size, stage, sampleStride: count * size)
        }
    }

    /// Outputs have one pixel to a block.
    private func images(_ source: UnsafeMutablePointer<Float>, _ stage: NeuronStage, sampleStride: Int) -> [Float] {
        let layout = stage.layout
        var result = [Float](repeating: 0, count: samples * layout.count)
        for sample in 0..<samples {
            for channel in 0..<layout.channels {
                for pixel in 0..<layout.pixels {
                    result[(sample * layout.channels + channel) * layout.pixels + pixel] =
                        source[sample * sampleStride + pixel * stage.lanes.count + channel]
                }
            }
        }
        return result
    }

    /// For each neuron node, [samples][channels][pixels].
    func spikeCounts() -> [String: [Float]] {
        guard recording.countsSpikes else { return [:] }
        var result: [String: [Float]] = [:]
        for (name, buffer) in memory.counts {
            guard let node = program.graph.node(named: name),
                let size = program.graph.types[node.outputs[0]]?.shape.resolved(batch: samples).reduce(1, *)
            else { continue }
            result[name] = Array(UnsafeBufferPointer(start: buffer.floats, count: size))
        }
        return result
    }
}
