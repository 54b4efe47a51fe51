import ArgumentParser
import Spikelet

struct BenchmarkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "benchmark", abstract: "Measures how long the engine takes for a spiking network.",
        discussion: """
              spikelet benchmark snn.safetensors --input x.npy --steps 32
              spikelet benchmark snn.safetensors --input x.npy --batch-size 32 \\
                  --threads 2 --precision int8 --json result.json

            The samples of x.npy, [N, …], bytes as 0…1 by 1/255, are taken in batches, one batch a run; the first run is not \
            counted, and reading and compiling never are. The time is the median over at least nine runs, divided by the size of a \
            batch. Give the machine nothing else to do.
            """)

    @Argument(help: ArgumentHelp("A spiking network (.safetensors).", valueName: "snn"))
    var network: String

    @Option(help: ArgumentHelp("The input, [N, …].", valueName: "x.npy"))
    var input: String

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The number of time steps. Default: what the network was converted for, else 32.", valueName: "t"))
    var steps: Int?

    @Option(
        parsing: .unconditional, help: ArgumentHelp("How many samples go through the network together.", valueName: "n"))
    var batchSize = 1

    @Option(parsing: .unconditional, help: ArgumentHelp("How many threads work.", valueName: "n"))
    var threads = 1

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("How many runs at least; short ones are repeated for half a second anyway.", valueName: "n"))
    var runs = 9

    @Option(help: "Numbers of the engine: float32, or int8 for 8-bit weights.")
    var precision = Precision.float32

    @Option(help: ArgumentHelp("Where to write the result as JSON; '-': to standard output, instead of the text.", valueName: "file"))
    var json: String?

    func run() throws {
        if json != "-" { try checkOutputs([json], inputs: [network, input]) }
        let given = try steps.map { try checkedSteps($0) }
        guard (1...1 << 16).contains(batchSize) else {
            throw SpikeletError(.invalidOption, "a batch size of \(batchSize)", remedy: "give a whole number from 1 to \(1 << 16)")
        }
        guard (1...1 << 16).contains(runs) else {
            throw SpikeletError(.invalidOption, "\(runs) runs", remedy: "give a whole number from 1 to \(1 << 16)")
        }
        let axes = try OpenAxes(sample: { [input] name, position in try inputShape(of: name, position, in: input) })
        let snn = try NetworkFile.spiking(network, openAxes: axes)
        let simulation = try Simulation(snn, precision: precision, threads: threads)
        let samples = try readInput(input)
        let batches = try locating(input) { try Self.batches(of: samples, size: batchSize, for: snn) }
        let result = try locating(input) {
            try NetworkBenchmark(simulation, batches: batches.map { [$0] }, steps: given ?? snn.spiking?.steps ?? 32, runs: runs)
        }
        if let json { try writeJSON(result, to: json) }
        if json != "-" { try show(block: result) }
    }

    /// The samples in batches; too few are used again.
    private static func batches(of samples: Tensor, size: Int, for snn: Graph) throws -> [Tensor] {
        // Says what the network takes, for tensors of no samples and of wrong shapes alike.
        let count = try snn.check(inputs: [samples])
        if count < size {
            note("note: \(count) sample\(count == 1 ? "" : "s") for batches of \(size): they are used again")
            let copies = (size + count - 1) / count
            return [Tensor.joined([Tensor](repeating: samples, count: copies)).samples(0..<size)]
        }
        return (0..<count / size).map { samples.samples($0 * size..<($0 + 1) * size) }
    }
}
