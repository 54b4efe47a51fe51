import ArgumentParser
import Spikelet

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect", abstract: "Shows a network layer by layer, and what of it can become spiking.")

    @Argument(help: "An ONNX model, or a spiking network (.safetensors).")
    var network: String

    func run() throws {
        if network.hasSuffix(".safetensors") {
            let snn = try SNNFile.read(network)
            print(snn)
            print("\(grouped(SynapseCounter(snn).denseOperations)) multiply–accumulates in one dense pass of one sample")
            for (fact, value) in (snn.spiking?.facts ?? [:]).sorted(by: { $0.key < $1.key }) { print("\(fact): \(value)") }
            for warning in snn.spiking?.warnings ?? [] { print("warning: \(warning)") }
            return
        }
        let model = try ONNXImporter.importModel(at: network)
        print(model.graph)
        print(model.report)
        print("\(grouped(SynapseCounter(model.graph).denseOperations)) multiply–accumulates for one sample")
        let convertibility = Convertibility(model.graph)
        print("\(convertibility.rectifiers.count) rectifiers become neurons")
        do {
            _ = try convertibility.check(allowAnalog: false)
            print("the network can be converted")
        } catch let error as SpikeletError {
            print("the network cannot be converted: \(error)")
        }
    }
}

/// 1234567 → 1,234,567.
func grouped(_ number: Int) -> String {
    var text = ""
    for (position, digit) in String(number).reversed().enumerated() {
        if position > 0, position % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return String(text.reversed())
}
