internal import SpikeGraph

extension ImportSession {
    /// The network's inputs: those that are not weights in older files' double bookkeeping.
    func readInputs() throws {
        let weights = Set(model.graph.initializer.map(\.name))
        for input in model.graph.input where !weights.contains(input.name) {
            do {
                guard !input.name.isEmpty else { throw SpikeletError(.invalidModel, "an input has no name") }
                let type = try type(of: input)
                inputs.append(Graph.Input(input.name, type))
                guard values.updateValue(.computed(name: input.name, type), forKey: input.name) == nil else {
                    throw SpikeletError(.invalidModel, "two inputs have this name")
                }
            } catch let error as SpikeletError {
                throw error.located("input '\(input.name)'")
            }
        }
    }

    private func type(of input: ONNXValueInfoProto) throws -> ValueType {
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
        return ValueType(element, try shape(tensor.shape, of: input.name))
    }

    /// A first axis that is a name, or not given, is the batch; every other axis has to be a number.
    private func shape(_ proto: ONNXTensorShapeProto, of name: String) throws -> Shape {
        guard proto.dim.count <= 64 else { throw SpikeletError(.malformedFile, "it has \(proto.dim.count) axes") }
        var dimensions: [Dimension] = []
        var elements = 1
        for (axis, dim) in proto.dim.enumerated() {
            // Of the first axis 0 means "open" to some exporters, as does −1.
            if case .dimValue(let size)? = dim.value, size >= (axis == 0 ? 1 : 0) {
                let (product, overflow) = elements.multipliedReportingOverflow(by: Int(size))
                guard size <= TensorReader.axisLimit, !overflow, product <= 1 << 40 else {
                    throw SpikeletError(
                        .malformedFile, "its axis \(axis) has the impossible size \(size)", remedy: "export the model again")
                }
                elements = product
                dimensions.append(Dimension(Int(size)))
                if axis == 0, proto.dim.count > 1 {
                    warnings.append(
                        "input '\(name)' has the fixed batch size \(size): every batch must have as many samples "
                            + "(leave the batch open at export to lift this)")
                }
                continue
            }
            guard axis == 0 else {
                let symbol = if case .dimParam(let text)? = dim.value { " ('\(text)')" } else { "" }
                throw SpikeletError(
                    .unsupported, "its axis \(axis)\(symbol) is open",
                    remedy: "export with fixed sizes; only the first axis, the batch, may be dynamic")
            }
            dimensions.append(.batch)
        }
        return Shape(dimensions)
    }

    /// Reads the initialisers that something needs. Each one's message is let go as soon as it is converted, so
    /// that a large model is not in memory twice.
    func readInitializers(needed: Set<String>) throws {
        var initializers: [ONNXTensorProto] = []
        swap(&initializers, &model.graph.initializer)
        if let sparse = model.graph.sparseInitializer.first(where: { needed.contains($0.values.name) }) {
            throw SpikeletError(.unsupported, "tensor '\(sparse.values.name)' is stored sparse", remedy: "export the weights dense")
        }
        for index in initializers.indices {
            let proto = initializers[index]
            initializers[index] = ONNXTensorProto()
            guard needed.contains(proto.name) else { continue }
            guard values[proto.name] == nil else {
                throw SpikeletError(.invalidModel, "tensor '\(proto.name)' is defined twice", remedy: "export the model again")
            }
            let place = index < weights.count ? weights[index] : nil
            let constant = Value.constant(name: proto.name, try reader.read(proto, at: place, named: proto.name))
            builder.setIntegerType(proto.dataType, of: constant)
            values[proto.name] = constant
        }
        builder.budget.grow(by: reader.externalBytes)
    }
}
