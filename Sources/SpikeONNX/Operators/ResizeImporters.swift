internal import SpikeGraph

extension OperatorSpec {
    static let resizing: [OperatorSpec] = [
        OperatorSpec(
            "Upsample", since: 7, inputs: 1...1, attributes: [.string("mode", "nearest"), AttributeSpec.floats("scales").required]
        ) { node in
            guard case .floats(let scales)? = node.attributes["scales"] else {
                throw SpikeletError(.invalidModel, "the scales are missing")
            }
            return try resize(node, .init(scales: scales, coordinates: .asymmetric, rounding: .floor))
        },
        OperatorSpec("Upsample", since: 9, inputs: 2...2, attributes: [.string("mode", "nearest")]) {
            try resize($0, .init(scales: scales($0, 1), coordinates: .asymmetric, rounding: .floor))
        },
        OperatorSpec("Resize", since: 10, inputs: 2...2, attributes: [.string("mode", "nearest")]) {
            try resize($0, .init(scales: scales($0, 1), coordinates: .asymmetric, rounding: .floor))
        },
        OperatorSpec("Resize", since: 11, inputs: 1...4, attributes: attributes, build: resizeByInputs),
        OperatorSpec(
            "Resize", since: 18, inputs: 1...4,
            attributes: attributes + [.ints("axes"), .int("antialias", 0), .string("keep_aspect_ratio_policy", "stretch")],
            build: resizeByInputs),
    ]

    private static let attributes: [AttributeSpec] = [
        .string("mode", "nearest"), .string("coordinate_transformation_mode", "half_pixel"), .string("nearest_mode", "round_prefer_floor"),
        .float("cubic_coeff_a", -0.75), .int("exclude_outside", 0), .float("extrapolation_value", 0),
    ]

    /// What a version of the operator says of its result.
    private struct Target {
        /// For each axis of ``axes``: one of the two.
        var scales: [Float]?
        var sizes: [Dimension]?
        /// All of them where `nil`.
        var axes: [Int]?
        var coordinates: Resize.Coordinates
        var rounding: Resize.Rounding
        /// For each axis of ``axes``, where the output comes from, if not from all of it.
        var regions: [Resize.Region]?
    }

    /// The regions of interest: the starts of all axes, then their ends.
    private static func regions(_ node: NodeContext) throws -> [Resize.Region] {
        guard let tensor = node.optionalInput(1)?.tensor, case .float32(let values) = tensor.storage, values.count.isMultiple(of: 2) else {
            throw SpikeletError(.unsupported, "the region of interest (input 1) is no constant", remedy: "crop before or after resizing")
        }
        let (count, outside) = (values.count / 2, node.float("extrapolation_value") ?? 0)
        return (0..<count).map { Resize.Region(start: values[$0], end: values[count + $0], outside: outside) }
    }

    private static func scales(_ node: NodeContext, _ position: Int) throws -> [Float]? {
        guard let value = node.optionalInput(position) else { return nil }
        guard let tensor = value.tensor, case .float32(let scales) = tensor.storage else {
            throw SpikeletError(
                .unsupported, "the scales (input \(position)) are computed when the network runs; only constants are taken",
                remedy: "export the model with fixed image sizes; only the batch may stay open")
        }
        // An empty tensor is how opset 11 leaves them out.
        return scales.isEmpty ? nil : scales
    }

    @Sendable private static func resizeByInputs(_ node: NodeContext) throws -> [Value] {
        let (place, nearest) = (node.string("coordinate_transformation_mode") ?? "", node.string("nearest_mode") ?? "")
        guard let coordinates = Resize.Coordinates(rawValue: place) else {
            throw SpikeletError(.invalidModel, "coordinate_transformation_mode is '\(place)', which does not exist")
        }
        guard let rounding = Resize.Rounding(rawValue: nearest) else {
            throw SpikeletError(.invalidModel, "nearest_mode is '\(nearest)', which does not exist")
        }
        var target = Target(
            scales: try scales(node, 2), sizes: try node.sizes(3, "sizes"), axes: node.ints("axes"), coordinates: coordinates,
            rounding: rounding)
        if target.sizes?.isEmpty == true { target.sizes = nil }
        if coordinates == .cropAndResize { target.regions = try regions(node) }
        return try resize(node, target)
    }

