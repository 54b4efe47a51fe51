import Foundation
import SpikeFormats
import SpikeGraph
import SpikeReference
import TestSupport
import Testing

/// Every recipe, with every pool in every place, written for every target and read again.
///
/// What a file says is judged by neurons that reset by subtraction: after T steps they are within bounds of what the network
/// says, which follow from its weights and thresholds alone (``RateNetwork``). A reader that resets otherwise loses more; how
/// much is in the table of `Documentation/Export.md`, which `SPIKELET_UPDATE=1` measures again.
@Suite struct NIRGridTests {
    private static let images = NIRGrid.images(3, seed: 2)

    private static func outputs(_ graph: Graph, steps: Int) throws -> [Float] {
        try ReferenceSimulation(graph).run([images], steps: steps)[0].floats
    }

    /// The same file with thresholds of 1: a lower one is to make up for a hard reset.
    private static func withoutCompensation(_ graph: NIRGraph) -> NIRGraph {
        var copy = graph
        for (name, node) in graph.nodes {
            guard case .neuron(var neuron) = node.operation, let threshold = neuron.parameters["v_threshold"] else { continue }
            neuron.parameters["v_threshold"] = threshold.map { _ in 1 }
            copy.nodes[name]?.operation = .neuron(neuron)
        }
        return copy
    }

