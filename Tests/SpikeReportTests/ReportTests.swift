import Foundation
import SpikeConversion
import SpikeData
import SpikeCost
import SpikeEvaluation
import SpikeAnalysis
import SpikeGraph
import SpikeONNX
import SpikeReport
import TestSupport
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

@Suite("The report")
struct ReportTests {
    /// A bundled network by one recipe, measured on some images.
    private static func measured(_ recipe: Recipe, steps: Int) throws -> (result: EvaluationResult, snn: Graph) {
        let ann = try ONNXImporter.read(Repository.model("FashionMNIST/cnn/cnn_dynamo.onnx")).graph
        let calibration = try DataLoader(Dataset(path: Repository.model("FashionMNIST/train_2000.npz")), limit: 32)
        let test = try DataLoader(Dataset(path: Repository.model("FashionMNIST/test_1000.npz")), limit: 40)
        let snn = try RecipeConverter(recipe.options(steps), calibration: calibration)(ann)
        var result = try Evaluator(snn, ann: ann, steps: [1, 2, 4, steps]).run(test)
        for error in try ErrorDecomposition(snn, ann: ann, steps: steps, limit: 8).run(test) {
            guard let index = result.layers.firstIndex(where: { $0.name == error.name }) else { continue }
            result.layers[index].error = error
        }
        var pass = test.makePass()
        let batch = try #require(try pass.next())
        result.activity = try ActivityTrace.record(snn, ann: ann, inputs: batch.inputs.map { $0.samples(0..<3) }, steps: steps)
        return (result, snn)
    }

