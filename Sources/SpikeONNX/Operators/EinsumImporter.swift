internal import SpikeGraph

extension OperatorSpec {
    static let sumsOfProducts: [OperatorSpec] = [
        OperatorSpec("Einsum", since: 12, inputs: 1...4096, attributes: [.string("equation")]) { try [Einsum($0).result()] }
    ]
}

/// A sum of products by an equation, `bhqd,bhkd->bhqk`: transposes, reshapes, and for each operand after the first one product of matrices,
/// or of elements where nothing is summed.
private struct Einsum {
    private struct Operand {
        var value: Value
        /// An index for each axis.
        var letters: [Character]
    }

    private let node: NodeContext
    private let equation: String
    private var operands: [Operand] = []
    private var output: [Character] = []
    private var sizes: [Character: Dimension] = [:]

    init(_ node: NodeContext) throws {
        self.node = node
        equation = node.string("equation") ?? ""
        let sides = equation.filter { $0 != " " }.split(separator: "->", omittingEmptySubsequences: false).map(String.init)
        let terms = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        guard sides.count <= 2, terms.count == node.inputs.count else { throw wrong("\(node.inputs.count) inputs do not fit it") }
        var mostExtra = 0
        for (position, term) in terms.enumerated() {
            let shape = try node.type(position).shape
            let named = term.replacing("...", with: "").count
            let extra = term.contains("...") ? shape.rank - named : 0
            let letters = try letters(of: term, extra: extra)
            guard extra >= 0, letters.count == shape.rank else { throw wrong("input \(position) has the shape \(shape)") }
            guard Set(letters).count == letters.count else {
                throw SpikeletError(
                    .unsupported, "its equation '\(equation)' takes a diagonal", remedy: "write it without a letter twice in one term")
            }
            mostExtra = max(mostExtra, extra)
            for (letter, size) in zip(letters, shape.dimensions) {
                let known = sizes[letter]
                guard known == nil || known == size || letter.isExtra && (known == 1 || size == 1) else {
                    throw wrong("\(letter.isExtra ? "an axis of '...'" : "'\(letter)'") is \(known.map { "\($0)" } ?? "") and \(size)")
                }
                if known == nil || known == 1 { sizes[letter] = size }
            }
            operands.append(Operand(value: try node.input(position), letters: letters))
        }
        if sides.count == 2 {
            output = try letters(of: sides[1], extra: sides[1].contains("...") ? mostExtra : 0)
        } else {
            let counts = Dictionary(operands.flatMap(\.letters).map { ($0, 1) }, uniquingKeysWith: +)
            output = counts.keys.filter(\.isExtra).sorted() + counts.filter { $1 == 1 && !$0.isExtra }.keys.sorted()
        }
        guard Set(output).count == output.count, output.allSatisfy({ sizes[$0] != nil }) else {
            throw wrong("its result has an index that no input has, or one twice")
        }
    }

    private func wrong(_ what: String) -> SpikeletError {
        SpikeletError(.invalidModel, "its equation is '\(equation)', and \(what)", remedy: "export the model again")
    }

