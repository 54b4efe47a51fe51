import Foundation

/// What the command line says: a table, and its options.
struct Arguments {
    /// A command line that cannot be understood.
    struct Mistake: Error {
        var text: String
    }

    static let usage = """
        usage: spikelet-bench precisions [--networks NAME,…] [--recipes NAME,…] [--steps T,…] [--digits K,…] [--read T,…]
                                  [--data FOLDER] [--limit N] [--threads N] [--json FILE]

        precisions   int8 beside float32 on the bundled networks: accuracy, agreement, layers that stay float32

        Call it from the repository's folder. What has been measured is kept in FILE and not measured again; Benchmarks/README.md says more.
        """

    private static let options = [
        "precisions": ["networks", "recipes", "steps", "digits", "read", "data", "limit", "threads", "json"]
    ]

    let table: String
    private var values: [String: String] = [:]

    /// - Returns: `nil` where help is asked for.
    init?(_ words: some Sequence<String>) throws(Mistake) {
        var rest = Array(words)[...]
        if rest.contains(where: { ["--help", "-h", "help"].contains($0) }) { return nil }
        guard let table = rest.popFirst() else { throw Mistake(text: "say which table") }
        self.table = table
        guard let known = Self.options[table] else { throw Mistake(text: "there is no table '\(table)'") }
        while let word = rest.popFirst() {
            let name = String(word.dropFirst(2))
            guard word.hasPrefix("--"), known.contains(name) else { throw Mistake(text: "'\(word)' is no option of \(table)") }
            guard let value = rest.popFirst(), !value.hasPrefix("--") else { throw Mistake(text: "\(word) needs a value") }
            values[name] = value
        }
    }

    func text(_ name: String) -> String? { values[name] }

    func names(_ name: String, _ usual: String) -> [String] {
        (values[name] ?? usual).split(separator: ",").map(String.init)
    }

    /// Whole numbers above 0.
    func numbers(_ name: String, _ usual: String) throws(Mistake) -> [Int] {
        var numbers: [Int] = []
        for text in names(name, usual) {
            guard let number = Int(text), number > 0 else { throw Mistake(text: "--\(name): '\(text)' is no number above 0") }
            numbers.append(number)
        }
        return numbers
    }

    func number(_ name: String, _ usual: Int) throws(Mistake) -> Int {
        let numbers = try numbers(name, "\(usual)")
        guard numbers.count == 1 else { throw Mistake(text: "--\(name) takes one number") }
        return numbers[0]
    }
}
