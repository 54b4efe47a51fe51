import ArgumentParser
import Spikelet

/// Whether samples have an input of their own in each time step; shared by the commands that judge such samples.
struct TimeVaryingOptions: ParsableArguments {
    @Flag(
        help: """
            Each time step has its own input, as the frames of an event camera: DATA's images are [T, N, …]. The ANN is shown their mean \
            over the steps.
            """)
    var timeVarying = false

    /// The numbers that a batch may have: all steps of its samples are in it.
    private static let mostNumbers = 1 << 24

    /// Sizes of open axes are those of the data at `path`.
    func openAxes(_ path: String, _ options: DataOptions) throws -> OpenAxes {
        try OpenAxes(sample: { [timeVarying] name, position in
            try options.sampleShape(of: name, position, in: path).map { Array($0.dropFirst(timeVarying ? 1 : 0)) }
        })
    }

    /// The data at `path` for a network, in batches; time-varying or not.
    func loader(_ path: String, _ options: DataOptions, for graph: Graph) throws -> DataLoader {
        guard timeVarying else { return try options.loader(path, for: graph) }
        try graph.spiking?.checkTimeVarying()
        guard graph.inputs.count == 1, let input = graph.inputs.first?.type.shape.dimensions else {
            throw SpikeletError(
                .unsupported, "time-varying samples of a network of \(graph.inputs.count) inputs",
                remedy: "leave out `timeVarying: true`: every step then has the same inputs")
        }
        guard options.split == nil, options.labels == nil, !options.preparation.isGiven else {
            throw SpikeletError(
                .invalidOption, "time-varying inputs are taken as they are", at: path,
                remedy: "leave out --split, --labels, --mean, --std and the options of pictures, and prepare the array itself")
        }
        let dataset = try Dataset(timeVarying: path, sample: input.dropFirst().map(\.known))
        noteCautions(of: dataset)
        // Results do not depend on it.
        let most = max(1, Self.mostNumbers / dataset.sampleShapes[0].reduce(1, *))
        return try options.batches(of: dataset, fixedBatch: graph.fixedBatch, atMost: most)
    }

    /// The numbers of time steps to report.
    ///
    /// - Parameter text: what was asked for; without it up to 32, and of time-varying data up to all that they have.
    func steps(_ text: String?, of loader: DataLoader) throws -> [Int] {
        let asked = try text.map(stepList)
        let data = loader.dataset
        let frames = timeVarying ? data.sampleShapes[0][0] : nil
        let steps = try Evaluator.steps(asked: asked, frames: frames, of: data.name)
        if let frames, let last = steps.max(), last < frames {
            note("note: the data have \(frames) time steps; the first \(last) are evaluated")
        }
        return steps
    }
}