    /// The axes of `...` are letters of their own, counted from the last one.
    private func letters(of term: String, extra: Int) throws -> [Character] {
        let parts = term.split(separator: "...", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 2, parts.joined().allSatisfy({ $0.isASCII && $0.isLetter }) else {
            throw wrong("'\(term)' is no list of letters")
        }
        guard parts.count == 2 else { return Array(term) }
        return parts[0] + (0..<max(0, extra)).map { Character.extra(max(0, extra) - 1 - $0) } + Array(parts[1])
    }

    func result() throws -> Value {
        var result = operands[0]
        for position in operands.indices.dropFirst() {
            let later = operands[(position + 1)...].flatMap(\.letters)
            result = try product(result, operands[position], keeping: Set(output + later))
        }
        result = try summed(result, keeping: Set(output))
        return try transposed(result, to: output).value
    }

    private func product(_ left: Operand, _ right: Operand, keeping kept: Set<Character>) throws -> Operand {
        // Weights come second, as in a linear layer.
        let (first, second) = left.value.tensor != nil && right.value.tensor == nil ? (right, left) : (left, right)
        let a = try summed(first, keeping: kept.union(second.letters)), b = try summed(second, keeping: kept.union(first.letters))
        let both = a.letters.filter(b.letters.contains)
        let (batch, inner) = (both.filter(kept.contains), both.filter { !kept.contains($0) })
        let (rows, columns) = (a.letters.filter { !both.contains($0) }, b.letters.filter { !both.contains($0) })
        let letters = batch + rows + columns
        guard !inner.isEmpty else {
            let ones = (columns.map { _ in Dimension(1) }, rows.map { _ in Dimension(1) })
            let x = try reshaped(transposed(a, to: batch + rows).value, to: sizes(of: a, batch + rows) + ones.0)
            let y = try reshaped(transposed(b, to: batch + columns).value, to: sizes(of: b, batch) + ones.1 + sizes(of: b, columns))
            return Operand(value: try emit(.mul(Mul()), [x, y]), letters: letters)
        }
        try refuseBatch(inner)
        let count = try count(inner)
        // A linear layer's input keeps its axes.
        let keepsRows = batch.isEmpty && !rows.isEmpty
        let rowSizes = keepsRows ? sizes(of: a, rows) : [try self.count(rows)]
        let x = try reshaped(transposed(a, to: batch + rows + inner).value, to: sizes(of: a, batch) + rowSizes + [count])
        let y = try reshaped(transposed(b, to: batch + inner + columns).value, to: sizes(of: b, batch) + [count, self.count(columns)])
        let z = try emit(.matMul(MatMul()), [x, y])
        return Operand(value: try reshaped(z, to: letters.map { sizes[$0] ?? 1 }), letters: letters)
    }

    /// Sums over the indices that nothing else has.
    private func summed(_ operand: Operand, keeping kept: Set<Character>) throws -> Operand {
        let axes = operand.letters.indices.filter { !kept.contains(operand.letters[$0]) }
        guard !axes.isEmpty else { return operand }
        try refuseBatch(axes.map { operand.letters[$0] })
        let value = try emit(.reduce(Reduce(.sum, axes: axes, keepsDimensions: false)), [operand.value])
        return Operand(value: value, letters: operand.letters.filter(kept.contains))
    }

    private func refuseBatch(_ letters: [Character]) throws {
        guard letters.contains(where: { sizes[$0]?.known == nil }) else { return }
        throw SpikeletError(
            .unsupported, "its equation '\(equation)' sums over the batch", remedy: "samples have to be computed each by itself")
    }

    private func count(_ letters: [Character]) throws -> Dimension {
        let product = letters.reduce(Dimension?.some(1)) { product, letter in product.flatMap { $0 * (sizes[letter] ?? 1) } }
        guard let product else { throw SpikeletError(.unsupported, "its equation '\(equation)' pairs samples of the batch") }
        return product
    }

    /// Sizes of one operand's axes: where `...` stands for one of size 1, that.
    private func sizes(of operand: Operand, _ letters: [Character]) -> [Dimension] {
        let own = operand.value.type?.shape.dimensions ?? []
        return letters.map { letter in operand.letters.firstIndex(of: letter).flatMap { $0 < own.count ? own[$0] : nil } ?? 1 }
    }

    private func transposed(_ operand: Operand, to letters: [Character]) throws -> Operand {
        guard operand.letters != letters else { return operand }
        let order = letters.compactMap { operand.letters.firstIndex(of: $0) }
        return Operand(value: try emit(.transpose(Transpose(permutation: order)), [operand.value]), letters: letters)
    }

    private func reshaped(_ value: Value, to sizes: [Dimension]) throws -> Value {
        guard value.type?.shape.dimensions != sizes else { return value }
        return try emit(.reshape(Reshape(sizes: sizes.map { .fixed(constant: $0.constant, batchFactor: $0.batchFactor) })), [value])
    }

    private func emit(_ operator: Operator, _ inputs: [Value]) throws -> Value {
        try node.builder.emit(`operator`, inputs, source: node.index)
    }
}

extension Character {
    /// The k-th axis of `...`, from the last one; none of the letters that an equation may have.
    fileprivate static func extra(_ k: Int) -> Character { Character(UnicodeScalar(0xE000 + UInt32(64 - min(k, 64))) ?? "?") }

    fileprivate var isExtra: Bool { !isASCII }
}
