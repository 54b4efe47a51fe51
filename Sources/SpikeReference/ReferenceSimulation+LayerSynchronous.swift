package import SpikeGraph

/// A value over the steps of a layer-synchronous simulation.
private enum Signal {
    /// Does not depend on spikes. It arrives in every step of a rate code, and with the last step alone of a radix code, where
    /// nothing doubles it.
    case still(Tensor)
    /// One tensor for each step.
    case steps([Tensor])
}

extension ReferenceSimulation {
    /// The layer-synchronous schedule: each node goes through all steps before the next node starts.
    func runLayers(_ inputs: [Tensor], steps count: Int, emission: Emission?, observe: Observer?, onStep: ((Int) throws -> Void)?) throws {
        batch = try graph.check(inputs: inputs)
        var signals = graph.constants.mapValues { Signal.still($0) }
        for (input, tensor) in zip(graph.inputs, inputs) { signals[input.name] = .still(tensor) }
        for node in graph.nodes where !readout.contains(node.name) {
            try Cancellation.check()
            signals[node.outputs[0]] = try run(node, signals: signals, count: count, emission: emission, observe: observe)
        }
        for index in 0..<count {
            var values: [String: Tensor] = [:]
            for name in accumulated { values[name] = signals[name].map { tensor($0, at: index, of: count) } }
            accumulate(values)
            try onStep?(index + 1)
        }
    }

    private func run(
        _ node: Node, signals: [String: Signal], count: Int, emission: Emission?, observe: Observer?
    ) throws -> Signal {
        let operands = node.inputs.compactMap { signals[$0] }
        func operand(at index: Int) -> Tensor { tensor(operands[0], at: index, of: count) }
        var results: [Tensor] = []
        if node.operator.isStateful {
            results = try advance(node, by: (0..<count).map(operand), at: TimeStep(0, of: count), emission: emission) ?? []
        } else {
            let tensors = operands.compactMap { if case .still(let tensor) = $0 { tensor } else { nil } }
            if tensors.count == operands.count {
                let result = try ReferenceExecutor.evaluate(node.operator, tensors, batch: batch)[0]
                try observe?(node, tensors, [result])
                return .still(result)
            }
            if let trace = traces[node.name] {
                let number = whole(operands[trace])
                for index in 0..<count {
                    let spikes = tensor(operands[1 - trace], at: index, of: count)
                    let factors = trace == 0 ? [number, spikes] : [spikes, number]
                    results.append(try ReferenceExecutor.evaluate(node.operator, factors, batch: batch)[0])
                }
            } else if graph.actsOnWholeValues(node) {
                let whole = operands.map(whole)
                let result = try ReferenceExecutor.evaluate(node.operator, whole, batch: batch)[0]
                try observe?(node, whole, [result])
                return .still(result)
            } else {
                let additive = Set(node.operator.payload.additiveInputs)
                for index in 0..<count {
                    let step = operands.enumerated().map { position, signal -> Tensor in
                        guard graph.constants[node.inputs[position]] != nil else { return tensor(signal, at: index, of: count) }
                        // A weight acts in every step; a bias is what a still signal is.
                        guard case .still(let constant) = signal, !additive.contains(position) else {
                            return tensor(signal, at: index, of: count)
                        }
                        return constant
                    }
                    results.append(try ReferenceExecutor.evaluate(node.operator, step, batch: batch)[0])
                }
            }
        }
        if let observe {
            for index in 0..<count {
                try observe(node, operands.map { tensor($0, at: index, of: count) }, [results[index]])
            }
        }
        return .steps(results)
    }

    /// What a signal stands for after all steps.
    private func whole(_ signal: Signal) -> Tensor {
        switch signal {
        case .still(let tensor): tensor
        case .steps(let tensors): description.code.decoded(tensors)
        }
    }

    private func tensor(_ signal: Signal, at index: Int, of count: Int) -> Tensor {
        switch signal {
        case .steps(let tensors): tensors[index]
        case .still(let tensor):
            description.code.hasConstants(inStep: index, of: count) || tensor.elementType != .float32
                ? tensor : Tensor(repeating: 0, shape: tensor.shape)
        }
    }
}

extension Graph {
    /// Whether a node reads what spikes stand for, and not spikes, where layers wait for each other: what is not linear, and was left
    /// real-valued (`allowAnalog`), and maxima of a latency code, whose neurons wait for all spikes. Its result then arrives as the input does.
    package func actsOnWholeValues(_ node: Node) -> Bool {
        guard !node.operator.isStateful else { return false }
        let linearity = linearity(of: node)
        return [.nonlinear, .activation].contains(linearity) || linearity == .maximum && spikeCode.kind == .latency
    }
}

extension SpikeCode {
    /// What the values of all steps stand for.
    package func decoded(_ steps: [Tensor]) -> Tensor {
        guard let first = steps.first, first.elementType == .float32 else { return steps.last ?? Tensor(scalar: 0) }
        let sum = steps.dropFirst().reduce(first) { $0.scaledSum(growth, $1) }
        let divisor = divisor(after: steps.count)
        return divisor == 1 ? sum : sum.map { $0 / divisor }
    }
}
