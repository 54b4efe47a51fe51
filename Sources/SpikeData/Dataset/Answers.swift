import SpikeGraph

/// What a dataset knows of its samples: the class of each; or what the network should give.
struct Answers {
    /// The class of each sample.
    var labels: [Int]?
    /// `[N, …]`: float32, the values of a regression; int64, the class of each place.
    var targets: Tensor?

    /// - Parameters:
    ///   - labels: `[N]` or `[N, 1]`, whole numbers; or `[N, …]`, integers: the class of each place.
    ///   - targets: `[N, …]`, numbers.
    /// - Throws: ``SpikeletError`` (`invalidData`) where they are not that, or not of so many samples.
    init(labels: NumericArray?, targets: NumericArray?, samples: Int, name: String) throws {
        if let labels, let places = try Self.classesOfPlaces(labels, samples: samples, name: name) {
            guard targets == nil else {
                throw SpikeletError(
                    .invalidData, "both labels and targets are given", at: name,
                    remedy: "keep one: labels are class numbers, targets what a regression should give")
            }
            self.targets = places
            return
        }
        self.labels = try labels.map { array in
            let classes = try Self.classes(array, samples: samples, name: name)
            try Self.check(classes, samples: samples, name: name)
            return classes
        }
        self.targets = try targets.map { try Self.values($0, samples: samples, name: name) }
    }

    /// What an archive has for each of so many samples: labels, or the values of a regression.
    ///
    /// The values are an array `targets`; or `labels` or `y`, where these hold numbers with fractions, or several of floating point a
    /// sample. What can be told by its shape is told before the array is unpacked.
    ///
    /// - Parameters:
    ///   - taken: names that mean something else.
    ///   - inputs: the inputs' shape, for messages.
    /// - Throws: ``SpikeletError`` (`invalidData`) where there are both.
    init(_ archive: NPZ, except taken: [String] = [], samples: Int, inputs: [Int] = [], name path: String) throws {
        guard let name = try Self.name(in: archive, except: taken, at: path) else {
            try self.init(labels: nil, targets: nil, samples: samples, name: path)
            return
        }
        let head = try archive.head(name)
        if let count = head.shape.first, count != samples, inputs.count > 2, inputs[1] == count {
            throw SpikeletError(
                .invalidData, "\(samples) samples, but \(count) \(name == "targets" ? name : "labels"); the inputs are \(inputs)", at: path,
                remedy:
                    "if they are [T, N, …], another input in each time step, evaluate takes them with `timeVarying: true`; else give one "
                    + "label for each sample")
        }
        if name == "targets" {
            try Self.checkTargets(head.shape, samples: samples, name: path)
        } else {
            try Self.checkLabels(head, samples: samples, name: path)
        }
        let array = try archive.array(name)
        if name == "targets" || Self.areValues(array) {
            try self.init(labels: nil, targets: array, samples: samples, name: path)
        } else {
            try self.init(labels: array, targets: nil, samples: samples, name: path)
        }
    }

    /// What an archive calls its labels or targets, if it has any.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) where there are both.
    static func name(in archive: NPZ, except taken: [String] = [], at path: String) throws -> String? {
        let names = ["labels", "y", "targets"].filter { archive.names.contains($0) && !taken.contains($0) }
        guard names.count < 2 else {
            throw SpikeletError(
                .invalidData, "it has both '\(names[0])' and '\(names[1])'", at: path,
                remedy: "keep one: labels (or y) are class numbers, targets what a regression should give")
        }
        return names.first
    }

    /// Whether what is called labels is what a regression should give: numbers with fractions, or several of floating point a sample.
    private static func areValues(_ array: NumericArray) -> Bool {
        guard array.elementType.isFloatingPoint else { return false }
        // One-hot rows, and one whole number a sample, are meant as classes.
        guard let whole = try? array.integers() else { return true }
        let isSingle = array.shape.dropFirst().reduce(1, *) == 1
        return !isSingle && !(array.shape.count == 2 && isOneHot(whole, samples: array.shape[0]))
    }

