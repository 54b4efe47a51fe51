package import ArgumentParser
import Spikelet

/// The command line: one file for each subcommand.
package struct SpikeletCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "spikelet",
        abstract: "Turns a trained network into a spiking one, and proves that it still works.",
        discussion: """
            From an ONNX file to a spiking network in three commands:

              spikelet inspect  model.onnx
              spikelet convert  model.onnx --calibration images.npz \\
                  --recipe calibrated --output snn.safetensors
              spikelet evaluate snn.safetensors --data test.npz --ann model.onnx

            'spikelet demo' does all of it on a network and images that come with Spikelet. 'spikelet help COMMAND' explains a \
            command, with examples.

            Results go to standard output, progress and notes to standard error. Exit codes: 0 done, 1 the work failed (what, \
            where, and what to do about it, on standard error), 64 wrong usage.
            """,
        version: SpikeletVersion.current,
        subcommands: [
            DemoCommand.self, InspectCommand.self, RunCommand.self, ConvertCommand.self, SimulateCommand.self, EvaluateCommand.self,
            CompareCommand.self, ExploreCommand.self, ExportCommand.self, ImportCommand.self, BenchmarkCommand.self, KernelsCommand.self,
            DownloadCommand.self,
        ])

    package init() {}
}
