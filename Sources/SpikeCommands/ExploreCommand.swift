import ArgumentParser
import Foundation
import SpikeExplorer
import Spikelet

struct ExploreCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explore", abstract: "Opens a live page: pick an image, drag the time step, watch the spikes.",
        discussion: """
              spikelet explore snn.safetensors --data test.npz --ann model.onnx
              spikelet explore snn.safetensors --data mnist/ --split test \\
                  --steps 64 --port 8080

            Prints an address for your browser, and serves it until Ctrl-C. The page shows how spikes flow through the layers, \
            where each layer spikes, and how the prediction settles, step by step; with --ann the ANN's prediction beside it. Of a \
            network of several inputs DATA is an .npz with an array for each, under its name; the first is what is drawn.

            It is served to this machine alone (127.0.0.1), and only to who knows the address: it holds a random token. On \
            another machine, forward the port: ssh -L 8080:127.0.0.1:8080 machine.
            """)

    @Argument(help: ArgumentHelp("A spiking network (.safetensors).", valueName: "snn"))
    var network: String

    @Option(help: ArgumentHelp("The images to choose from.", valueName: "data"))
    var data: String

    @Option(help: ArgumentHelp("The ANN it was made from: its prediction stands beside.", valueName: "model.onnx"))
    var ann: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("The time steps to show, up to 256. Default: what the network was converted for, else 32.", valueName: "t"))
    var steps: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("The port to serve at. Default: any free one.", valueName: "n"))
    var port = 0

    @OptionGroup var dataOptions: DataOptions

    func run() async throws {
        let axes = try OpenAxes(sample: { [data, dataOptions] in try dataOptions.sampleShape(of: $0, $1, in: data) })
        let snn = try NetworkFile.spiking(network, openAxes: axes)
        let model = try ann.map { try NetworkFile.ann($0, beside: snn) }
        let loader = try dataOptions.loader(data, for: snn)
        let explorer = try locating(data) { try Explorer(snn, data: loader, ann: model, steps: steps) }
        // From here on a signal ends it in order, the earliest one too.
        let interruption = Interruption()
        let server = try await ExplorerServer(explorer, port: port)
        note("open this address in a browser; Ctrl-C ends it:")
        try show(server.url)
        await interruption.wait()
        try await server.stop()
    }
}

/// Waits for Ctrl-C (SIGINT) or SIGTERM, and then lets the program end by itself; a second one ends it at once.
///
/// A handler that writes into a pipe works everywhere: with Dispatch's sources for signals it depends on the system whether one that was
/// ignored (as in a shell script's background) arrives.
struct Interruption {
    private let reader: Int32

    init() {
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) == 0 { interruptionPipe = ends[1] }
        reader = ends[0]
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                var byte: UInt8 = 1
                _ = write(interruptionPipe, &byte, 1)
                signal(number, SIG_DFL)
            }
        }
    }

    /// Comes back after the first signal since this was made.
    func wait() async {
        let reader = reader
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            Thread.detachNewThread {
                Interrupt.unblock(SIGINT, SIGTERM)
                var byte: UInt8 = 0
                while read(reader, &byte, 1) == -1, errno == EINTR {}
                continuation.resume()
            }
        }
    }
}

/// Where the handler writes: it may use nothing but such a number.
nonisolated(unsafe) private var interruptionPipe: Int32 = -1