    /// Reads a file as a reader that resets by subtraction would, and compares with the network's rates.
    private static func expectRates(of snn: Graph, in export: NIRExport, _ profile: NIRProfile, _ place: String) throws {
        var rules = RateNetwork.Rules()
        if !profile.dynamics.readsMetadata { rules.spread = Float(export.steps) }
        rules.isBurstOne = profile.dynamics.isMultiSpike
        rules.dropsBiases = profile.name == "lava"
        let expected = try RateNetwork(snn, images, rules)
        let file = profile.dynamics.readsMetadata ? export.graph : withoutCompensation(export.graph)
        let dynamics = NIRDynamics(readsMetadata: profile.dynamics.readsMetadata)
        let found = try outputs(NIRImporter(dynamics)(file), steps: export.steps)
        let steps = Float(export.steps)
        let scale = expected.output.map(abs).max() ?? 1
        try #require(found.count == expected.output.count)
        for (index, value) in found.enumerated() {
            let rate = expected.output[index]
            let (least, most) = (rate - expected.below[index] / steps, rate + expected.above[index] / steps)
            let deviation = 2.5 * expected.variance[index].squareRoot() / steps
            // Read one spike a step, bursts are compared in steps of four of them: too wide for every pool.
            if !rules.isBurstOne { #expect(deviation < 0.25 * scale * 128 / steps, "\(place): nothing would be found out") }
            let rounding = 1e-4 * scale
            #expect(value >= least - rounding && value <= most + rounding, "\(place): \(value) is not in \(least)…\(most)")
            #expect((value - rate).magnitude <= deviation + rounding, "\(place): \(value), not \(rate) ± \(deviation)")
        }
    }

    @Test(arguments: NIRGrid.recipes)
    func `what a file says comes as near to the network as so many steps allow, or it is refused`(recipe: String) throws {
        // Cells whose max pools give what may be below zero, which no spike of a latency code says.
        var withoutCode: [String] = []
        for cell in NIRGrid.cells {
            let isLatency = ["latency", "two-spike"].contains(recipe)
            let snn: Graph
            do {
                snn = try NIRGrid.convert(cell, recipe)
            } catch let error as SpikeletError where isLatency && error.description.contains("what may be below zero") {
                withoutCode.append(cell.name)
                continue
            }
            // What acts on whole numbers in front of a latency code's neurons acts on no spikes.
            if isLatency, snn.nodes.contains(where: snn.actsOnWholeValues) {
                for profile in NIRProfile.all {
                    expectError(.unsupported, "of whole numbers", "by a streaming recipe") {
                        _ = try NIRExporter(profile, approximate: true)(snn)
                    }
                }
                continue
            }
            if let refusal = cell.refusal {
                for profile in NIRProfile.all {
                    expectError(.unsupported, refusal, "convert a network without it") {
                        _ = try NIRExporter(profile, approximate: true)(snn)
                    }
                }
                continue
            }
            let generic = try NIRExporter(.generic, approximate: true, steps: 128)(snn)
            try Self.expectRates(of: snn, in: generic, .generic, "\(recipe), \(cell), generic")
            let own = try NIRExporter(.spikelet, approximate: true, steps: 128)(snn)
            // Where places lie side by side among the channels, sums are made in another order, and the export says so.
            let isReordered = cell.group == "moved" && own.notes.contains { $0.hasPrefix("rounded in another order") }
            if own.approximations.isEmpty, isReordered {
                try Self.expectRates(of: snn, in: own, .spikelet, "\(recipe), \(cell), spikelet")
            } else if own.approximations.isEmpty {
                // Nothing is replaced: the same spikes, to the bit.
                let steps = snn.spiking?.steps ?? 32
                #expect(
                    try Self.outputs(NIRImporter(NIRProfile.spikelet.dynamics)(own.graph), steps: steps) == Self.outputs(snn, steps: steps),
                    "\(recipe), \(cell)")
            } else {
                try Self.expectRates(of: snn, in: own, .spikelet, "\(recipe), \(cell), spikelet")
                expectError(.unsupported, "`approximate: true`") { _ = try NIRExporter(.spikelet)(snn) }
            }
            // The same files but for what their readers do.
            let spinnaker = try NIRExporter(.spinnaker2, approximate: true, steps: 128)(snn).graph
            #expect(spinnaker.nodes == generic.graph.nodes && Set(spinnaker.edges) == Set(generic.graph.edges))
            let sinabs = try NIRExporter(.sinabs, approximate: true, steps: 128)(snn)
            if recipe != "burst" { #expect(sinabs.graph.nodes == generic.graph.nodes) }
            // How layers are written depends on the target, and not on the recipe.
            guard ["calibrated", "burst"].contains(recipe) else { continue }
            for profile in [NIRProfile.sinabs, .norse, .snntorch, .lava] {
                let export = try NIRExporter(profile, approximate: true, steps: 64)(snn)
                try Self.expectRates(of: snn, in: export, profile, "\(recipe), \(cell), \(profile.name)")
            }
        }
        #expect(withoutCode.count <= 4, "\(withoutCode)")
    }

    // MARK: The table

    private static let document = Repository.root.appendingPathComponent("Documentation/Export.md")

    /// RMS difference of the outputs over the deviation of the outputs that there should be.
    private static func distance(_ found: [Float], _ expected: [Float]) -> Double {
        let mean = expected.reduce(0, +) / Float(expected.count)
        let error = zip(found, expected).reduce(0.0) { $0 + Double(($1.0 - $1.1) * ($1.0 - $1.1)) }
        return (error / expected.reduce(0.0) { $0 + Double(($1 - mean) * ($1 - mean)) }).squareRoot()
    }

    /// As Markdown: for each recipe and kind of pool, the worst of its networks, as each target's reader runs it.
    private static func table(steps: Int) throws -> String {
        let groups = NIRGrid.cells.filter { $0.refusal == nil }.map(\.group)
        let order = groups.enumerated().filter { groups.firstIndex(of: $1) == $0 }.map(\.element)
        var lines = [
            "| recipe | pools | " + NIRProfile.all.map(\.name).joined(separator: " | ") + " |",
            "| --- | --- |" + String(repeating: " --- |", count: NIRProfile.all.count),
        ]
        for recipe in NIRGrid.recipes where !["latency", "two-spike"].contains(recipe) {
            for group in order {
                var worst = [Double](repeating: 0, count: NIRProfile.all.count)
                for cell in NIRGrid.cells where cell.group == group && cell.refusal == nil {
                    let snn = try NIRGrid.convert(cell, recipe)
                    let isLayered = snn.spiking?.schedule == .layerSynchronous
                    let expected = try outputs(snn, steps: isLayered ? snn.spiking?.steps ?? steps : steps)
                    for (column, profile) in NIRProfile.all.enumerated() {
                        let export = try NIRExporter(profile, approximate: true, steps: steps)(snn)
                        let found = try outputs(NIRImporter(profile.dynamics)(export.graph), steps: steps)
                        worst[column] = max(worst[column], distance(found, expected))
                    }
                }
                let cells = worst.map { $0 == 0 ? "0" : String(format: "%.1f", 100 * $0) }
                lines.append("| \(recipe) | \(group) | " + cells.joined(separator: " | ") + " |")
            }
        }
        return lines.joined(separator: "\n")
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["SPIKELET_UPDATE"] != nil))
    func `the documentation's table is measured`() throws {
        let (begin, end) = ("<!-- nir-grid -->\n", "\n<!-- nir-grid end -->")
        let text = try String(contentsOf: Self.document, encoding: .utf8)
        let before = try #require(text.components(separatedBy: begin).first)
        let after = try #require(text.components(separatedBy: end).last)
        let table = try Self.table(steps: 128)
        try (before + begin + table + end + after).write(to: Self.document, atomically: true, encoding: .utf8)
    }
}
