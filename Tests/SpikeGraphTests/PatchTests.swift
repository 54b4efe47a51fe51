import SpikeGraph
import TestSupport
import Testing

@Suite struct PatchTests {
    /// x → conv (w, b) → norm (scale … variance) → relu → shown twice.
    private func network() throws -> Graph {
        let weights = Tensor([1, 2, 3, 4] as [Float], shape: [2, 2, 1])
        let vector = Tensor([1, 2] as [Float], shape: [2])
        return try Graph(
            name: "net", inputs: [Graph.Input("x", float([.batch, 2, 3]))],
            outputs: [Graph.Output("y", value: "relu"), Graph.Output("again", value: "relu"), Graph.Output("early", value: "conv")],
            nodes: [
                Node("conv", .conv(Conv(window: Window(kernel: [1]))), inputs: ["x", "w", "b"]),
                Node("norm", .batchNormalization(BatchNormalization()), inputs: ["conv", "scale", "bias", "mean", "variance"]),
                Node("relu", .relu(Relu()), inputs: ["norm"]),
                Node("side", .sigmoid(Sigmoid()), inputs: ["relu"]),
            ], constants: ["w": weights, "b": vector, "scale": vector, "bias": vector, "mean": vector, "variance": vector],
            origin: ["producer": "test"], spiking: SpikingDescription(recipe: "before"))
    }

