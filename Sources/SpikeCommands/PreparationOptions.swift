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

    /// The data at `path`.
    func dataset(_ path: String, split: Dataset.Split? = nil, labels: String? = nil) throws -> Dataset {
        let dataset = try Dataset(path: path, split: split, images: imageTransform(), labels: labels, normalization: normalization())
        noteCautions(of: dataset)
        return dataset
    }

    /// Whether any of these options is given.
    var isGiven: Bool { mean != nil || std != nil || resize != nil || crop != nil || interpolation != nil || grey }

    private func normalization() throws -> Normalization? {
        switch (mean, std) {
        case (nil, nil): nil
        case (let mean?, let std?): try Normalization(mean: numbers(mean, "--mean"), standardDeviation: numbers(std, "--std"))
        default:
            throw SpikeletError(
                .invalidOption, "only one of --mean and --std is given", remedy: "give both, one number for each channel")
        }
    }

    /// `nil` where nothing is said about pictures.
    private func imageTransform() throws -> ImageTransform? {
        guard resize != nil || crop != nil || interpolation != nil || grey else { return nil }
        return try ImageTransform(
            resize: size(resize, "--resize") ?? (crop == nil ? .side(256) : nil),
            crop: size(crop, "--crop") ?? (resize == nil ? .side(224) : nil),
            interpolation: interpolation ?? .bilinear, isGrey: grey)
    }
}

/// The size of a picture: one number, two with an x between them, or 'none'. Without a text, `nil`.
private func size(_ text: String?, _ option: String) throws -> ImageTransform.Size?? {
    guard let text else { return nil }
    if text == "none" { return .some(nil) }
    let sides = text.split(separator: "x", omittingEmptySubsequences: false).compactMap { Int($0) }
    let isWhole = sides.count == text.count(where: { $0 == "x" }) + 1
    guard isWhole, let height = sides.first, sides.count <= 2 else {
        throw SpikeletError(
            .invalidOption, "'\(text)' in \(option) is no size", remedy: "write 224, or 192x256 for the height and the width, or none")
    }
    return .some(sides.count == 1 ? .side(height) : .exact(height: height, width: sides[1]))
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
