package import SpikeGraph

/// Converts a network of any activations to digits: ``DigitPlan`` says what is sent, calibration how large a step of the last digit is.
///
/// The result is the ANN in which everything that weights or products read is rounded to sign and K digits.
struct DigitConversion {
    let options: ConversionOptions
    /// Warnings of what was done before.
    var notes: [String] = []
    /// Reciprocals of so many steps are rounded by an eighth of themselves at most.
    private static let fineSteps: Float = 4

    /// - Throws: ``SpikeletError`` that lists everything in the network that has no form in digits.
    func callAsFunction(_ ann: Graph, calibration: (any BatchSource)?) throws -> Graph {
        let (graph, plan, warnings) = try prepare(ann)
        guard let calibration else {
            throw SpikeletError(
                .notConvertible, "without data nothing is known of values that are no ReLU's", remedy: "give calibration data")
        }
        let rectifiers = graph.nodes.filter { plan.rectifiers.contains($0.name) }
        var axes = Dictionary(plan.encodings.map { ($0.node.name, $0.axis) }) { first, _ in first }
        for node in rectifiers { axes[node.name] = .some(plan.channelAxis(ofRectifier: node)) }
        let sites = try SitePlan(
            options, rectifiers.map { DigitSite(node: $0, axis: (axes[$0.name] ?? 1) ?? 1) } + plan.encodings.map(plan.site),
            in: graph, data: calibration, axes: axes)
        let (scales, thresholds) = (sites.spikes, sites.thresholds)
        var description = SpikingDescription(
            recipe: options.recipe, schedule: options.schedule, code: sites.code, facts: options.facts,
            warnings: notes + warnings + thresholds.warnings)
        description.facts.merge(sites.facts) { _, own in own }
        if thresholds.samples < 4 {
            let samples = "\(thresholds.samples) calibration sample\(thresholds.samples == 1 ? "" : "s")"
            description.warnings.append("steps were chosen from \(samples): a few hundred tell much more")
        }
        for node in plan.encodings.map(\.node) {
            guard case .unary(let unary) = node.operator, unary.function == .reciprocal, let median = thresholds.medians[node.name],
                let step = scales[node.name]?.max(), median < Self.fineSteps * step
            else { continue }
            description.warnings.append(
                "'\(node.name)': half of what is divided by is so large beside the least that its reciprocals are below "
                    + "\(Int(Self.fineSteps)) steps of the last digit, and the quotients coarse; a larger constant in the divisor helps")
        }
        description.facts["calibrationSamples"] = "\(thresholds.samples)"
        return try place(plan, in: graph, scales, sites.digits ?? [:], along: axes.compactMapValues { $0 }, description) { snn in
            options.correctsWeights ? try snn.correctingWeights(ann: graph, data: calibration) : snn
        }
    }

    /// The same with steps that are known.
    func callAsFunction(_ ann: Graph, known: KnownSteps) throws -> Graph {
        let (graph, plan, _) = try prepare(ann)
        let activations = graph.nodes.filter { plan.rectifiers.contains($0.name) } + plan.encodings.map(\.node)
        let sites = try known.sites(of: activations, in: graph)
        let (spikes, axes) = (sites.mapValues(\.spike), sites.mapValues(\.axis))
        return try place(plan, in: graph, spikes, known.digits, along: axes, known.description) { snn in
            try snn.takingCorrectedWeights(of: known.snn)
        }
    }

    /// - Returns: the network in which softmaxes are exponentials and sums, what becomes of it, and warnings.
    private func prepare(_ ann: Graph) throws -> (Graph, DigitPlan, [String]) {
        var graph = try SplitSoftmax().run(FuseConvBatchNorm().run(ann))
        let divisions = DigitPlan(graph).divisions
        if !divisions.isEmpty { graph = try graph.multiplyingByReciprocals(divisions) }
        let plan = DigitPlan(graph)
        return (graph, plan, try plan.check(allowAnalog: options.allowAnalog))
    }

