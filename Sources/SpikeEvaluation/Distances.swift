package import SpikeGraph

/// How far a regression's outputs are from targets and from the ANN's, sample by sample. Sums are taken at the end, in the samples'
/// order, so that they do not depend on the batches.
package struct Distances: Codable, Sendable, Equatable {
    /// [number of steps reported][sample]: the mean square, and the mean of the absolute differences, of one sample's outputs.
    package var squares: [[Double]]
    package var absolutes: [[Double]]
    /// The mean square of the differences from the ANN.
    package var fromANN: [[Double]]
    /// The ANN's own, from the targets.
    package var annSquares: [Double] = []
    package var annAbsolutes: [Double] = []
    package var targets = Spread()

    package init(columns: Int) {
        squares = Array(repeating: [], count: columns)
        absolutes = squares
        fromANN = squares
    }

    /// Takes in a batch's outputs after one number of steps.
    package mutating func judge(_ output: Tensor, _ column: Int, targets: Tensor?, ann: Tensor?) throws {
        if let targets {
            (squares[column], absolutes[column]) = try Self.differences(output, targets, what: "targets")
            if column == 0 { self.targets = Spread(targets) }
        }
        if let ann { fromANN[column] = try Self.differences(output, ann, what: "outputs of the ANN").squares }
    }

    package mutating func judgeANN(_ output: Tensor, targets: Tensor?) throws {
        guard let targets else { return }
        (annSquares, annAbsolutes) = try Self.differences(output, targets, what: "targets")
    }

    /// Each sample's mean square and mean absolute difference.
    ///
    /// - Throws: ``SpikeletError`` where the two have not as many numbers, or numbers that are not finite.
    package static func differences(_ output: Tensor, _ wanted: Tensor, what: String) throws -> (squares: [Double], absolutes: [Double]) {
        // [N] and [N, 1] are the same; axes in another order are not.
        func sizes(_ tensor: Tensor) -> [Int] { tensor.shape.prefix(1) + tensor.shape.dropFirst().filter { $0 != 1 } }
        guard wanted.elementType == .float32, sizes(output) == sizes(wanted), output.count > 0 else {
            throw SpikeletError(
                .invalidData,
                "outputs of shape \(output.shape), but \(what) \(wanted.elementType == .float32 ? "" : "\(wanted.elementType) ")of shape \(wanted.shape)",
                remedy: "give as many numbers for each sample as the network's first output has, in its order")
        }
        let (a, b, size) = (output.floats, wanted.floats, output.count / output.shape[0])
        if let found = a.first(where: { !$0.isFinite }) ?? b.first(where: { !$0.isFinite }) {
            throw SpikeletError(
                .invalidModel, "an output holds \(found)",
                remedy:
                    "look for weights that overflow, or a sample that is masked whole, and compare with the source network: spikelet run")
        }
        var (squares, absolutes): ([Double], [Double]) = ([], [])
        for sample in 0..<output.shape[0] {
            var (square, absolute) = (0.0, 0.0)
            for index in sample * size..<(sample + 1) * size {
                let difference = Double(a[index]) - Double(b[index])
                square += difference * difference
                absolute += abs(difference)
            }
            squares.append(square / Double(size))
            absolutes.append(absolute / Double(size))
        }
        return (squares, absolutes)
    }

    package mutating func add(_ other: Distances) {
        for column in squares.indices {
            squares[column] += other.squares[column]
            absolutes[column] += other.absolutes[column]
            fromANN[column] += other.fromANN[column]
        }
        annSquares += other.annSquares
        annAbsolutes += other.annAbsolutes
        targets.add(other.targets)
    }

    /// The errors after one number of steps; `nil` without targets.
    package func error(_ column: Int) -> RegressionError? { error(squares[column], absolutes[column]) }

    /// The ANN's.
    package var annError: RegressionError? { error(annSquares, annAbsolutes) }

    private func error(_ squares: [Double], _ absolutes: [Double]) -> RegressionError? {
        guard !squares.isEmpty else { return nil }
        let count = Double(squares.count)
        let square = squares.reduce(0, +) / count
        return RegressionError(
            rootMeanSquare: square.squareRoot(), meanAbsolute: absolutes.reduce(0, +) / count,
            determination: targets.variance.map { 1 - square / $0 })
    }

    /// The root mean square of the differences from the ANN; `nil` without it.
    package func deviation(_ column: Int) -> Double? {
        let squares = fromANN[column]
        return squares.isEmpty ? nil : (squares.reduce(0, +) / Double(squares.count)).squareRoot()
    }

    /// The 95 % interval of the root mean square error, or of the deviation from the ANN where there are no targets: normal, of the
    /// mean of the samples' squares.
    package func interval(_ column: Int) -> ClosedRange<Double> {
        let squares = squares[column].isEmpty ? fromANN[column] : squares[column]
        guard squares.count > 1 else { return ClosedRange(from: 0, to: squares.first?.squareRoot() ?? 0) }
        let count = Double(squares.count)
        let mean = squares.reduce(0, +) / count
        let variance = squares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
        let spread = 1.959963984540054 * (variance / count).squareRoot()
        return ClosedRange(from: max(0, mean - spread).squareRoot(), to: (mean + spread).squareRoot())
    }
}

/// How far a regression is from its targets, over all outputs.
public struct RegressionError: Codable, Sendable, Equatable {
    /// The root mean square of the distance from the targets.
    public var rootMeanSquare: Double
    /// The mean of the absolute distance from the targets.
    public var meanAbsolute: Double
    /// R²: the share of the targets' variance that is explained, each channel's about its own mean; absent where they do not vary.
    public var determination: Double?

    package init(rootMeanSquare: Double, meanAbsolute: Double, determination: Double? = nil) {
        self.rootMeanSquare = rootMeanSquare
        self.meanAbsolute = meanAbsolute
        self.determination = determination
    }
}
