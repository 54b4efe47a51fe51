import Foundation
import TestSupport
import Testing

/// The C interface, as C sees it: `Tests/CDoor/main.c`, built beside these tests.
@Suite struct DoorTests {
    @Test func `a C program uses every function`() throws {
        let folder = try TemporaryFolder()
        let bundle = Bundle.allBundles.map(\.bundleURL).first { $0.pathExtension == "xctest" }
        let process = Process()
        process.executableURL = (bundle?.deletingLastPathComponent() ?? Bundle.main.bundleURL).appendingPathComponent("CDoor")
        process.arguments = [Repository.fixture("Golden/tiny_fused.onnx"), folder.path]
        let (output, errors) = (Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        process.waitUntilExit()
        let said = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(process.terminationStatus == 0, "\(said)")
        #expect(String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self) == "ok\n")
    }

    @Test func `every function of the header is used in it`() throws {
        func text(_ path: String) throws -> String {
            try String(contentsOf: Repository.root.appendingPathComponent(path), encoding: .utf8)
        }
        let names = try text("Sources/CSpikelet/include/spikelet.h").matches(of: #/\b(spikelet_[a-z_0-9]+)\(/#).map { String($0.1) }
        #expect(names.count == 29)
        let program = try text("Tests/CDoor/main.c")
        #expect(names.filter { !program.contains("\($0)(") } == [])
    }
}
