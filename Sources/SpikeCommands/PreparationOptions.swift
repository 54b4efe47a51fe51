import ArgumentParser
import Spikelet

/// What is done to data before a network sees it; shared by the commands that take data.
struct PreparationOptions: ParsableArguments {
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Subtracted from each channel after scaling to 0…1; goes with --std.", valueName: "m1,m2,…"))
    var mean: String?

    @Option(
        parsing: .unconditional,
        help: ArgumentHelp("Each channel is divided by this after subtracting the mean.", valueName: "s1,s2,…"))
    var std: String?

    @Option(
        help: ArgumentHelp(
            "Pictures: the shorter side after resizing, both sides, or 'none'. (default: 256, none with --crop)", valueName: "n|HxW|none"))
    var resize: String?

    @Option(
        help: ArgumentHelp(
            "Pictures: the middle that is kept, n × n or H × W, or 'none'. (default: 224, none with --resize)", valueName: "n|HxW|none"))
    var crop: String?

    @Option(help: "Pictures: how they are resized. (default: bilinear)")
    var interpolation: Interpolation?

    @Flag(help: "Pictures: as one channel of grey instead of red, green and blue.")
    var grey = false

    /// What they ask for.
    ///
    /// - Throws: ``SpikeletError`` (`invalidOption`) for numbers that are none.
    func request() throws -> DataRequest {
        var request = DataRequest()
        request.mean = try mean.map { try numbers($0, "--mean") }
        request.std = try std.map { try numbers($0, "--std") }
        request.resize = resize
        request.crop = crop
        request.interpolation = interpolation
        request.grey = grey ? true : nil
        return request
    }

    /// The data at `path`.
    func dataset(_ path: String, split: Dataset.Split? = nil, labels: String? = nil) throws -> Dataset {
        var request = try request()
        (request.split, request.labels) = (split, labels)
        let dataset = try request.dataset(path)
        noteCautions(of: dataset)
        return dataset
    }

    /// Whether any of these options is given.
    var isGiven: Bool { mean != nil || std != nil || resize != nil || crop != nil || interpolation != nil || grey }
}

/// Comma-separated numbers.
private func numbers(_ text: String, _ option: String) throws -> [Float] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        guard let number = Float(part.trimmingPrefix(" ")) else {
            throw SpikeletError(
                .invalidOption, "'\(part)' in \(option) is not a number",
                remedy: "write numbers with commas between them, such as 0.485,0.456,0.406")
        }
        return number
    }
}
