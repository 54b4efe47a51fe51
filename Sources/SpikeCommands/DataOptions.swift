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
        help: ArgumentHelp("Samples per batch. Thresholds of the recipe rate-coding depend on it; other results do not.", valueName: "n"))
    var batchSize = 100

    @Option(parsing: .unconditional, help: ArgumentHelp("Use only the first so many samples.", valueName: "n"))
    var limit: Int?

    /// The data at `path`, in batches.
    func loader(_ path: String) throws -> DataLoader {
        try DataLoader(preparation.dataset(path, split: split, labels: labels), batchSize: batchSize, limit: limit)
    }
}

extension DataLoader {
    /// What `network` says of these data's samples.
    func task(of network: Graph) throws -> OutputTask {
        try OutputTask(of: network, hasLabels: dataset.labels != nil, targets: dataset.targets)
    }
}

extension Dataset.Split: ExpressibleByArgument {}
extension Interpolation: ExpressibleByArgument {}
extension Converter.Pooling: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}
extension SpikingDescription.Schedule: ExpressibleByArgument {}
extension NIRDynamics.Reset: ExpressibleByArgument {}

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
