import Foundation

extension String {
    /// Parameters that the library's messages name, and what they are called on the command line.
    private static let options: [String: String] = Dictionary(
        uniqueKeysWithValues: [
            "allowAnalog", "ann", "approximate", "base", "batchSize", "calibration", "check", "crop", "fuse", "grey", "input",
            "interpolation", "labels", "mean", "meanSteps", "mode", "momentum", "openAxes", "pooling", "port", "precision", "prefer",
            "readoutDelay", "recipe", "reference", "reset", "resize", "resume", "schedule", "split", "std", "steps", "targetDrop",
            "thresholds",
            "timeStep", "timeVarying", "weightCorrection",
        ].map { name in
            (name, "--" + name.map { $0.isUppercase ? "-\($0.lowercased())" : String($0) }.joined())
        } + [("reader", "--as")])

    /// A library's message for who calls the command: `batchSize: 100` in backquotes becomes --batch-size 100.
    var withOptionNames: String {
        replacing(#/`([A-Za-z]+)(?:: ([^`]*))?`/#) { match in
            guard let option = Self.options[String(match.1)] else { return String(match.0) }
            return switch match.2 {
            case nil, "true": option
            case "false": "--no-" + option.dropFirst(2)
            // Each threshold is a flag of its own.
            case let value? where match.1 == "thresholds": "--\(value)"
            case let value?: "\(option) \(value)"
            }
        }
    }
}
