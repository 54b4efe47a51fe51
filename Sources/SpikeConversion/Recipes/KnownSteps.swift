import SpikeGraph

/// What spikes stand for in a network that is converted already, for the same ANN at other sizes of its open axes: a sequence of
/// another length, an image of another height.
struct KnownSteps {
    private let sites: [String: Site]
    /// By activation, how many digits it is sent in.
    let digits: [String: Int]
    /// The network that they are from.
    let snn: Graph
    let description: SpikingDescription

    /// - Throws: ``SpikeletError`` for a network whose neurons have more of their own than steps of digits.
    init(of snn: Graph) throws {
        guard let description = snn.spiking, description.code.kind == .radix, description.code.base == 2, description.code.steps != nil
        else {
            throw SpikeletError(
                .unsupported, "'\(snn.name)' is no network of digits, whose steps serve at other sizes too",
                remedy: "convert the model at each size that is needed")
        }
        self.description = description
        self.snn = snn
        var (sites, digits) = ([String: Site](), [String: Int]())
        for node in snn.nodes {
            guard case .neuron(let neurons) = node.operator, let site = neurons.site else { continue }
            (sites[site.activation], digits[site.activation]) = (site, neurons.digits)
        }
        (self.sites, self.digits) = (sites, digits)
    }

    /// The options that gave the network its form.
    func options(allowAnalog: Bool) -> ConversionOptions {
        var options = Recipe.radix.options(description.code.steps ?? 1)
        options.recipe = description.recipe
        options.pooling = description.facts["pooling"].flatMap { Converter.Pooling(rawValue: $0) } ?? .runningMaximum
        options.allowAnalog = allowAnalog
        return options
    }

    /// The neurons of all activations, by their names.
    ///
    /// - Throws: ``SpikeletError`` that lists the activations that were not there before, or have other channels than then.
    func sites(of activations: [Node], in graph: Graph) throws -> [String: Site] {
        var (problems, isAlongAxis) = ([String](), false)
        for node in activations {
            guard let site = sites[node.name] else {
                problems.append("'\(node.name)' was not sent as spikes where the network was calibrated")
                continue
            }
            // What conversion leaves in the network: functions, but not ReLUs.
            if let before = snn.node(named: node.name)?.operator.name, before != node.operator.name {
                problems.append("'\(node.name)' is \(node.operator.name) here, and was \(before) where the network was calibrated")
            }
            let shape = graph.types[node.outputs[0]]?.shape
            if site.spike.count > 1, shape?.hasChannels(site.spike.count, along: site.axis) != true {
                let size = shape.map { "\($0)" } ?? "another"
                isAlongAxis = true
                let steps = "a step for each of \(site.spike.count) channels along axis \(site.axis)"
                problems.append("'\(node.name)' has \(steps), and the shape \(size) here")
            }
        }
        let missing = Set(sites.keys).subtracting(activations.map(\.name)).sorted()
        for node in graph.nodes where graph.hasWeights(node) {
            for (name, before) in zip(node.inputs, snn.node(named: node.name)?.inputs ?? []) where !CorrectedLayer.isName(before) {
                guard let now = graph.constants[name], let then = snn.constants[before], now.rank > 1, now.shape == then.shape, now != then
                else { continue }
                problems.append("'\(node.name)' has other weights here than where the network was calibrated")
            }
        }
        problems += missing.map { "'\($0)' is not sent as spikes here, as it was where the network was calibrated" }
        guard problems.isEmpty else {
            throw SpikeletError(
                .notConvertible, "at these sizes the network is another one than at those of its calibration:",
                details: SpikeletError.list(problems),
                remedy: "convert the model at the sizes that are needed"
                    + (isAlongAxis ? ", or with one step a layer: isPerChannel = false, --per-layer" : ""))
        }
        return sites
    }
}
