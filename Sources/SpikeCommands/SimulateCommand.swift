import ArgumentParser
import Spikelet

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Runs a spiking network for a number of time steps.")

    @Argument(help: "A spiking network (.safetensors).")
    var network: String

    @Option(help: "The input, [N, …] (.npy), the same in every step. Bytes become 0…1 by 1/255.")
    var input: String

    @Option(help: "The number of time steps. Default: what the network was converted for, else 32.")
    var steps: Int?

    @Option(help: "Where to write the (first) output, accumulated over the steps and divided by their number (.npy).")
    var output: String?

    @Flag(help: "Write the output after each step, [T, N, …].")
    var perStep = false

    @Option(help: "Where to write how often each neuron fired: an int64 array [N, …] a layer (.npz).")
    var spikeCounts: String?

    @Flag(help: "The input is [T, N, …]: another one in every step.")
    var timeVarying = false

    func run() throws {
        let snn = try SNNFile.read(network)
        let steps = steps ?? snn.spiking?.steps ?? 32
        let input = try readInput(input)
        let simulation = try ReferenceSimulation(snn)
        let bar = ProgressBar("simulating", total: steps, unit: "steps")
        var after: [Tensor] = []
        let outputs = try simulation.run(
            [input], steps: steps, timeVarying: timeVarying,
            onStep: { _ in
                bar.advance()
                if perStep { after.append(try simulation.outputs()[0]) }
            })
        bar.finish()
        if let output {
            try NPY.write(perStep ? Tensor(after.flatMap(\.floats), shape: [steps] + outputs[0].shape) : outputs[0], to: output)
        }
        let counts = simulation.spikeCounts.sorted { $0.key < $1.key }
        if let spikeCounts {
            try NPZ.write(counts.map { ($0.key, Tensor($0.value.floats.map { Int64($0) }, shape: $0.value.shape)) }, to: spikeCounts)
        }
        let spikes = counts.reduce(0.0) { $0 + $1.value.floats.reduce(0.0) { $0 + Double($1) } }
        let neurons = counts.reduce(0) { $0 + $1.value.count }
        print("\(outputs[0].shape[0]) samples, \(steps) steps, \(spikes / Double(max(1, neurons))) spikes per neuron")
        printClasses(outputs[0])
    }
}
