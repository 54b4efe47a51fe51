import SpikeGraph

extension NIRGraph {
    // MARK: Writing

    /// The graph as a file holds it.
    ///
    /// - Throws: for a node that NIR does not have.
    func tree() throws -> HDF5Tree {
        var members: [String: HDF5Tree] = [
            "type": .text("NIRGraph"),
            "edges": .texts(edges.flatMap { [$0.source, $0.target] }, shape: [edges.count, 2]),
            "nodes": .group(try Dictionary(uniqueKeysWithValues: nodes.map { ($0, try $1.tree()) })),
        ]
        if !metadata.isEmpty { members["metadata"] = metadata.tree }
        return .group(members)
    }

    // MARK: Reading

    /// - Parameter place: where in the file, for messages.
    init(_ tree: HDF5Tree, at place: String) throws {
        let reader = try NIRNodeReader(tree, at: place)
        guard case .group(let members)? = reader.members["nodes"] else { throw reader.failure("it has no nodes") }
        nodes = try Dictionary(uniqueKeysWithValues: members.map { ($0, try NIRNode($1, at: "\(place): node '\($0)'")) })
        edges = []
        switch reader.members["edges"] {
        case .texts(let names, let shape)? where shape.count == 2 && shape[1] == 2:
            edges = stride(from: 0, to: names.count, by: 2).map { Edge(names[$0], names[$0 + 1]) }
        case .texts(let names, _)? where names.isEmpty: break
        case .numbers(let tensor)? where tensor.count == 0: break
        default: throw reader.failure("its edges are no pairs of names")
        }
        metadata = reader.metadata
        for edge in edges {
            for name in [edge.source, edge.target] where nodes[name] == nil {
                throw reader.failure("an edge goes from '\(edge.source)' to '\(edge.target)', but there is no node '\(name)'")
            }
        }
        if Set(edges).count != edges.count { throw reader.failure("an edge stands there twice") }
    }
}

extension NIRNode {
    fileprivate func tree() throws -> HDF5Tree {
        func sizes(_ numbers: [Int]) -> HDF5Tree { .numbers(Tensor(numbers.map(Int64.init), shape: [numbers.count])) }
        func size(_ number: Int) -> HDF5Tree { .numbers(Tensor([Int64(number)], shape: [])) }
        var members: [String: HDF5Tree]
        switch operation {
        case .input(let shape), .output(let shape): members = ["shape": sizes(shape)]
        case .affine(let weight, let bias):
            members = ["weight": .numbers(weight)]
            if let bias { members["bias"] = .numbers(bias) }
        case .scale(let scale): members = ["scale": .numbers(scale)]
        case .convolution(let convolution):
            let sizeCounts = [convolution.stride, convolution.padding, convolution.dilation].map(\.count)
            guard (1...2).contains(convolution.rank), sizeCounts.allSatisfy({ $0 == convolution.rank }),
                convolution.inputShape?.count ?? convolution.rank == convolution.rank
            else {
                throw SpikeletError(
                    .invalidData, "a convolution of \(convolution.rank) axes with \(sizeCounts) strides, paddings and dilations",
                    remedy: "give one of each for one or two axes")
            }
            members = [
                "weight": .numbers(convolution.weight), "bias": .numbers(convolution.bias), "groups": size(convolution.groups),
            ]
            // A Conv1d's sizes are single numbers.
            func add(_ name: String, _ numbers: [Int]) { members[name] = convolution.rank == 1 ? size(numbers[0]) : sizes(numbers) }
            if let shape = convolution.inputShape { add("input_shape", shape) }
            add("stride", convolution.stride)
            add("padding", convolution.padding)
            add("dilation", convolution.dilation)
        case .pool(let pool): members = ["kernel_size": sizes(pool.kernel), "stride": sizes(pool.stride), "padding": sizes(pool.padding)]
        case .flatten(let flatten):
            members = ["start_dim": size(flatten.firstAxis), "end_dim": size(flatten.lastAxis)]
            if let shape = flatten.inputShape { members["input_type"] = sizes(shape) }
        case .delay(let delay): members = ["delay": .numbers(delay)]
        case .threshold(let threshold): members = ["threshold": .numbers(threshold)]
        case .neuron(let neuron): members = neuron.parameters.mapValues { .numbers($0) }
        case .graph(let graph): return try graph.tree()
        case .unsayable(let name): throw SpikeletError(.unsupported, "NIR has no node '\(name)'")
        }
        members["type"] = .text(operation.typeName)
        if !metadata.isEmpty { members["metadata"] = metadata.tree }
        return .group(members)
    }

