import SpikeGraph

/// Sends values as spikes to those who need them so; who does not still reads the value itself.
///
/// Given: a spiking network, and values of it.
///
/// Result: of the k-th of them there are ``VoltageScaler``(1/q) → the neurons, with their ``Site`` → ``VoltageScaler``(q), named as
/// ``PlaceNeurons`` names them, behind those that it has placed.
struct EncodeValues: Pass {
    static let id = "encode-values"

    let encodings: [DigitPlan.Encoding]
    /// By the name of the node that makes a value, what its last digit stands for: one number, or one a channel.
    let spikes: [String: [Float]]
    /// By the same name, the rule.
    let neuron: @Sendable (String) throws -> any Neuron

    init(_ encodings: [DigitPlan.Encoding], spikes: [String: [Float]], neuron: @escaping @Sendable (String) throws -> any Neuron) {
        (self.encodings, self.spikes, self.neuron) = (encodings, spikes, neuron)
    }

    func run(_ graph: Graph) throws -> Graph {
        var patch = Patch()
        var changed: [String: Node] = [:]
        let placed = graph.nodes.count { if case .neuron = $0.operator { true } else { false } }
        for (number, encoding) in encodings.enumerated() {
            guard let spike = spikes[encoding.node.name] else { continue }
            let names = (0..<3).map { tailorName(placed + number, $0) }
            let axis = encoding.axis ?? 1
            let site = Site(activation: encoding.node.name, spike: spike, axis: axis)
            patch.insert(
                Node(names[0], .voltageScaler(VoltageScaler(scales: spike.map { 1 / $0 }, axis: axis)), inputs: [encoding.node.outputs[0]]))
            let neurons = try NeuronNode(neuron(encoding.node.name), site: site)
            patch.insert(Node(names[1], .neuron(neurons), inputs: [names[0]]))
            patch.insert(Node(names[2], .voltageScaler(VoltageScaler(scales: spike, axis: axis)), inputs: [names[1]]))
            for reader in encoding.readers {
                guard var node = changed[reader.node] ?? graph.node(named: reader.node) else { continue }
                node.inputs[reader.position] = names[2]
                changed[reader.node] = node
            }
        }
        for node in changed.values.sorted(by: { $0.name < $1.name }) { patch.replace(node) }
        return try graph.applying(patch)
    }
}
