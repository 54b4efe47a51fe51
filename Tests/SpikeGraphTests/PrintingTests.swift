import SpikeGraph
import Testing

@Suite struct PrintingTests {
    private func network(stem: String = "conv1", spiking: Bool = false) throws -> Graph {
        try Graph(
            name: "small", inputs: [Graph.Input("image", float([.batch, 1, 8, 8]))], outputs: [Graph.Output("logits", value: "fc")],
            nodes: [
                Node(
                    stem, .conv(Conv(window: Window(kernel: [3, 3], strides: [2, 2], padsBegin: [1, 1], padsEnd: [1, 1]))),
                    inputs: ["image", "w", "b"]),
                spiking
                    ? Node("act", .neuron(NeuronNode(IFNode(threshold: 2, initialMembrane: 1))), inputs: [stem])
                    : Node("act", .clip(Clip(minimum: 0, maximum: 6)), inputs: [stem]),
                Node("flat", .flatten(Flatten()), inputs: ["act"]),
                Node("fc", .gemm(Gemm(transposeB: true)), inputs: ["flat", "fw"]),
            ],
            constants: [
                "w": Tensor(repeating: 0, shape: [4, 1, 3, 3]), "b": Tensor(repeating: 0, shape: [4]),
                "fw": Tensor(repeating: 0, shape: [10, 64]),
            ], spiking: spiking ? SpikingDescription(recipe: "rate-coding") : nil)
    }

    @Test func `a network prints as a table`() throws {
        #expect(
            try network().description == """
                network 'small': 4 nodes, 680 parameters
                name    operator  inputs  output        parameters  attributes
                ──────  ────────  ──────  ────────────  ──────────  ───────────────────────────
                image   Input             [N, 1, 8, 8]
                conv1   Conv      image   [N, 4, 4, 4]          40  kernel 3×3, stride 2, pad 1
                act     Clip      conv1   [N, 4, 4, 4]              minimum 0.0, maximum 6.0
                flat    Flatten   act     [N, 64]
                fc      Gemm      flat    [N, 10]              640  transposed B
                logits  Output    fc      [N, 10]

                """)
    }

    @Test func `a spiking network says how it is run`() throws {
        let text = try network(spiking: true).description
        #expect(text.hasPrefix("spiking network (rate-coding, streaming) 'small': 4 nodes, 680 parameters\n"))
        #expect(text.contains("act     IFNode    conv1   [N, 4, 4, 4]              threshold 2.0, v₀ 1.0\n"))
    }

    @Test func `tables stay within 100 columns, and cut what is longest`() throws {
        let long = "/features/" + (0..<12).map { "block.\($0)" }.joined(separator: "/") + "/conv/Conv"
        let lines = try network(stem: long).description.split(separator: "\n").dropFirst()
        #expect(lines.allSatisfy { $0.count <= 100 })
        #expect(lines.contains { $0.count == 100 })
        #expect(lines.contains { $0.contains("…") })
        #expect(lines.contains { $0.contains("680") || $0.contains("640") })
    }

    @Test func `names give way last, and keep their ends`() {
        let names = (0..<3).map { "backbone.layer\($0)." + String(repeating: "block.", count: 12) + "conv\($0)" }
        let rows = [["name", "shape"]] + names.map { [$0, String(repeating: "x", count: 40)] }
        let lines = TextTable.format(rows, names: [0]).split(separator: "\n").dropFirst(2)
        #expect(lines.allSatisfy { $0.count <= 100 && $0.hasSuffix("…") })
        for (line, name) in zip(lines, names) { #expect(line.hasPrefix(name) || line.hasPrefix("…") && line.contains(name.suffix(60))) }
        let narrow = TextTable.format(rows, names: [0], width: 40).split(separator: "\n").dropFirst(2)
        for (line, name) in zip(narrow, names) { #expect(line.count <= 40 && line.hasPrefix("…") && line.contains(name.suffix(12))) }
    }

    @Test func `cells line up on the side that is asked for`() {
        let text = TextTable.format([["a", "count"], ["long name", "1"], ["b", "20"]], rightAligned: [1])
        #expect(text == "a          count\n─────────  ─────\nlong name      1\nb             20\n")
        #expect(TextTable.format([]) == "")
        #expect(TextTable.format([["a", "b"], ["1"]]) == "a  b\n─  ─\n1\n")
    }

    @Test func `windows print what is not at its default`() {
        func text(_ window: Window) -> String { MaxPool(window: window).summary }
        #expect(text(Window(kernel: [3, 2])) == "kernel 3×2")
        #expect(text(Window(kernel: [3, 3], strides: [2, 1], dilations: [2, 2])) == "kernel 3×3, stride 2×1, dilation 2")
        #expect(
            text(Window(kernel: [3, 3], padsBegin: [1, 0], padsEnd: [1, 2], ceilMode: true)) == "kernel 3×3, pads [1, 0, 1, 2], ceil")
        #expect(text(Window(kernel: [3], padsBegin: [1], autoPad: .sameUpper)) == "kernel 3, SAME_UPPER")
    }

    @Test func `attributes print as a person would write them`() throws {
        let printed: [(SpikeGraph.Operator, String)] = [
            (.relu(Relu()), ""), (.add(Add()), ""), (.clip(Clip(minimum: 0)), "minimum 0.0"), (.softmax(Softmax()), "axis -1"),
            (.gemm(Gemm()), ""), (.gemm(Gemm(alpha: 2, beta: 0.5, transposeA: true)), "alpha 2.0, beta 0.5, transposed A"),
            (.flatten(Flatten()), ""), (.flatten(Flatten(axis: 2)), "axis 2"), (.concat(Concat(axis: 1)), "axis 1"),
            (
                .reshape(Reshape(sizes: [.fixed(constant: 0, batchFactor: 1), .same, .rest, .fixed(constant: 7, batchFactor: 0)])),
                "N, same, rest, 7"
            ),
            (.reduceMean(ReduceMean()), "axes all"), (.reduceMean(ReduceMean(axes: [2], keepsDimensions: false)), "axes [2], dropped"),
            (.batchNormalization(BatchNormalization()), ""), (.batchNormalization(BatchNormalization(epsilon: 0.5)), "epsilon 0.5"),
            (.averagePool(AveragePool(window: Window(kernel: [2]), countsPadding: true)), "kernel 2, counts padding"),
            (.conv(Conv(window: Window(kernel: [2]), groups: 3)), "kernel 2, groups 3"),
            (.voltageScaler(VoltageScaler(scale: 2)), "scale 2.0"),
            (.voltageScaler(VoltageScaler(scales: [3, 1, 2])), "scales 1.0…3.0"), (.voltageScaler(VoltageScaler(scales: [])), ""),
            (.neuron(NeuronNode(IFNode(reset: .to(0.25)))), "threshold 1.0, reset to 0.25"),
            (.voltageHook(try VoltageHook(mode: .percentile(99.9))), "mode 99.9%, momentum 0.1"),
        ]
        for (anOperator, text) in printed { #expect(anOperator.payload.summary == text, "\(anOperator.name)") }
    }
}
