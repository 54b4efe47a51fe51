internal import CSpikeKernels
package import SpikeGraph

/// Sees the spikes of a layer of neurons in one step, `[N, …]`, and says what they are to be from there on: tests of single layers
/// feed each of them what the reference computed, counters take note of them.
package typealias SpikeForcing = (_ node: String, _ step: Int, _ spikes: Tensor) -> Tensor

extension Worker {
    /// Lets an observer see, or replace, what a layer has just sent.
    func force(_ number: Int, by forcing: SpikeForcing, _ block: Block) {
        let signal = program.signals[number]
        let (channels, pixels, width) = (signal.layout.channels, signal.layout.pixels, signal.layout.width)
        for step in 0..<block.steps {
            guard let spikes = dense(number, step, block) else { return }
            let wanted = forcing(signal.stage, steps + step, spikes)
            if wanted == spikes { continue }
            let forced = wanted.floats
            for sample in 0..<samples {
                for isMinus in signal.encoding == .signed ? [false, true] : [false] {
                    guard let start = plane(number, sample: sample, isMinus: isMinus, block) else { return }
                    let plane = start + step * signal.planeBytes
                    for index in 0..<channels * pixels {
                        let (channel, pixel) = (index / pixels, index % pixels)
                        let count = forced[sample * channels * pixels + index] * (isMinus ? -1 : 1)
                        let place = pixel / width * signal.strides.row + pixel % width * signal.strides.pixel
                        if signal.encoding == .counts {
                            plane.assumingMemoryBound(to: Int16.self)[place + channel] = Int16(count)
                        } else {
                            let byte = plane.assumingMemoryBound(to: UInt8.self) + place + channel / 8
                            let bit: UInt8 = 1 << UInt8(channel % 8)
                            byte.pointee = count > 0 ? byte.pointee | bit : byte.pointee & ~bit
                        }
                    }
                }
            }
        }
    }
}