    /// The page read as XML: element names, and the attributes of each.
    private final class Reader: NSObject, XMLParserDelegate {
        var elements: [(name: String, attributes: [String: String])] = []
        var text = ""

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
            attributes: [String: String] = [:]
        ) {
            elements.append((name, attributes))
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }
    }

    private func read(_ html: String) throws -> Reader {
        let reader = Reader()
        let parser = XMLParser(data: Data(html.replacingOccurrences(of: "<!DOCTYPE html>", with: "").utf8))
        parser.delegate = reader
        #expect(parser.parse(), "\(parser.parserError as Any) in line \(parser.lineNumber)")
        return reader
    }

    @Test func `classes and values side by side have a drawing each`() throws {
        let (classes, _) = try Self.measured(.radix, steps: 4)
        var values = classes
        values.judgedBy = "values (10 a sample): the data have targets"
        for index in values.steps.indices {
            (values.steps[index].accuracy, values.steps[index].agreement) = (nil, nil)
            values.steps[index].error = .init(rootMeanSquare: 0.25, meanAbsolute: 0.125)
            values.steps[index].confidence95 = 0.125...0.5
        }
        let page = try read(Report([classes, values]).html)
        let titles = ["Accuracy after each step", "Error after so many steps"]
        for title in titles { #expect(page.text.contains(title), "\(title)") }
        #expect(page.text.contains("is judged by: values (10 a sample)") && page.text.contains("judged by different measures"))
        let alone = try read(Report([values]).html)
        #expect(!alone.text.contains(titles[0]) && alone.text.contains(titles[1]))
    }

    @Test func `a page is well formed, needs nothing from outside, and says in text what it draws`() throws {
        for (recipe, steps) in [(Recipe.calibrated, 8), (.radix, 4), (.signed, 8)] {
            let (result, _) = try Self.measured(recipe, steps: steps)
            let page = try read(Report([result]).html)
            let drawings = page.elements.filter { $0.name == "svg" }
            // Accuracy twice, energy, operations, errors, spikes, correlation, the sample, density, two of confusion; of three layers
            // scatter, thresholds, raster and rate maps.
            #expect(drawings.count >= 11 + 3 * 4, "\(recipe.name): \(drawings.count) drawings")
            #expect(drawings.allSatisfy { $0.attributes["role"] == "img" && $0.attributes["aria-label"]?.isEmpty == false })
            #expect(!page.elements.contains { ["script", "link", "img", "iframe"].contains($0.name) })
            // Links lead to places of the page itself, which are there.
            let links = page.elements.compactMap { $0.attributes["href"] }
            let places = Set(page.elements.compactMap { $0.attributes["id"] })
            #expect(links.count >= 5 && links.allSatisfy { $0.first == "#" && places.contains(String($0.dropFirst())) })
            #expect(!page.elements.contains { $0.attributes["src"] != nil })
            let numbers = page.elements.flatMap {
                $0.attributes.filter { ["x", "y", "cx", "cy", "x1", "y1", "x2", "y2", "d", "width", "height"].contains($0.key) }.values
            }
            #expect(!numbers.contains { $0.contains("nan") || $0.contains("inf") || $0.contains("e-") })
            for step in result.steps { #expect(page.text.contains("\(step.steps)")) }
            // Layers have the names of the ANN's modules.
            for (index, layer) in result.layers.enumerated() {
                #expect(layer.label == "relu\(index + 1)" && page.text.contains("relu\(index + 1)"))
            }
            #expect(!page.text.contains("snn tailor"))
            for energy in try #require(result.energies) { #expect(page.text.contains(energy.source)) }
        }
    }

    @Test func `what is drawn of a sample is what the simulation did`() throws {
        let (result, snn) = try Self.measured(.calibrated, steps: 8)
        let trace = try #require(result.activity)
        #expect(trace.layers.map(\.name) == result.layers.map(\.name))
        for layer in trace.layers {
            #expect(layer.density.count == 8 && layer.spikes.allSatisfy { $0.count == 8 })
            #expect(layer.spikes.joined().allSatisfy { $0 == 0 || $0 == 1 })
            #expect(layer.membranes.allSatisfy { $0.count == 8 })
            #expect(layer.activations.count == layer.decoded.count && layer.activations.count >= 32)
            // Decoded spikes follow activations.
            #expect(try #require(layer.correlation) > 0.8, "\(layer.name)")
        }
        #expect(trace.imageShape == [1, 28, 28] && trace.image.count == 784)
        #expect(snn.spiking?.recipe == "calibrated")
    }

    @Test func `under int8 the page names the layers that stay float32, and numbers that met their bounds`() throws {
        var (result, _) = try Self.measured(.radix, steps: 4)
        result.precision = "int8"
        result.floatLayers = [.init(name: result.layers[1].name, reason: "too fine for it")]
        result.saturations = 3
        result.activity?.precision = "int8"
        let text = try read(Report([result]).html).text
        for part in ["relu2 (float32)", "float32 in spite of int8: relu2 (too fine for it)", "3 currents or membranes met the bounds"] {
            #expect(text.contains(part), "\(part)")
        }
        #expect(!text.contains("relu1 (float32)") && !text.contains("by the reference executor"))
        #expect(text.contains("What int8's rounding changes is part of the unevenness error"))
    }

    @Test func `a regression shows its error over steps`() throws {
        var (result, _) = try Self.measured(.radix, steps: 4)
        result.confusion = nil
        result.annConfusion = nil
        result.stepsToANN = nil
        result.ann = .init(error: .init(rootMeanSquare: 0.125, meanAbsolute: 0.1))
        for index in result.steps.indices {
            result.steps[index].accuracy = nil
            result.steps[index].agreement = nil
            result.steps[index].error = .init(rootMeanSquare: 0.375, meanAbsolute: 0.25, determination: 0.5)
            result.steps[index].deviation = 0.0625
            result.steps[index].confidence95 = 0.25...0.5
        }
        let page = try read(Report([result]).html)
        for text in ["0.375", "0.125", "RMS error"] { #expect(page.text.contains(text), "\(text)") }
        #expect(page.elements.contains { $0.attributes["aria-label"]?.contains("error over time steps") == true })
        #expect(!page.text.contains("0.00 %"))
    }

    @Test func `confusion counts every sample once, the right answers on the diagonal`() throws {
        let (result, _) = try Self.measured(.radix, steps: 4)
        let confusion = try #require(result.confusion)
        #expect(confusion.joined().reduce(0, +) == result.samples)
        let right = confusion.indices.reduce(0) { $0 + confusion[$1][$1] }
        #expect(Double(right) / Double(result.samples) == result.steps.last?.accuracy)
    }

    @Test func `several results stand side by side, and names cannot break the page`() throws {
        var (first, _) = try Self.measured(.radix, steps: 4)
        first.network = "a<b> & \"c\""
        first.warnings = ["layer <x> is dead"]
        var second = first
        second.recipe = "other"
        second.ann = nil
        second.confusion = nil
        second.activity = nil
        let page = try read(Report([first, second]).html)
        #expect(page.text.contains("a<b> & \"c\"") && page.text.contains("layer <x> is dead") && page.text.contains("other"))
        // What neurons do is drawn of the one that knows it, and it is said whose they are.
        #expect(page.text.contains("Of \(Comparison([first, second]).names[0])."))
        first.activity = nil
        let still = try read(Report([first, second]).html)
        #expect(!still.text.contains("What do the neurons do?"))
    }

    @Test func `what the page says of layers stands in the terminal's text and in the JSON`() throws {
        let (result, _) = try Self.measured(.calibrated, steps: 8)
        let (text, counts) = (result.description, try #require(result.counts))
        func row(_ table: String, _ layer: String) throws -> [Substring] {
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            let start = try #require(lines.firstIndex { $0.hasPrefix(table) })
            let line = try #require(lines[start...].first { $0.hasPrefix(layer + " ") })
            return line.split(separator: "  ")
        }
        for layer in counts.layers {
            let cells = try row("operations by layer", layer.name).map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(cells[1] == TextTable.magnitude(Double(layer.dense)))
            if layer.readsSpikes { #expect(cells[3] == TextTable.magnitude(layer.accumulates.reduce(0, +))) }
        }
        for (index, layer) in result.layers.enumerated() {
            let cells = try row("activity by layer", "relu\(index + 1)").map { $0.trimmingCharacters(in: .whitespaces) }
            #expect(cells[1] == "\(layer.neurons)" && cells[2] == String(format: "%.3f", layer.spikesPerNeuron))
            let correlation = try #require(result.activity?.layers[index].correlation)
            #expect(cells.count == 9 && cells[8] == String(format: "%.4f", correlation))
        }
        #expect(text.split(separator: "\n").allSatisfy { $0.count <= 100 })
        let data = try JSONEncoder().encode(result)
        #expect(try JSONDecoder().decode(EvaluationResult.self, from: data) == result)
    }

    @Test func `of very many layers a table shows those that take most`() throws {
        var (result, _) = try Self.measured(.radix, steps: 4)
        let layer = try #require(result.counts?.layers.last)
        result.counts?.layers += (0..<60).map { index in
            var copy = layer
            copy.name = "extra\(index)"
            copy.accumulates = [Double(index)]
            return copy
        }
        let text = result.description
        #expect(text.contains("extra59") && !text.contains("extra3 ") && text.contains("layers with the least operations are left out"))
    }
}
