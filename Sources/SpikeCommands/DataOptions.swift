public import ArgumentParser
package import Spikelet

/// Where data comes from and how it is read; shared by the commands that take DATA.
struct DataOptions: ParsableArguments {
    @Option(help: "Which part of a folder of IDX files: train or test.")
    var split: Dataset.Split?

    @OptionGroup var preparation: PreparationOptions

    @Option(
        help: ArgumentHelp(
            "Pictures: a text file with their classes, instead of one folder a class: lines of a path and a class.", valueName: "file"))
    var labels: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "Samples per batch. Thresholds of the recipe rate-coding depend on it; other results do not. Default: 100, or what the network is fixed to.",
            valueName: "n"))
    var batchSize: Int?

    @Option(parsing: .unconditional, help: ArgumentHelp("Use only the first so many samples.", valueName: "n"))
    var limit: Int?

    /// The shape of one sample of an input: of the array under its name, or, of the first, of the data's samples.
    func sampleShape(of input: String, _ position: Int, in path: String) throws -> [Int]? {
        if let shape = try SpikeCommands.sampleShape(of: input, in: path) { return shape }
        if path.lowercased().hasSuffix(".npz") {
            let archive = try NPZ(path: path)
            guard position == 0, !Set(archive.names).isDisjoint(with: Dataset.inputNames) else {
                let names = archive.names.map { "'\($0)'" }.joined(separator: ", ")
                throw SpikeletError(
                    .invalidData, "it has no array '\(input)'; it holds \(names)", at: path,
                    remedy: "save an array for each of the network's inputs, under its name")
            }
        }
        return position == 0 ? try preparation.dataset(path, split: split, labels: labels).sampleShapes.first : nil
    }

    private func request() throws -> DataRequest {
        var request = try preparation.request()
        (request.split, request.labels, request.batchSize, request.limit) = (split, labels, batchSize, limit)
        return request
    }

    /// The data at `path` for a network (``DataRequest/loader(_:for:note:)``).
    func loader(_ path: String, for graph: Graph) throws -> DataLoader {
        try request().loader(path, for: graph) { note("note: \($0)") }
    }

    /// Data in batches (``DataRequest/batches(of:fixedBatch:atMost:note:)``).
    func batches(of dataset: Dataset, fixedBatch: Int?, atMost most: Int = .max) throws -> DataLoader {
        try request().batches(of: dataset, fixedBatch: fixedBatch, atMost: most) { note("note: \($0)") }
    }
}

extension Dataset.Split: ExpressibleByArgument {}
extension Interpolation: ExpressibleByArgument {}
extension Converter.Pooling: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}
extension SpikingDescription.Schedule: ExpressibleByArgument {}
extension NIRDynamics.Reset: ExpressibleByArgument {}
extension RecipeSearch.Preference: ExpressibleByArgument {}

/// The numbers of time steps that every command takes.
private let stepRange = 1...SpikeCode.mostSteps

/// A number of time steps, if it is one.
func checkedSteps(_ steps: Int) throws -> Int {
    guard stepRange.contains(steps) else {
        throw SpikeletError(
            .invalidOption, "--steps \(steps) is no number of time steps",
            remedy: "give a whole number from \(stepRange.lowerBound) to \(stepRange.upperBound); 4 to 64 are usual")
    }
    return steps
}

/// Comma-separated numbers of time steps.
func stepList(_ text: String) throws -> [Int] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        guard let steps = Int(part.trimmingPrefix(" ")), stepRange.contains(steps) else {
            throw SpikeletError(
                .invalidOption, "'\(part)' in --steps is no number of time steps",
                remedy: "write whole numbers from 1 on with commas between them, such as 1,2,4,8,16,32")
        }
        return steps
    }
}

/// Adds the file that data came from to errors that do not say it themselves.
func locating<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    do {
        return try body()
    } catch let error as SpikeletError where error.code == .invalidData && error.location?.hasPrefix(path) != true {
        throw error.located(path)
    }
}