    fileprivate init(_ tree: HDF5Tree, at place: String) throws {
        let reader = try NIRNodeReader(tree, at: place)
        let operation: NIROperation
        switch reader.type {
        case "Input": operation = .input(shape: try reader.integers("shape"))
        case "Output": operation = .output(shape: try reader.integers("shape"))
        case "Affine", "Linear":
            let weight = try reader.floats("weight")
            let bias = reader.type == "Affine" ? try reader.floats("bias") : nil
            guard weight.rank == 2, bias == nil || bias?.shape == [weight.shape[0]] else {
                throw reader.failure(
                    "weights of shape \(weight.shape)" + (bias.map { " and a bias of shape \($0.shape)" } ?? ""), .unsupported)
            }
            operation = .affine(weight: weight, bias: bias)
        case "Scale": operation = .scale(try reader.floats("scale"))
        case "Conv1d", "Conv2d": operation = .convolution(try reader.convolution(rank: reader.type == "Conv1d" ? 1 : 2))
        case "SumPool2d", "AvgPool2d":
            let kernel = try reader.sizes("kernel_size", rank: 2)
            operation = .pool(
                NIRPool(
                    isAverage: reader.type == "AvgPool2d", kernel: kernel, stride: try reader.sizes("stride", rank: 2),
                    padding: try reader.sizes("padding", rank: 2)))
        case "Flatten":
            operation = .flatten(
                NIRFlatten(
                    inputShape: reader.members["input_type"] == nil ? nil : try reader.integers("input_type"),
                    firstAxis: reader.members["start_dim"] == nil ? 1 : try reader.integer("start_dim"),
                    lastAxis: reader.members["end_dim"] == nil ? -1 : try reader.integer("end_dim")))
        case "Delay": operation = .delay(try reader.floats("delay"))
        case "Threshold": operation = .threshold(try reader.floats("threshold"))
        case "NIRGraph": operation = .graph(try NIRGraph(tree, at: place))
        case let name:
            guard let kind = NIRNeuron.Kind(rawValue: name) else {
                throw reader.failure("a node of type '\(name)', which is not known", .unsupported)
            }
            var parameters: [String: Tensor] = [:]
            // v_reset came with NIR 1.0.6.
            for name in kind.parameterNames where name != "v_reset" || reader.members[name] != nil {
                parameters[name] = try reader.floats(name)
            }
            operation = .neuron(NIRNeuron(kind, parameters))
        }
        if case .graph = operation { self.init(operation) } else { self.init(operation, metadata: reader.metadata) }
    }
}

extension [String: NIRMetadata] {
    fileprivate var tree: HDF5Tree {
        .group(
            mapValues {
                switch $0 {
                case .text(let text): .text(text)
                case .numbers(let tensor): .numbers(tensor)
                }
            })
    }
}

/// The members of one node's group.
private struct NIRNodeReader {
    let members: [String: HDF5Tree]
    let type: String
    private let place: String

    init(_ tree: HDF5Tree, at place: String) throws {
        self.place = place
        guard case .group(let members) = tree else { throw SpikeletError(.malformedFile, "it is no group", at: place, remedy: Self.remedy) }
        self.members = members
        guard case .texts(let types, _)? = members["type"], types.count == 1 else {
            throw SpikeletError(.malformedFile, "it has no type", at: place, remedy: Self.remedy)
        }
        type = types[0]
    }

