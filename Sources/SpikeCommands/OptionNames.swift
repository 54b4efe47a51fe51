import Foundation

extension String {
    /// Parameters that the library's messages name, and what they are called on the command line.
    private static let options: [String: String] = Dictionary(
        uniqueKeysWithValues: [
            "allowAnalog", "ann", "approximate", "batchSize", "calibration", "check", "crop", "grey", "input", "interpolation", "labels",
            "mean", "openAxes", "port", "precision", "recipe", "reference", "resize", "resume", "split", "std", "steps", "timeVarying",
        ].map { name in
            (name, "--" + name.map { $0.isUppercase ? "-\($0.lowercased())" : String($0) }.joined())
        })

    /// A library's message for who calls the command: `batchSize: 100` in backquotes becomes --batch-size 100.
    var withOptionNames: String {
        replacing(#/`([A-Za-z]+)(?:: ([^`]*))?`/#) { match in
            guard let option = Self.options[String(match.1)] else { return String(match.0) }
            return option + (match.2.map { $0 == "true" ? "" : " \($0)" } ?? "")
        }
    }
}
