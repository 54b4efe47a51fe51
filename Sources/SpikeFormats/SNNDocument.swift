import SpikeFiles
package import SpikeGraph

/// A graph without its constants, as it stands in a file.
struct SNNDocument: Codable {
    /// What has to be known before the rest is read.
    struct Version: Codable {
        var formatVersion: Int
    }

    /// An input and its type: `{"name": "x", "elementType": "float32", "shape": [{"batch": 1}, 3, 32, 32]}`.
    struct Input: Codable {
        var name: String
        var elementType: ElementType
        var shape: [Size]
    }

    /// One size of an input: a number, or with an open batch `{"batch": factor}` and, where it is not 0, `"constant"`.
    struct Size: Codable {
        private enum Key: String, CodingKey { case batch, constant }

        var dimension: Dimension

        init(_ dimension: Dimension) {
            self.dimension = dimension
        }

        init(from decoder: any Decoder) throws {
            if let number = try? decoder.singleValueContainer().decode(Int.self) {
                dimension = Dimension(number)
            } else {
                let container = try decoder.container(keyedBy: Key.self)
                dimension = Dimension(
                    try container.decodeIfPresent(Int.self, forKey: .constant) ?? 0,
                    batchFactor: try container.decode(Int.self, forKey: .batch))
            }
        }

        func encode(to encoder: any Encoder) throws {
            if let number = dimension.known {
                var container = encoder.singleValueContainer()
                try container.encode(number)
            } else {
                var container = encoder.container(keyedBy: Key.self)
                try container.encode(dimension.batchFactor, forKey: .batch)
                if dimension.constant != 0 { try container.encode(dimension.constant, forKey: .constant) }
            }
        }
    }

    var formatVersion: Int
    var name: String
    var inputs: [Input]
    var outputs: [Graph.Output]
    var nodes: [Node]
    var origin: [String: String]
    var spiking: SpikingDescription?
    var model: StoredModelDocument?

    init(_ graph: Graph, model: StoredModelDocument? = nil) {
        let least = model == nil ? SNNFile.versionWithoutModel : SNNFile.versionWithModel
        formatVersion = graph.hasMixedDigits ? SNNFile.formatVersion : least
        self.model = model
        name = graph.name
        inputs = graph.inputs.map {
            Input(name: $0.name, elementType: $0.type.elementType, shape: $0.type.shape.dimensions.map { Size($0) })
        }
        outputs = graph.outputs
        nodes = graph.nodes
        origin = graph.origin
        spiking = graph.spiking
    }

    /// The graph, verified.
    func graph(constants: [String: Tensor]) throws -> Graph {
        try Graph(
            name: name,
            inputs: inputs.map { Graph.Input($0.name, ValueType($0.elementType, Shape($0.shape.map(\.dimension)))) },
            outputs: outputs, nodes: nodes, constants: constants, origin: origin, spiking: spiking)
    }

    /// Where in a graph an encoder's path leads: `node 'relu1': operator.attributes.threshold`.
    static func place(_ path: [any CodingKey], in graph: Graph) -> String {
        guard path.count > 1, path[0].stringValue == "nodes", let index = path[1].intValue, graph.nodes.indices.contains(index) else {
            return path.text
        }
        return "node '\(graph.nodes[index].name)': \(path.dropFirst(2).text)"
    }
}

/// A graph without its constants, as an SNN file has it, for who reads a graph and not a file.
package struct GraphDocument: Encodable {
    private let document: SNNDocument

    package init(_ graph: Graph) { document = SNNDocument(graph) }

    package func encode(to encoder: any Encoder) throws { try document.encode(to: encoder) }
}
