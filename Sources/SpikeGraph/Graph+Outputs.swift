extension Graph {
    /// The network that shows some of its outputs alone; nodes that led to the others only are gone.
    ///
    /// - Parameter isKept: whether an output stays; at least one has to.
    /// - Throws: ``SpikeletError`` where none stays.
    package func keepingOutputs(_ isKept: (Output) -> Bool) throws -> Graph {
        let kept = outputs.filter(isKept)
        guard kept.count < outputs.count else { return self }
        var read = Set(kept.map(\.value))
        var needed: [Node] = []
        for node in nodes.reversed() where node.outputs.contains(where: read.contains) {
            needed.append(node)
            read.formUnion(node.inputs)
        }
        return try Graph(
            name: name, inputs: inputs, outputs: kept, nodes: needed.reversed(), constants: constants.filter { read.contains($0.key) },
            origin: origin, spiking: spiking)
    }

    /// The network without the outputs that conversion has left out of `snn`, which was made from it. A network with other outputs than
    /// these stays as it is.
    package func showingOutputs(of snn: Graph) throws -> Graph {
        let names = Set(snn.outputs.map(\.name))
        guard outputs.map(\.name).filter(names.contains) == snn.outputs.map(\.name) else { return self }
        return try keepingOutputs { names.contains($0.name) }
    }
}
