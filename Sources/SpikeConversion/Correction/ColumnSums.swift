import CDense

/// First and second moments of columns x that a layer reads, and of what its outputs lack, r. Sums: those of other columns can be added.
package struct ColumnSums: Sendable {
    let inputs: Int
    let outputs: Int
    private(set) var count = 0
    private var x: [Double]
    private var r: [Double]
    /// Σ x xᵀ, `[inputs, inputs]`; Σ r xᵀ, `[outputs, inputs]`; Σ rᵀ r.
    private var xx: [Double]
    private var rx: [Double]
    private var rr = 0.0

    /// Nothing yet of columns of so many numbers, and of so many outputs.
    package init(inputs: Int, outputs: Int) {
        (self.inputs, self.outputs) = (inputs, outputs)
        (x, r) = ([Double](repeating: 0, count: inputs), [Double](repeating: 0, count: outputs))
        (xx, rx) = ([Double](repeating: 0, count: inputs * inputs), [Double](repeating: 0, count: outputs * inputs))
    }

    /// Takes in columns.
    ///
    /// - Parameters:
    ///   - columns: `[n, inputs]`
    ///   - missing: what the outputs lack, `[n, outputs]`
    package mutating func add(_ columns: [Float], missing: [Float]) {
        let n = columns.count / max(1, inputs)
        guard n > 0 else { return }
        count += n
        func addProduct(_ sums: inout [Double], _ a: [Float], rows: Int, _ b: [Float], columns: Int) {
            var product = [Float](repeating: 0, count: rows * columns)
            spike_dense_product(1, 0, Int32(rows), Int32(columns), Int32(n), a, b, 0, &product)
            for index in product.indices { sums[index] += Double(product[index]) }
        }
        addProduct(&xx, columns, rows: inputs, columns, columns: inputs)
        addProduct(&rx, missing, rows: outputs, columns, columns: inputs)
        let ones = [Float](repeating: 1, count: n)
        addProduct(&x, ones, rows: 1, columns, columns: inputs)
        addProduct(&r, ones, rows: 1, missing, columns: outputs)
        rr += missing.reduce(0) { $0 + Double($1) * Double($1) }
    }

    /// Takes in the columns of others.
    package mutating func add(_ other: ColumnSums) {
        func add(_ a: inout [Double], _ b: [Double]) { for index in a.indices { a[index] += b[index] } }
        count += other.count
        add(&x, other.x)
        add(&r, other.r)
        add(&xx, other.xx)
        add(&rx, other.rx)
        rr += other.rr
    }

    /// What is added to weights `[outputs, inputs]` and biases.
    package struct Change {
        package var weights: [Double]
        package var biases: [Double]
    }

    /// The change that leaves least: ΔW = R X̃ᵀ (X̃ X̃ᵀ + λ tr(X̃ X̃ᵀ) / d · I)⁻¹ of the columns X̃ about their mean, and biases that make the means equal.
    ///
    /// - Returns: `nil` where the columns do not determine it.
    package func ridge(_ lambda: Double) -> Change? {
        guard count > 1 else { return nil }
        let n = Double(count)
        var (a, b) = (xx, rx)
        for i in 0..<inputs { for j in 0..<inputs { a[i * inputs + j] -= x[i] * x[j] / n } }
        for i in 0..<outputs { for j in 0..<inputs { b[i * inputs + j] -= r[i] * x[j] / n } }
        let mean = (0..<inputs).reduce(0.0) { $0 + a[$1 * inputs + $1] } / Double(inputs)
        guard mean > 0 else { return nil }
        for i in 0..<inputs { a[i * inputs + i] += lambda * mean }
        guard spike_dense_solve(Int32(inputs), Int32(outputs), &a, &b) == 0, b.allSatisfy(\.isFinite) else { return nil }
        let biases = (0..<outputs).map { i in (r[i] - (0..<inputs).reduce(0.0) { $0 + b[i * inputs + $1] * x[$1] }) / n }
        return Change(weights: b, biases: biases)
    }

    /// Σ ‖r − ΔW x − Δb‖²; without a change Σ ‖r‖².
    package func error(_ change: Change?) -> Double {
        guard let change else { return rr }
        var error = rr
        // ΔW · Σ x xᵀ
        let weights = change.weights.map { Float($0) }
        var products = [Float](repeating: 0, count: outputs * inputs)
        spike_dense_product(0, 0, Int32(outputs), Int32(inputs), Int32(inputs), weights, xx.map { Float($0) }, 0, &products)
        for i in 0..<outputs {
            let bias = change.biases[i]
            for k in i * inputs..<(i + 1) * inputs {
                error += change.weights[k] * (Double(products[k]) - 2 * rx[k] + 2 * bias * x[k - i * inputs])
            }
            error += bias * (Double(count) * bias - 2 * r[i])
        }
        return error
    }
}
