package import Foundation

/// The files that the repository holds for tests and examples.
package enum Repository {
    package static let root =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    package static func fixture(_ name: String) -> String { root.appendingPathComponent("Tests/Fixtures/\(name)").path }
    package static func model(_ name: String) -> String { root.appendingPathComponent("Models/\(name)").path }
}