    private static let remedy = "the file is damaged, or no NIR file: make it again"

    func failure(_ message: String, _ code: SpikeletError.Code = .malformedFile) -> SpikeletError {
        SpikeletError(code, message, at: place, remedy: code == .unsupported ? "write the network without it" : Self.remedy)
    }

    var metadata: [String: NIRMetadata] {
        guard case .group(let members)? = members["metadata"] else { return [:] }
        return members.compactMapValues {
            switch $0 {
            case .texts(let texts, _) where texts.count == 1: .text(texts[0])
            case .numbers(let tensor): .numbers(tensor)
            // Nested metadata mean nothing to us.
            default: nil
            }
        }
    }

    private func numbers(_ name: String) throws -> Tensor {
        guard case .numbers(let tensor)? = members[name] else { throw failure("'\(name)' is missing, or no numbers") }
        return tensor
    }

    /// Numbers, finite ones.
    func floats(_ name: String) throws -> Tensor {
        let tensor = try numbers(name)
        let values: [Float] =
            switch tensor.storage {
            case .float32(let values): values
            case .int64(let values): values.map { Float($0) }
            case .bool(let values): values.map { $0 ? 1 : 0 }
            }
        guard values.allSatisfy(\.isFinite) else { throw failure("'\(name)' holds NaN or infinity") }
        return Tensor(values, shape: tensor.shape)
    }

    func integers(_ name: String) throws -> [Int] {
        let tensor = try numbers(name)
        guard tensor.rank <= 1, tensor.count <= 16 else { throw failure("'\(name)' has the shape \(tensor.shape)") }
        let limit: Int64 = 1 << 31
        switch tensor.storage {
        case .int64(let values) where values.allSatisfy({ $0 > -limit && $0 < limit }): return values.map { Int($0) }
        case .float32(let values) where values.allSatisfy({ $0 == $0.rounded() && abs($0) < 1e9 }): return values.map { Int($0) }
        default: throw failure("'\(name)' holds no sizes")
        }
    }

    func integer(_ name: String) throws -> Int {
        let numbers = try integers(name)
        guard numbers.count == 1 else { throw failure("'\(name)' is not one number") }
        return numbers[0]
    }

    /// One number for each axis; a single one is for all.
    func sizes(_ name: String, rank: Int) throws -> [Int] {
        let numbers = try integers(name)
        if numbers.count == 1 { return [Int](repeating: numbers[0], count: rank) }
        guard numbers.count == rank else { throw failure("'\(name)' has \(numbers.count) numbers, \(rank) are needed") }
        return numbers
    }

    func convolution(rank: Int) throws -> NIRConvolution {
        let weight = try floats("weight")
        let bias = try floats("bias")
        guard weight.rank == rank + 2, bias.shape == [weight.shape[0]] else {
            throw failure("weights of shape \(weight.shape) and a bias of shape \(bias.shape)")
        }
        let dilation = try sizes("dilation", rank: rank)
        let padding: [Int]
        if case .texts(let texts, _)? = members["padding"], let text = texts.first {
            switch text {
            case "valid": padding = [Int](repeating: 0, count: rank)
            case "same":
                let extents = zip(weight.shape.dropFirst(2), dilation).map { ($0 - 1).multipliedReportingOverflow(by: $1).partialValue }
                guard extents.allSatisfy({ $0 >= 0 && $0 % 2 == 0 }) else {
                    throw failure("padding 'same' of an even kernel", .unsupported)
                }
                padding = extents.map { $0 / 2 }
            default: throw failure("padding '\(text)' is not known")
            }
        } else {
            padding = try sizes("padding", rank: rank)
        }
        return NIRConvolution(
            weight: weight, bias: bias, inputShape: members["input_shape"] == nil ? nil : try integers("input_shape"),
            stride: try sizes("stride", rank: rank), padding: padding, dilation: dilation, groups: try integer("groups"))
    }
}
