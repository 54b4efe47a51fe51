internal import SpikeGraph

/// Finds the names that the user gave: those of PyTorch's modules.
enum NodeNames {
    /// What a node is called in the user's program.
    struct Origin: Hashable {
        /// The module, such as `features.3.conv`; `nil` where the exporter does not tell or the node is in no module.
        var module: String?
        /// The node itself, as the exporter names it inside the module.
        var local: String

        /// For messages.
        var label: String { module.map { "\($0) (\(local))" } ?? local }
    }

    static func origin(of node: ONNXNodeProto, index: Int) -> Origin {
        if let scopes = node.metadataProps.first(where: { $0.key == "pkg.torch.onnx.name_scopes" }) {
            let names = quoted(scopes.value)
            // The last scope is the function inside the module: 'relu_3'.
            let module = names.dropLast().last { !$0.isEmpty }
            let local = names.last.flatMap { $0.isEmpty ? nil : $0 } ?? fallback(node, index)
            return Origin(module: weightOwner(node) ?? module, local: local)
        }
        if node.name.hasPrefix("/") {
            var parts = node.name.split(separator: "/").map(String.init)
            guard let local = parts.popLast() else { return Origin(local: fallback(node, index)) }
            return Origin(module: modulePath(parts), local: local)
        }
        return Origin(local: fallback(node, index))
    }

    private static func fallback(_ node: ONNXNodeProto, _ index: Int) -> String {
        if !node.name.isEmpty { return node.name }
        guard let output = node.output.first(where: { !$0.isEmpty }) else { return "\(node.opType)_\(index)" }
        return "\(node.opType)_\(output)"
    }

    /// TorchScript repeats a module's name in front of its numbered children: `layer1/layer1.0/conv1` is `layer1.0.conv1`.
    private static func modulePath(_ parts: [String]) -> String? {
        var path: [String] = []
        for part in parts {
            if let last = path.last, part.hasPrefix(last + ".") { path.removeLast() }
            path.append(part)
        }
        return path.isEmpty ? nil : path.joined(separator: ".")
    }

    /// The module whose weights a node has. When dynamo folds a batch normalisation into the convolution before it, the
    /// scope is the normalisation's, but the weights keep their name.
    private static func weightOwner(_ node: ONNXNodeProto) -> String? {
        let suffix = ".weight"
        guard ["Conv", "ConvTranspose", "Gemm", "BatchNormalization"].contains(node.opType), node.input.count > 1,
            node.input[1].hasSuffix(suffix)
        else { return nil }
        let owner = node.input[1].dropLast(suffix.count)
        guard owner.allSatisfy({ $0.isLetter || $0.isNumber || $0 == "." || $0 == "_" }) else { return nil }
        return String(owner)
    }

    /// The texts in a Python list of texts: `['', 'conv1']`.
    private static func quoted(_ list: String) -> [String] {
        var texts: [String] = []
        var current: String?
        for character in list {
            if character == "'" || character == "\"" {
                if let text = current {
                    texts.append(text)
                    current = nil
                } else {
                    current = ""
                }
            } else {
                current?.append(character)
            }
        }
        return texts
    }

    /// A unique name for each node, the module's own where the module has one node.
    ///
    /// - Parameter taken: names of other values of the graph; the chosen names are added.
    static func choose(_ origins: [Origin], taken: inout Set<String>) -> [String] {
        var uses: [String: Int] = [:]
        var parents: Set<String> = []
        for module in origins.compactMap(\.module) {
            uses[module, default: 0] += 1
            var parent = module[...]
            while let dot = parent.lastIndex(of: "."), parents.insert(String(parent[..<dot])).inserted { parent = parent[..<dot] }
        }
        return origins.map { origin in
            guard let module = origin.module else { return unique(origin.local, &taken) }
            let isAlone = uses[module] == 1 && !parents.contains(module)
            return unique(isAlone ? module : "\(module).\(origin.local)", &taken)
        }
    }

    /// `base`, or `base_2`, ….
    static func unique(_ base: String, _ taken: inout Set<String>) -> String {
        var name = base
        var number = 2
        while !taken.insert(name).inserted {
            name = "\(base)_\(number)"
            number += 1
        }
        return name
    }
}
