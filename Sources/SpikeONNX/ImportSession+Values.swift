internal import SpikeFiles
internal import SpikeGraph

extension ImportSession {
    /// The network's inputs: those that are not weights in older files' double bookkeeping.
    func readInputs() throws {
        let weights = Set(model.graph.initializer.map(\.name))
        for input in model.graph.input where !weights.contains(input.name) {
            do {
                guard !input.name.isEmpty else { throw SpikeletError(.invalidModel, "an input has no name") }
                guard let type = try type(of: input) else {
                    values[input.name] = .unknown
                    continue
                }
                inputs.append(Graph.Input(input.name, type))
                guard values.updateValue(.computed(name: input.name, type), forKey: input.name) == nil else {
                    throw SpikeletError(.invalidModel, "two inputs have this name")
                }
            } catch let error as SpikeletError {
                throw error.located("input '\(input.name)'")
            }
        }
        if let name = openAxes.sizes.keys.sorted().first(where: { !openNames.contains($0) }) {
            let names = openNames.subtracting([""]).sorted().map { "'\($0)'" }
            throw SpikeletError(
                .invalidOption, "the model leaves no axis '\(name)' open",
                remedy: names.isEmpty ? "leave out its size" : "open are \(names.joined(separator: ", "))")
        }
    }

    /// - Returns: `nil` where an axis is open and nothing says its size; that is kept for the list of what stands in the way.
    private func type(of input: ONNXValueInfoProto) throws -> ValueType? {
        guard input.hasType, input.type.hasTensorType else {
            throw SpikeletError(.unsupported, "it is not a tensor, or its type is not given", remedy: "export a model that takes tensors")
        }
        let tensor = input.type.tensorType
        let element: ElementType
        switch tensor.elemType {
        case .float: element = .float32
        case .float16, .bfloat16, .double:
            element = .float32
            warnings.append("input '\(input.name)' is \(tensor.elemType.label) in the file; the network is computed in float32")
        case .int64, .int32: element = .int64
        case .bool: element = .bool
        default:
            throw SpikeletError(
                .unsupported, "its element type is \(tensor.elemType.label)", remedy: "export a model that takes float32 images")
        }
        guard tensor.hasShape else {
            throw SpikeletError(
                .unsupported, "its shape is not given", remedy: "export with an example input; only the batch may be dynamic")
        }
        return try shape(tensor.shape, of: input.name).map { ValueType(element, $0) }
    }

    /// A first axis that is a name, or not given, is the batch; every other axis has to be a number, in the file or by ``openAxes``.
    private func shape(_ proto: ONNXTensorShapeProto, of name: String) throws -> Shape? {
        var unknown = UnknownAxes(input: name)
        guard proto.dim.count <= 64 else { throw SpikeletError(.malformedFile, "it has \(proto.dim.count) axes") }
        var dimensions: [Dimension] = []
        var elements = 1
        for (axis, dim) in proto.dim.enumerated() {
            // 0 means "open" to some exporters, as does −1.
            var given: Int64?
            if case .dimValue(let size)? = dim.value, size >= (axis == 0 ? 1 : 0) { given = size }
            // Some write '?' for an axis without a name.
            var symbol = if case .dimParam(let text)? = dim.value { text } else { "" }
            if !symbol.contains(where: { $0.isLetter || $0.isNumber }) { symbol = "" }
            if given == nil, axis > 0 {
                openNames.formUnion([symbol, "\(axis)"])
                let position = inputs.count + unknownAxes.count
                if let (size, isNamed) = try openAxes.size(axis, named: symbol, of: name, at: position, rank: proto.dim.count) {
                    given = Int64(size)
                    let open = OpenAxis(input: name, axis: axis, name: symbol.isEmpty ? "\(axis)" : symbol, size: size, isNamed: isNamed)
                    try check(open, symbol)
                    closedAxes.append(open)
                }
            }
            if let size = given {
                let (product, overflow) = elements.multipliedReportingOverflow(by: Int(size))
                guard size <= TensorReader.axisLimit, !overflow, product <= 1 << 40 else {
                    throw SpikeletError(
                        .malformedFile, "its axis \(axis) has the impossible size \(size)", remedy: "export the model again")
                }
                elements = product
                dimensions.append(Dimension(Int(size)))
                continue
            }
            guard axis == 0 else {
                unknown.axes.append((axis, symbol))
                continue
            }
            dimensions.append(.batch)
        }
        guard unknown.axes.isEmpty else {
            unknownAxes.append(unknown)
            return nil
        }
        return Shape(dimensions)
    }

    /// Axes of one name have one size in all inputs.
    private func check(_ axis: OpenAxis, _ symbol: String) throws {
        guard !symbol.isEmpty,
            let other = closedAxes.first(where: { $0.input != axis.input && $0.name == symbol && $0.size != axis.size })
        else { return }
        throw SpikeletError(
            .invalidData, "its axis \(axis.axis) ('\(symbol)') has \(axis.size) places; that of input '\(other.input)' has \(other.size)",
            remedy: "bring the inputs to one size: pad the shorter one, and mask what is padded")
    }

    /// The model's initialisers, which are no longer in the model.
    func takeInitializers() -> [ONNXTensorProto] {
        var initializers: [ONNXTensorProto] = []
        swap(&initializers, &model.graph.initializer)
        return initializers
    }

    /// Reads those of a graph's initialisers that something needs. Each one's message is let go as soon as it is converted, so that a
    /// large model is not in memory twice.
    ///
    /// - Parameter places: for each, where its bytes are, if they are not in the message.
    func readInitializers(_ initializers: consuming [ONNXTensorProto], sparse: [ONNXSparseTensorProto], places: [FilePart?]) throws {
        if let sparse = sparse.first(where: { order.readValues.contains($0.values.name) }) {
            throw SpikeletError(.unsupported, "tensor '\(sparse.values.name)' is stored sparse", remedy: "export the weights dense")
        }
        for index in initializers.indices {
            let proto = initializers[index]
            initializers[index] = ONNXTensorProto()
            guard order.readValues.contains(proto.name) else { continue }
            guard values[proto.name] == nil else {
                throw SpikeletError(.invalidModel, "tensor '\(proto.name)' is defined twice", remedy: "export the model again")
            }
            let place = index < places.count ? places[index] : nil
            let constant = Value.constant(name: proto.name, try reader.read(proto, at: place, named: proto.name))
            builder.setIntegerType(proto.dataType, of: constant)
            values[proto.name] = constant
        }
        builder.budget.grow(by: reader.externalBytes)
    }
}
