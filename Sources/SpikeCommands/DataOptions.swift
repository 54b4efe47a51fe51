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

    /// The data at `path` for a network: where it has several inputs, an `.npz` file with an array for each.
    ///
    /// A network of a fixed batch size gets whole batches of just that; what is left of the data is left out, with a note.
    func loader(_ path: String, for graph: Graph) throws -> DataLoader {
        let integers = Set(graph.inputs.filter { $0.type.elementType == .int64 }.map(\.name))
        let booleans = Set(graph.inputs.filter { $0.type.elementType == .bool }.map(\.name))
        let isPrepared = split != nil || labels != nil || preparation.isGiven
        guard try graph.inputs.count > 1 || !integers.isEmpty || !isPrepared && holdsInput(path, of: graph) else {
            return try batches(of: preparation.dataset(path, split: split, labels: labels), fixedBatch: graph.fixedBatch)
        }
        guard !isPrepared else {
            throw SpikeletError(
                .invalidOption, "the inputs of a network of several, or of whole numbers, are taken as they are", at: path,
                remedy: "leave out --split, --labels, --mean, --std and the options of pictures, and prepare the arrays themselves")
        }
        let dataset = try Dataset(path: path, inputs: graph.inputs.map(\.name), integers: integers, booleans: booleans)
        noteCautions(of: dataset)
        return try batches(of: dataset, fixedBatch: graph.fixedBatch)
    }

    /// Data in batches, of the size that a network is fixed to, or asked for, or 100.
    ///
    /// - Parameter most: the samples that a batch has memory for.
    func batches(of dataset: Dataset, fixedBatch: Int?, atMost most: Int = .max) throws -> DataLoader {
        guard batchSize == nil, let size = fixedBatch, size > 0 else {
            // What a network is fixed to is not cut.
            let most = fixedBatch == nil ? most : .max
            return try DataLoader(dataset, batchSize: min(batchSize ?? SamplePortions.usualSize, most), limit: limit)
        }
        let count = min(dataset.count, limit ?? .max)
        guard count >= size || count < 1 else {
            throw SpikeletError(
                .invalidData, "\(count) samples; the network takes exactly \(size) at a time",
                remedy: "give at least \(size), or export the model with an open first axis")
        }
        let rest = max(0, count) % size
        if rest > 0 { note("note: the last \(rest) of \(count) samples are left out: the network takes exactly \(size) at a time") }
        return try DataLoader(dataset, batchSize: size, limit: rest > 0 ? count - rest : limit)
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