    /// - Parameters:
    ///   - scales: by the activations' names, what their last digit stands for.
    ///   - digits: by the same names, how many they are sent in, if not as many as the options say.
    ///   - axes: by the same names, where their channels lie, if not along axis 1.
    ///   - correcting: what gives layers the weights that make up for rounding.
    private func place(
        _ plan: DigitPlan, in graph: Graph, _ scales: [String: [Float]], _ digits: [String: Int], along axes: [String: Int],
        _ description: SpikingDescription, correcting: (Graph) throws -> Graph
    ) throws -> Graph {
        var placing = try PlaceNeurons(
            scales: scales.filter { plan.rectifiers.contains($0.key) }, neuron: options.makeNeuron(), description: description)
        for name in plan.rectifiers {
            placing.placements[name]?.axis = axes[name] ?? 1
            placing.placements[name]?.neuron = try options.sending(digits[name]).makeNeuron()
        }
        let placed = try placing.run(graph)
        let encodings = plan.encodings.map { encoding in
            var encoding = encoding
            encoding.axis = axes[encoding.node.name]
            return encoding
        }
        let usual = options.steps
        let encoded = try EncodeValues(encodings, spikes: scales) { try DigitNeuron(digits: digits[$0] ?? usual) }.run(placed)
        let pooled = options.pooling == .runningMaximum ? try UseRunningMaximum().run(encoded) : encoded
        return try SeparateConstants().run(correcting(pooled)).notingDigits()
    }
}

extension DigitPlan {
    /// What neurons stand for that send a value of both signs. The largest exponential of each row is 1.
    fileprivate func site(_ encoding: Encoding) -> DigitSite {
        let readers = encoding.readers.map { DigitSite.Reader(node: $0.node, position: $0.position) }
        return DigitSite(
            node: encoding.node, isSigned: true, axis: encoding.axis ?? 1, readers: Set(readers),
            threshold: isExponentialOfRow(encoding.node) ? [1] : nil)
    }

    /// Whether a node gives exp(x − max x), as ``SplitSoftmax`` writes it.
    fileprivate func isExponentialOfRow(_ node: Node) -> Bool {
        guard case .unary(let unary) = node.operator, unary.function == .exp, let distance = producers[node.inputs[0]],
            case .binary(let binary) = distance.operator, binary.function == .subtract,
            let largest = producers[distance.inputs[1]], case .reduce(let reduce) = largest.operator
        else { return false }
        return reduce.function == .maximum && largest.inputs == [distance.inputs[0]]
    }

    /// - Parameter allowAnalog: lets obstacles pass, as warnings: they act on whole potentials.
    /// - Returns: warnings.
    /// - Throws: ``SpikeletError`` that lists all obstacles, or says that there is nothing to convert.
    @discardableResult
    func check(allowAnalog: Bool = false) throws -> [String] {
        guard obstacles.isEmpty || allowAnalog else {
            throw SpikeletError(
                .notConvertible, "\(obstacles.count) node\(obstacles.count == 1 ? "" : "s") cannot be part of a spiking network:",
                details: obstacles.listed,
                remedy: "replace these in the model and train again, or pass `allowAnalog: true` to keep them real-valued")
        }
        guard !encodings.isEmpty || !rectifiers.isEmpty else {
            throw SpikeletError(
                .notConvertible,
                "all that weights read is computed from the input without weights, so there is nothing between layers to be sent as spikes",
                remedy: "'spikelet run' runs it as it is")
        }
        return obstacles.map { "'\($0.node)' (\($0.operator)) is left analog: \($0.reason)" }
    }
}

extension Graph {
    /// The same function with a / b as a · (1 / b): a product, one factor of which is a function of one value.
    package func multiplyingByReciprocals(_ divisions: [Node]) throws -> Graph {
        var patch = Patch()
        for node in divisions {
            let reciprocal = Node(freshName("\(node.name).reciprocal"), .unary(Unary(.reciprocal)), inputs: [node.inputs[1]])
            patch.insert(reciprocal)
            patch.replace(Node(node.name, .mul(Mul()), inputs: [node.inputs[0]] + reciprocal.outputs, outputs: node.outputs))
        }
        return try applying(patch)
    }
}
