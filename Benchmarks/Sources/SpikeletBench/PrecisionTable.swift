import Foundation
import Spikelet

/// Measures int8 against float32 on the bundled networks: both precisions' accuracy, how often their answers agree, the layers that stay
/// float32, and how many numbers met their bounds.
///
/// A cell is a network, a recipe and the steps it is converted for. What has been measured is kept in the JSON file after each cell, and not
/// measured again.
struct PrecisionTable {
    /// What a number of steps gave. Shares of the samples.
    struct Point: Codable {
        var steps: Int
        var float32, int8, agreement: Double

        /// Points of accuracy that int8 loses.
        var loss: Double { 100 * (float32 - int8) }
    }

    struct Cell: Codable {
        var samples: Int
        var points: [Point]
        var layers: Int
        /// By name, the reason.
        var floatLayers: [String: String]
        var saturations: UInt64
    }

    let data: String?
    let limit: Int
    let threads: Int
    let json: URL
    private var cells: [String: Cell] = [:]

    /// - Parameters:
    ///   - data: a folder of the whole of Fashion-MNIST, IDX files; `nil`: the bundled images.
    ///   - limit: test images.
    init(data: String?, limit: Int, threads: Int, json: String) throws {
        (self.data, self.limit, self.threads) = (data, limit, threads)
        self.json = URL(fileURLWithPath: json)
        if let known = try? Data(contentsOf: self.json) { cells = try JSONDecoder().decode([String: Cell].self, from: known) }
    }

    private func loader(_ split: Dataset.Split, _ count: Int) throws -> DataLoader {
        let bundled = "Models/FashionMNIST/" + (split == .train ? "train_2000.npz" : "test_1000.npz")
        return try DataLoader(try data.map { try Dataset(path: $0, split: split) } ?? Dataset(path: bundled), batchSize: 100, limit: count)
    }

    /// - Parameter read: the numbers of steps to read a streaming network at, in one run; empty: those it is converted for.
    mutating func run(networks: [String], recipes: [(name: String, steps: [Int])], read: [Int]) throws {
        print("| network | recipe | for | steps | float32 | int8 | loss | agreement | float32 layers | met bounds |")
        print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
        for network in networks {
            for recipe in recipes {
                for steps in recipe.steps {
                    let cell = try cell(network, recipe.name, steps, read: recipe.name == "radix" || read.isEmpty ? [steps] : read)
                    for point in cell.points {
                        let shares = [point.float32, point.int8].map { String(format: "%.2f", 100 * $0) }
                        let rest = [String(format: "%.2f", point.loss), String(format: "%.2f", 100 * point.agreement)]
                        let counts = ["\(cell.floatLayers.count) of \(cell.layers)", "\(cell.saturations)"]
                        print(
                            "| " + ([network, recipe.name, "\(steps)", "\(point.steps)"] + shares + rest + counts).joined(separator: " | ")
                                + " |")
                    }
                }
            }
        }
    }

    private mutating func cell(_ network: String, _ recipe: String, _ steps: Int, read: [Int]) throws -> Cell {
        let key = "\(network) \(recipe) \(steps) at \(read.map { "\($0)" }.joined(separator: ",")) on \(data ?? "bundled") \(limit)"
        if let known = cells[key] { return known }
        let ann = try ONNXImporter.read("Models/FashionMNIST/\(network)/\(network)_dynamo.onnx").graph
        guard let options = Recipe.named(recipe) else { throw SpikeletError(.invalidOption, "no recipe '\(recipe)'") }
        let snn = try RecipeConverter(options.options(steps), calibration: try loader(.train, 512))(ann)
        let streams = snn.spiking?.schedule == .streaming
        let longest = read.max() ?? steps
        // By precision and number of steps, the answer to each sample.
        var answers = Precision.allCases.map { _ in read.map { _ in [Int]() } }
        var labels: [Int] = []
        var (saturations, layers): (UInt64, Int) = (0, 0)
        var floats: [String: String] = [:]
        for (row, precision) in Precision.allCases.enumerated() {
            let simulation = try Simulation(snn, precision: precision, threads: threads)
            if streams { simulation.recording = .stepOutputs }
            if precision == .int8 {
                layers = snn.nodes.count { if case .neuron = $0.operator { true } else { false } }
                floats = Dictionary(simulation.program.floatStages.map { ($0.node, $0.reason) }, uniquingKeysWith: { first, _ in first })
            }
            var pass = try loader(.test, limit).makePass()
            while let batch = try pass.next() {
                let last = try simulation.run(batch.inputs, steps: longest)
                saturations += simulation.saturations
                let outputs = streams ? try simulation.stepOutputs() : []
                for (column, count) in read.enumerated() { answers[row][column] += Self.classes(streams ? outputs[count - 1][0] : last[0]) }
                if row == 0 { labels += batch.labels ?? [] }
            }
        }
        let points = read.enumerated().map { column, count -> Point in
            func share(_ a: [Int], _ b: [Int]) -> Double { Double(zip(a, b).count { $0 == $1 }) / Double(max(1, labels.count)) }
            let (exact, small) = (answers[0][column], answers[1][column])
            return Point(steps: count, float32: share(exact, labels), int8: share(small, labels), agreement: share(exact, small))
        }
        let cell = Cell(samples: labels.count, points: points, layers: layers, floatLayers: floats, saturations: saturations)
        cells[key] = cell
        try encode(cells).write(to: json, options: .atomic)
        return cell
    }

    private static func classes(_ output: Tensor) -> [Int] {
        let (values, classes) = (output.floats, output.count / max(1, output.shape[0]))
        return (0..<output.shape[0]).map { sample in
            (0..<classes).reduce(0) { values[sample * classes + $1] > values[sample * classes + $0] ? $1 : $0 }
        }
    }
}