    /// Integers `[N, …]` of several places a sample as classes of these places; `nil` for one class a sample.
    private static func classesOfPlaces(_ array: NumericArray, samples: Int, name: String) throws -> Tensor? {
        guard array.shape.first == samples, array.shape.dropFirst().reduce(1, *) > 1, !array.elementType.isFloatingPoint else { return nil }
        let values = try array.integers()
        guard array.shape.count > 2 || !isOneHot(values, samples: samples) else { return nil }
        if let place = values.firstIndex(where: { $0 < 0 }) {
            throw SpikeletError(
                .invalidData, "label \(values[place]) of sample \(place / (values.count / samples)) is below 0", at: name,
                remedy: "labels count the classes from 0")
        }
        return Tensor(values, shape: array.shape)
    }

    /// Whether each row is a single 1 among zeros.
    private static func isOneHot(_ values: [Int64], samples: Int) -> Bool {
        let size = values.count / max(1, samples)
        return size > 1
            && (0..<samples).allSatisfy { sample in
                let row = values[sample * size..<(sample + 1) * size]
                return row.allSatisfy { $0 == 0 || $0 == 1 } && row.count { $0 == 1 } == 1
            }
    }

    private static func classes(_ array: NumericArray, samples: Int, name: String) throws -> [Int] {
        let labelShape = array.shape.dropFirst()
        guard !array.shape.isEmpty, labelShape.isEmpty || labelShape == [1] else {
            let isOneHot = array.shape.count == 2 && array.shape[0] == samples
            throw SpikeletError(
                .invalidData, "the labels have the shape \(array.shape), not [\(samples)]", at: name,
                remedy: isOneHot ? "save class numbers, as in labels.argmax(axis=1)" : "save one class number for each sample")
        }
        do {
            return try array.integers().map { Int($0) }
        } catch let error as SpikeletError {
            throw SpikeletError(
                .invalidData, "the labels are no class numbers: \(error.message)", at: name,
                remedy: "save the labels as integers, as in labels.astype('int64')")
        }
    }

    /// What can be told of labels by their shape.
    static func checkLabels(_ head: ArrayHead, samples: Int, name: String) throws {
        guard let count = head.shape.first else {
            throw SpikeletError(
                .invalidData, "the labels have the shape [], not [\(samples)]", at: name, remedy: "save one class number for each sample")
        }
        try checkCount(count, samples: samples, name: name)
    }

    private static func checkCount(_ labels: Int, samples: Int, name: String) throws {
        guard labels == samples else {
            throw SpikeletError(
                .invalidData, "\(samples) samples, but \(labels) labels", at: name,
                remedy: "give one label for each sample; perhaps the files belong to two datasets or splits")
        }
    }

    static func check(_ labels: [Int], samples: Int, name: String) throws {
        try checkCount(labels.count, samples: samples, name: name)
        if let place = labels.firstIndex(where: { $0 < 0 }) {
            throw SpikeletError(
                .invalidData, "label \(labels[place]) of sample \(place) is below 0", at: name,
                remedy: "labels count the classes from 0; a regression's values are an array 'targets'")
        }
    }

    private static func values(_ array: NumericArray, samples: Int, name: String) throws -> Tensor {
        try checkTargets(array.shape, samples: samples, name: name)
        let values = array.floats()
        if let place = values.firstIndex(where: { !$0.isFinite }) {
            throw SpikeletError(
                .invalidData, "the targets hold \(values[place]) at position \(place)", at: name, remedy: "targets must be finite numbers")
        }
        return Tensor(values, shape: array.shape)
    }

    /// What can be told of targets by their shape.
    static func checkTargets(_ shape: [Int], samples: Int, name: String) throws {
        guard shape.first == samples else {
            throw SpikeletError(
                .invalidData, "\(samples) samples, but targets of shape \(shape)", at: name,
                remedy: "give one row of targets for each sample: [\(samples), …]")
        }
    }
}