    private func node(_ name: String) throws -> Node { try #require(try network().node(named: name)) }

    @Test func `an empty patch changes nothing`() throws {
        let (graph, patched) = (try network(), try network().applying(Patch()))
        #expect(Patch().isEmpty)
        #expect((patched.nodes, patched.outputs, patched.constants) == (graph.nodes, graph.outputs, graph.constants))
        #expect((patched.name, patched.origin, patched.spiking) == (graph.name, graph.origin, graph.spiking))
    }

    @Test func `each change makes a patch that is not empty`() throws {
        let node = try node("relu")
        let changes: [(inout Patch) -> Void] = [
            { $0.remove(node) }, { $0.replace(node) }, { $0.insert(node) }, { $0.setConstant("w", Tensor(scalar: 1)) },
            { $0.redirect("relu", to: "norm") },
        ]
        for change in changes {
            var patch = Patch()
            change(&patch)
            #expect(!patch.isEmpty)
        }
    }

    @Test func `removing a node drops the constants that it alone read`() throws {
        var patch = Patch()
        patch.remove(try node("norm"))
        patch.redirect("norm", to: "conv")
        let graph = try network().applying(patch)
        #expect(graph.nodes.map(\.name) == ["conv", "relu", "side"])
        #expect(graph.node(named: "relu")?.inputs == ["conv"])
        #expect(graph.constants.keys.sorted() == ["b", "w"])
    }

    @Test func `what still reads a removed node is an illegal edit`() throws {
        var patch = Patch()
        patch.remove(try node("norm"))
        expectError(.illegalGraph, "node 'relu' reads 'norm'") { _ = try network().applying(patch) }
    }

    @Test func `a replaced node stands where the old one stood and reads what it says`() throws {
        var changed = try node("conv")
        changed.inputs = ["x", "w"]
        var patch = Patch()
        patch.replace(changed)
        patch.redirect("x", to: "elsewhere")
        let graph = try network().applying(patch)
        #expect(graph.nodes.map(\.name) == ["conv", "norm", "relu", "side"])
        #expect(graph.node(named: "conv") == changed)
        #expect(graph.constants["b"] == nil)
    }

    @Test func `an inserted node reads the old value while its readers move to the new one`() throws {
        var patch = Patch()
        patch.insert(Node("hook", .voltageHook(try VoltageHook()), inputs: ["relu"]))
        patch.redirect("relu", to: "hook")
        let graph = try network().applying(patch, spiking: SpikingDescription(recipe: "after"))
        #expect(graph.node(named: "hook")?.inputs == ["relu"])
        #expect(graph.node(named: "side")?.inputs == ["hook"])
        #expect(graph.outputs.map(\.value) == ["hook", "hook", "conv"])
        #expect(graph.outputs.map(\.name) == ["y", "again", "early"])
        #expect(graph.spiking?.recipe == "after")
    }

    @Test func `redirections follow each other to the end, in any order`() throws {
        for order in [[("norm", "conv"), ("relu", "norm"), ("side", "relu")], [("side", "relu"), ("relu", "norm"), ("norm", "conv")]] {
            var patch = Patch()
            for name in ["norm", "relu", "side"] { patch.remove(try node(name)) }
            for (value, other) in order { patch.redirect(value, to: other) }
            let graph = try network().applying(patch)
            #expect(graph.nodes.map(\.name) == ["conv"])
            #expect(graph.outputs.map(\.value) == ["conv", "conv", "conv"])
        }
    }

    @Test func `redirections in a circle are an illegal edit`() throws {
        var patch = Patch()
        patch.redirect("norm", to: "relu")
        patch.redirect("relu", to: "side")
        patch.redirect("side", to: "norm")
        expectError(.illegalGraph, "circle") { _ = try network().applying(patch) }
        var own = Patch()
        own.redirect("relu", to: "relu")
        expectError(.illegalGraph, "circle") { _ = try network().applying(own) }
    }

    @Test func `a later redirection of one value counts`() throws {
        var patch = Patch()
        patch.redirect("relu", to: "norm")
        patch.redirect("relu", to: "conv")
        #expect(try network().applying(patch).outputs.map(\.value) == ["conv", "conv", "conv"])
    }

    @Test func `a redirection may lead to a constant or an input`() throws {
        var patch = Patch()
        patch.remove(try node("conv"))
        patch.redirect("conv", to: "x")
        patch.setConstant("six", Tensor(repeating: 6, shape: [1, 2, 3]))
        patch.redirect("relu", to: "six")
        let graph = try network().applying(patch)
        #expect(graph.node(named: "norm")?.inputs.first == "x")
        #expect(graph.outputs.map(\.value) == ["six", "six", "x"])
        #expect(graph.types["side"] == ValueType(.float32, [1, 2, 3]))
    }

    @Test func `constants are added and replaced, and dropped where nothing reads them`() throws {
        var patch = Patch()
        patch.setConstant("b", Tensor([7, 8] as [Float], shape: [2]))
        patch.setConstant("unread", Tensor(scalar: 1))
        let graph = try network().applying(patch)
        #expect(graph.constants["b"]?.floats == [7, 8])
        #expect(graph.constants["unread"] == nil)
        var wrong = Patch()
        wrong.setConstant("b", Tensor([7] as [Float], shape: [1]))
        expectError(.illegalGraph, "node 'conv'", "bias") { _ = try network().applying(wrong) }
    }

    @Test func `nodes that are not there can be neither removed nor replaced`() throws {
        let stranger = Node("stranger", .relu(Relu()), inputs: ["x"])
        var patch = Patch()
        patch.remove(stranger)
        expectError(.illegalGraph, "stranger") { _ = try network().applying(patch) }
        patch = Patch()
        patch.replace(stranger)
        expectError(.illegalGraph, "stranger") { _ = try network().applying(patch) }
        patch = Patch()
        patch.remove(try node("side"))
        patch.replace(try node("side"))
        expectError(.illegalGraph, "both", "side") { _ = try network().applying(patch) }
    }

    @Test func `an inserted node may not take a name that is taken`() throws {
        let graph = try network()
        for name in ["relu", "x", "w"] {
            var patch = Patch()
            patch.insert(Node(name, .relu(Relu()), inputs: ["conv"]))
            expectError(.illegalGraph, "'\(name)'") { _ = try graph.applying(patch) }
            #expect(graph.freshName(name) == "\(name)_2")
            patch = Patch()
            patch.insert(Node(graph.freshName(name), .relu(Relu()), inputs: ["conv"]))
            #expect(try graph.applying(patch).freshName(name) == "\(name)_3")
        }
        #expect(graph.freshName("new") == "new")
    }
}
