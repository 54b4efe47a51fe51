import Foundation
import Spikelet

/// Measures the recipes on the bundled networks and prints them as tables, SpikingJelly 2.0.0's own result beside each cell.
///
/// What has been measured is kept in the JSON file after each evaluation, and not measured again.
struct RecipeTables {
    static let networks = ["cnn", "vgg", "resnet", "mobile"]
    private static let seriesSteps = [8, 16, 32, 64, 128, 256]

    /// One conversion: what it is calibrated with, and what is read of it.
    private struct Trial {
        var network: String
        var recipe: String
        var steps: Int
        /// The export: `dynamo`, or `unfused`, which still has its batch normalisations.
        var export = "dynamo"
        /// Calibration images; `nil`: none.
        var images: Int? = 512
        var test: Int
        var read: [Int]

        var key: String { "\(network) \(recipe) \(steps) \(export) \(images.map { "\($0)" } ?? "none") \(test)" }
    }

    /// What a trial gave.
    struct Outcome: Codable {
        struct Point: Codable {
            var steps: Int
            /// Shares of the samples.
            var accuracy, agreement: Double
            var spikesPerNeuron: Double
        }

        var ann: Double
        var samples: Int
        var points: [Point]

        /// Points of accuracy lost against the ANN.
        func drop(_ steps: Int) -> Double? { points.first { $0.steps == steps }.map { 100 * (ann - $0.accuracy) } }
    }

    let folder: String
    let limit: Int
    let quickLimit: Int
    let json: URL
    private var outcomes: [String: Outcome] = [:]

    /// - Parameters:
    ///   - folder: of the whole of Fashion-MNIST, IDX files.
    ///   - limit: test images.
    init(folder: String, limit: Int, json: String) throws {
        self.folder = folder
        self.limit = limit
        quickLimit = min(limit, 2000)
        self.json = URL(fileURLWithPath: json)
        if let data = try? Data(contentsOf: self.json) { outcomes = try JSONDecoder().decode([String: Outcome].self, from: data) }
    }

    private func loader(_ split: Dataset.Split, _ count: Int) throws -> DataLoader {
        try DataLoader(try Dataset(path: folder, split: split), batchSize: 100, limit: count)
    }

    /// Converts and evaluates, unless that has been done.
    private mutating func outcome(_ trial: Trial) throws -> Outcome {
        if let known = outcomes[trial.key] { return known }
        let ann = try ONNXImporter.read("Models/FashionMNIST/\(trial.network)/\(trial.network)_\(trial.export).onnx").graph
        guard let recipe = Recipe.named(trial.recipe) else { throw SpikeletError(.invalidOption, "no recipe '\(trial.recipe)'") }
        let snn = try RecipeConverter(recipe.options(trial.steps), calibration: trial.images.map { try loader(.train, $0) })(ann)
        let result = try Evaluator(snn, ann: ann, steps: trial.read, threads: 2).run(loader(.test, trial.test))
        let outcome = Outcome(
            ann: result.ann?.accuracy ?? 0, samples: result.samples,
            points: result.steps.map {
                .init(steps: $0.steps, accuracy: $0.accuracy ?? 0, agreement: $0.agreement ?? 0, spikesPerNeuron: $0.spikesPerNeuron)
            })
        outcomes[trial.key] = outcome
        try encode(outcomes).write(to: json, options: .atomic)
        FileHandle.standardError.write(Data("\(trial.key): \(outcome.points.map { outcome.drop($0.steps) ?? 0 })\n".utf8))
        return outcome
    }

    private func number(_ value: Double?, digits: Int = 2) -> String {
        value.map { String(format: "%.\(digits)f", $0).replacingOccurrences(of: "-", with: "−") } ?? "–"
    }

    private func row(_ cells: [String]) { print("| " + cells.joined(separator: " | ") + " |") }

    private func head(_ title: String, _ cells: [String]) {
        print("\n\(title)\n")
        row(cells)
        row(["---"] + cells.dropFirst().map { _ in "---:" })
    }

