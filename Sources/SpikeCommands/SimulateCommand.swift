import ArgumentParser
import Foundation
import Spikelet

struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Runs a spiking network for a number of time steps.",
        discussion: """
            Use it to look at single samples: what the network predicts after each step, and which neurons fire how often.

              spikelet simulate snn.safetensors --input x.npy --steps 32 --output y.npy
              spikelet simulate snn.safetensors --input x.npy --output y.npy \\
                  --per-step --spike-counts counts.npz
              spikelet simulate snn.safetensors --input events.npy --time-varying --precision int8
              spikelet simulate network.nir --as sinabs --input events.npy --time-varying

            x.npy holds samples, [N, …], each shown in every step: bytes become 0…1 by 1/255, other numbers are taken as they are. \
            With --time-varying it is [T, N, …], and bytes too are taken as they are: 0 and 1 are events. The output is the sum over \
            all steps divided by their number; of a radix or latency code it is the weighted sum, undivided. Accuracy over steps on labelled \
            data is the business of 'spikelet evaluate'.
            """)

    @Argument(help: ArgumentHelp("A spiking network (.safetensors, or .nir).", valueName: "snn"))
    var network: String

    @Option(help: ArgumentHelp("The input, [N, …]; data with labels, or all inputs by name (.npz).", valueName: "x.npy"))
    var input: String

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "The number of time steps. Default: all of a time-varying input, else what the network was converted for, else 32.",
            valueName: "t"))
    var steps: Int?

    @Option(
        name: .shortAndLong, help: ArgumentHelp("Where to write the (first) output; or all outputs by name (.npz).", valueName: "y.npy"))
    var output: String?

    @Flag(help: "Write the output so far after each step, [T, N, …].")
    var perStep = false

    @Option(
        help: ArgumentHelp(
            "Where to write how often each neuron fired: an int64 array [N, …] a layer, by its name.", valueName: "counts.npz"))
    var spikeCounts: String?

    @Flag(help: "The input is [T, N, …]: another one in every step.")
    var timeVarying = false

    @Option(help: "Numbers of the engine: float32, or int8 for 8-bit weights.")
    var precision = Precision.float32

    @Flag(help: "Simulate with the slow reference executor.")
    var reference = false

    @OptionGroup var nir: NIROptions

    func validate() throws {
        if reference, precision != .float32 { throw ValidationError("The reference executor knows float32 alone.") }
        if perStep, output?.lowercased().hasSuffix(".npz") == true {
            throw ValidationError("--per-step writes one output: name an .npy file.")
        }
        if perStep, output == nil { throw ValidationError("--per-step needs a place to write to: --output Y.npy") }
    }

    func run() throws {
        try checkOutputs([output, spikeCounts], inputs: [network, input])
        let axes = try OpenAxes(sample: { [input, timeVarying] name, position in
            try inputShape(of: name, position, in: input).map { Array($0.dropFirst(timeVarying ? 1 : 0)) }
        })
        let snn = try NetworkFile.spiking(network, nir: nir.reading, openAxes: axes)
        let events = timeVarying ? try readEvents(input) : nil
        let steps = try checkedSteps(snn.steps(asked: steps, frames: events?.shape.first))
        let choice = try SimulatorChoice(snn, precision: reference ? nil : precision)
        var record = try SimulationRecord(
            choice, simulator: choice.simulator(threads: ProcessInfo.processInfo.activeProcessorCount), steps: steps, keepsSteps: perStep,
            keepsCounts: spikeCounts != nil)
        noteReference(record.referenceReason)
        if let events {
            try locating(input) { try record.simulate([events], timeVarying: true) }
            if let given = events.shape.first, given > steps {
                note("note: the input has \(given) time steps; the first \(steps) were simulated")
            }
        } else if try holdsDataset(input, for: snn) {
            let dataset = try Dataset(path: input)
            noteCautions(of: dataset)
            try SamplePortions(dataset, at: input, for: snn).forEach("simulating") { try record.simulate($0.inputs) }
        } else if input.lowercased().hasSuffix(".npz") {
            let tensors = try readInputs(input, of: snn)
            try locating(input) { try record.simulate(tensors) }
        } else {
            try SamplePortions(input, for: snn).forEach("simulating") { try record.simulate($0.inputs) }
        }
        let results = record.outputs
        if let output {
            if perStep { try NPY.write(record.outputOfEachStep, to: output) } else { try writeOutputs(results, of: snn, to: output) }
        }
        if let spikeCounts { try NPZ.write(record.countsByName, to: spikeCounts) }
        let samples = "\(record.samples) sample\(record.samples == 1 ? "" : "s")"
        try show("\(samples), \(steps) steps, \(String(format: "%.4f", record.spikesPerNeuron)) spikes per neuron")
        try showClasses(results[0])
        for warning in record.warnings { note("warning: \(warning)") }
    }
}