    /// The size of a resized axis.
    private static func whole(_ product: Float, _ axis: Int, of shape: Shape, scale: Float) throws -> Int {
        guard product >= 1, product < 0x1p30 else {
            throw SpikeletError(
                .invalidModel, "axis \(axis) of \(shape) times \(scale)",
                remedy: "export the model for inputs of which a place is left there")
        }
        return Int(product)
    }

    private static func resize(_ node: NodeContext, _ target: Target) throws -> [Value] {
        let shape = try node.type(0).shape
        let name = node.string("mode") ?? "nearest"
        // Upsample called it bilinear once.
        guard let mode = Resize.Mode(rawValue: name == "bilinear" ? "linear" : name) else {
            throw SpikeletError(.invalidModel, "mode is '\(name)'; nearest, linear and cubic exist")
        }
        let axes = try (target.axes ?? Array(0..<shape.rank)).map { try Shape.axis($0, rank: shape.rank) }
        guard (target.scales == nil) != (target.sizes == nil), (target.scales?.count ?? target.sizes?.count) == axes.count else {
            throw SpikeletError(.invalidModel, "either scales or sizes are needed, one for each of \(axes.count) axes")
        }
        guard target.regions.map({ $0.count == axes.count }) ?? true else {
            throw SpikeletError(.invalidModel, "the region of interest needs two numbers for each of \(axes.count) axes")
        }
        var resized: [Resize.Axis] = []
        let common = try commonScale(node, target, axes, shape)
        for (i, axis) in axes.enumerated() {
            let region = target.regions?[i]
            let isWhole = region.map { $0.start == 0 && $0.end == 1 } ?? true
            if isWhole, target.sizes?[i] == shape[axis] && common == nil || target.scales?[i] == 1 { continue }
            guard let size = shape[axis].known, size >= 1 else {
                throw SpikeletError(.unsupported, "it resizes axis \(axis) of \(shape), the batch", remedy: "samples must stay as they are")
            }
            let (length, scale): (Int, Float)
            if let common {
                // The scale stays the common one, whatever the size is rounded to.
                (length, scale) = (try whole((common * Float(size)).rounded(), axis, of: shape, scale: common), common)
            } else if let sizes = target.sizes {
                guard let known = sizes[i].known, known >= 1, known < 1 << 30 else {
                    throw SpikeletError(.unsupported, "it resizes axis \(axis) to \(sizes[i])", remedy: "export with fixed image sizes")
                }
                (length, scale) = (known, Float(known) / Float(size))
            } else {
                scale = target.scales?[i] ?? 1
                // A region of interest has no part in it, in ONNX Runtime as in ONNX's reference.
                length = try whole(scale * Float(size), axis, of: shape, scale: scale)
            }
            resized.append(Resize.Axis(axis: axis, size: length, scale: scale, region: region))
        }
        if resized.isEmpty { return node.pass(try node.input(0), because: "removed: a Resize that changes nothing") }
        return try node.emit(
            .resize(
                Resize(
                    axes: resized, mode: mode, coordinates: target.coordinates, rounding: target.rounding,
                    cubicCoefficient: node.float("cubic_coeff_a") ?? -0.75, excludesOutside: node.flag("exclude_outside"),
                    antialiases: node.flag("antialias"))), [node.input(0)])
    }

    /// The one scale that keeps the aspect ratio, where it is to be kept.
    private static func commonScale(_ node: NodeContext, _ target: Target, _ axes: [Int], _ shape: Shape) throws -> Float? {
        let policy = node.string("keep_aspect_ratio_policy") ?? "stretch"
        guard policy != "stretch", let sizes = target.sizes else { return nil }
        let ratios = try zip(axes, sizes).map { axis, size -> Float in
            guard let size = size.known, let input = shape[axis].known, size >= 1, size < 1 << 30, input >= 1 else {
                throw SpikeletError(.unsupported, "it keeps the aspect ratio of axes that are open")
            }
            return Float(size) / Float(input)
        }
        switch policy {
        case "not_larger": return ratios.min()
        case "not_smaller": return ratios.max()
        default: throw SpikeletError(.invalidModel, "keep_aspect_ratio_policy is '\(policy)', which does not exist")
        }
    }
}