    mutating func run() throws {
        let peer = try Peer("Benchmarks/Results/spikingjelly-2.0.0.json")
        func cell(_ drop: Double?, _ network: String, _ steps: Int) -> String { "\(number(drop)) (\(peer.drop(network, steps)))" }
        func name(_ network: String, _ ann: Double) -> String { "\(network) (\(number(100 * ann)))" }

        head(
            "`radix`, \(limit) test images: accuracy drop, spikes per neuron. In brackets SpikingJelly at T = 4, 8, 8.",
            ["network (ANN)", "K = 4", "spikes", "K = 6", "spikes", "K = 8", "spikes"])
        for network in Self.networks {
            var cells: [String] = []
            var ann = 0.0
            for (digits, peerSteps) in [(4, 4), (6, 8), (8, 8)] {
                let found = try outcome(Trial(network: network, recipe: "radix", steps: digits, test: limit, read: [digits]))
                ann = found.ann
                cells += [cell(found.drop(digits), network, peerSteps), number(found.points.first?.spikesPerNeuron)]
            }
            row([name(network, ann)] + cells)
        }

        head(
            "`signed`, \(limit) test images, thresholds chosen for the T of the column.",
            ["network (ANN)"] + [4, 8, 16, 32].map { "T = \($0)" })
        for network in Self.networks {
            let found = try [4, 8, 16, 32].map { steps in
                try outcome(Trial(network: network, recipe: "signed", steps: steps, test: limit, read: [steps]))
            }
            row([name(network, found[0].ann)] + zip([4, 8, 16, 32], found).map { cell($1.drop($0), network, $0) })
        }

        head(
            "`calibrated`, \(quickLimit) test images, one file whose thresholds are chosen for T = 32; the first column is of a file for T = 16.",
            ["network (ANN)", "16 (file for 16)"] + Self.seriesSteps.map { "T = \($0)" })
        for network in Self.networks {
            let sixteen = try outcome(Trial(network: network, recipe: "calibrated", steps: 16, test: quickLimit, read: [8, 16]))
            let found = try outcome(Trial(network: network, recipe: "calibrated", steps: 32, test: quickLimit, read: Self.seriesSteps))
            row(
                [name(network, found.ann), cell(sixteen.drop(16), network, 16)]
                    + Self.seriesSteps.map { cell(found.drop($0), network, $0) })
        }

        head("Other recipes, \(quickLimit) test images.", ["network", "burst T = 4", "burst T = 8", "local threshold balancing T = 32"])
        for network in Self.networks {
            let cells = try [("burst", 4), ("burst", 8), ("local-threshold-balancing", 32)].map { recipe, steps in
                cell(
                    try outcome(Trial(network: network, recipe: recipe, steps: steps, test: quickLimit, read: [steps])).drop(steps),
                    network, steps)
            }
            row([network] + cells)
        }

        let counts: [Int?] = [nil, 16, 32, 64, 128, 256, 512, 1024, 2048]
        for (recipe, steps) in [("radix", 8), ("signed", 32), ("calibrated", 32)] {
            head(
                "`\(recipe)` at \(steps), accuracy drop against the number of calibration images, \(quickLimit) test images (none: the unfused exports).",
                ["network"] + counts.map { $0.map { "\($0)" } ?? "none" })
            for network in Self.networks {
                row(
                    [network]
                        + (try counts.map { images in
                            let trial = Trial(
                                network: network, recipe: recipe, steps: steps, export: images == nil ? "unfused" : "dynamo",
                                images: images,
                                test: quickLimit, read: [steps])
                            return number(try outcome(trial).drop(steps))
                        }))
            }
        }

        head(
            "The steps that an accuracy drop under 1 point takes.",
            ["network", "radix (K)", "signed", "burst", "calibrated", "SpikingJelly 2.0.0"])
        for network in Self.networks {
            var cells: [String] = []
            for (recipe, ladder) in [
                ("radix", [2, 3, 4, 6]), ("signed", [4, 8, 16, 32]), ("burst", [2, 4, 8, 16]), ("calibrated", [8, 16, 32, 64]),
            ] {
                var needed: Int?
                for steps in ladder where needed == nil {
                    let test = recipe == "burst" || recipe == "calibrated" || steps <= 3 ? quickLimit : limit
                    let isInFile = recipe == "calibrated" && steps == 64
                    let trial = Trial(
                        network: network, recipe: recipe, steps: isInFile ? 32 : steps, test: test,
                        read: recipe == "calibrated" ? [8, 16] : [steps])
                    if let drop = try outcome(trial).drop(steps), drop < 1 { needed = steps }
                }
                cells.append(needed.map { "\($0)" } ?? "more")
            }
            row([network] + cells + [peer.stepsToDrop(network)])
        }
    }
}

/// SpikingJelly's own results, as `Tools/Peers/measure_spikingjelly2.py` wrote them.
private struct Peer {
    private let networks: [String: [String: Any]]

    init(_ path: String) throws {
        let all = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: path))) as? [String: Any]
        networks = all?["networks"] as? [String: [String: Any]] ?? [:]
    }

    /// The drop of its best option after so many steps.
    func drop(_ network: String, _ steps: Int) -> String {
        guard let result = networks[network], let ann = result["annAccuracy"] as? Double, let best = result["best"] as? [[String: Any]],
            let entry = best.first(where: { $0["steps"] as? Int == steps }), let accuracy = entry["accuracy"] as? Double
        else { return "–" }
        return String(format: "%.1f", 100 * (ann - accuracy)).replacingOccurrences(of: "-", with: "−")
    }

    func stepsToDrop(_ network: String) -> String {
        guard let result = networks[network] else { return "–" }
        guard result["convertible"] as? Bool == true else { return "not convertible" }
        return (result["stepsToDrop"] as? Int).map { "\($0)" } ?? "more than \((result["steps"] as? [Int])?.last ?? 0)"
    }
}
