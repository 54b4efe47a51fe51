import Foundation
import SpikeData
import SpikeGraph
import SpikeONNX
import SwiftProtobuf
import TestSupport
import Testing

/// Real models, changed field by field and byte by byte: each ends in a network or in an error of ours, within a second.
///
/// Ten seconds of it in every test run, always from the same seed. `make fuzz` runs ten minutes, from a seed of its own, measures
/// memory too (on Linux), and leaves the last case in the temporary folder: what crashed then belongs into `Tests/Fixtures/Fuzz`.
/// So do the cases that took too long or too much, which it names.
@Suite(.serialized) struct FuzzTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let seconds = environment["SPIKELET_FUZZ_SECONDS"].flatMap(Double.init)
    private static let seed = environment["SPIKELET_FUZZ_SEED"].flatMap(UInt64.init) ?? 1

    /// An import may take a second of processor time, and so much memory for a file of so many bytes.
    private static let secondsLimit = 1.0
    private static func memoryLimit(_ size: Int) -> Int { 192 << 20 + 48 * size }

    /// Imports bytes.
    ///
    /// - Returns: the processor time it took, in seconds. (On the wall clock other programs count too.)
    private func time(_ data: Data) throws -> Double {
        func now() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        let start = now()
        do {
            _ = try ONNXImporter.importModel(data, fileName: "model.onnx", folder: FileManager.default.temporaryDirectory)
        } catch is SpikeletError {}
        return now() - start
    }

    /// The memory of this program in bytes, now or at most since ``forgetPeak()``; `nil` where the system does not say.
    private func memory(_ key: String) -> Int? {
        guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix(key) })
        else { return nil }
        return line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }.map { $0 * 1024 }
    }

    private func forgetPeak() { try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs")) }

    /// What a case has beyond the limits, in words.
    private func excess(_ data: Data, measuresMemory: Bool, _ slowest: inout Double, _ largest: inout Int) throws -> String? {
        if measuresMemory { forgetPeak() }
        let before = measuresMemory ? memory("VmRSS") : nil
        let seconds = try time(data)
        slowest = max(slowest, seconds)
        if seconds > Self.secondsLimit { return "\(seconds) s" }
        guard let before, let peak = memory("VmHWM") else { return nil }
        largest = max(largest, peak - before)
        return peak - before > Self.memoryLimit(data.count) ? "\(peak - before) bytes of memory for a file of \(data.count)" : nil
    }

    @Test func `changed models are imported or refused, quickly and in bounded memory`() throws {
        var random = SeededGenerator(Self.seed)
        let archive = try OperatorFixtures.operators.get().archive
        let bytes = try OperatorFixtures.names.map { Data(try archive.array("\($0)/model").integers().map { UInt8($0) }) }
        let models = try bytes.map { try ONNXModelProto(serializedBytes: $0) }
        let operators = Set(models.flatMap { $0.graph.node.map(\.opType) }).sorted()
        let folder = FileManager.default.temporaryDirectory
        let isLong = Self.seconds != nil
        let start = ContinuousClock.now
        let deadline = start + .seconds(Self.seconds ?? 10)
        var told = start
        var (cases, failures, slowest, largest) = (0, 0, 0.0, 0)
        while ContinuousClock.now < deadline {
            let choice = Int.random(in: 0..<models.count, using: &random)
            var data = bytes[choice]
            if Bool.random(using: &random) {
                var model = models[choice]
                for _ in 0...Int.random(in: 0..<3, using: &random) { change(&model, operators, &random) }
                data = try model.serializedData()
            } else {
                for _ in 0...Int.random(in: 0..<4, using: &random) {
                    data[Int.random(in: 0..<data.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
            }
            if isLong { try data.write(to: folder.appendingPathComponent("spikelet-fuzz-last.onnx")) }
            if let excess = try excess(data, measuresMemory: isLong, &slowest, &largest) {
                failures += 1
                let file = folder.appendingPathComponent("spikelet-fuzz-\(Self.seed)-\(cases).onnx")
                try data.write(to: file)
                Issue.record("case \(cases) of seed \(Self.seed), from \(OperatorFixtures.names[choice]): \(excess); see \(file.path)")
                // One cause is enough to look at, and a hundred of it hide others.
                if failures >= 20 { break }
            }
            cases += 1
            if isLong, ContinuousClock.now - told > .seconds(30) {
                told = ContinuousClock.now
                say("\(told - start): \(cases) cases of seed \(Self.seed); at most \(slowest) s and \(largest) bytes of memory")
            }
        }
        #expect(cases > 100)
        if isLong { say("\(cases) cases of seed \(Self.seed), \(failures) failures; at most \(slowest) s and \(largest) bytes of memory") }
    }

    /// At once, so that it is there if the next case ends the program.
    private func say(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

    @Test func `what failed once does no more`() throws {
        let folder = URL(fileURLWithPath: Repository.fixture("Fuzz"))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(!names.isEmpty)
        for name in names {
            let data = try Data(contentsOf: folder.appendingPathComponent(name))
            #expect(try time(data) < Self.secondsLimit, "\(name)")
        }
    }

    // MARK: Fields

    private static let numbers: [Int64] = [.min, -(1 << 40), -2, -1, 0, 1, 2, 3, 7, 1 << 15, 1 << 30, 1 << 31, 1 << 62, .max]

    /// Changes one field of the model.
    private func change(_ model: inout ONNXModelProto, _ operators: [String], _ random: inout SeededGenerator) {
        func number() -> Int64 { Self.numbers[Int.random(in: 0..<Self.numbers.count, using: &random)] }
        func name() -> String {
            let names = model.graph.node.flatMap { $0.input + $0.output } + model.graph.initializer.map(\.name) + ["", "x0"]
            return names[Int.random(in: 0..<names.count, using: &random)]
        }
        let nodes = model.graph.node.count
        let node = nodes > 0 ? Int.random(in: 0..<nodes, using: &random) : 0
        switch Int.random(in: 0..<11, using: &random) {
        case 0 where nodes > 0:
            model.graph.node[node].opType = operators[Int.random(in: 0..<operators.count, using: &random)]
        case 1 where nodes > 0 && !model.graph.node[node].input.isEmpty:
            let place = Int.random(in: 0..<model.graph.node[node].input.count, using: &random)
            model.graph.node[node].input[place] = name()
        case 2 where nodes > 0: model.graph.node[node].input.append(name())
        case 3 where nodes > 0 && !model.graph.node[node].attribute.isEmpty:
            let place = Int.random(in: 0..<model.graph.node[node].attribute.count, using: &random)
            var attribute = model.graph.node[node].attribute[place]
            attribute.i = number()
            attribute.f = [.nan, .infinity, -1, 0, 1e-30, 1e30][Int.random(in: 0..<6, using: &random)]
            for index in attribute.ints.indices where Bool.random(using: &random) { attribute.ints[index] = number() }
            if Bool.random(using: &random) { attribute.ints.append(number()) }
            model.graph.node[node].attribute[place] = attribute
        case 4: model.opsetImport = [.with { $0.version = Int64.random(in: 5...28, using: &random) }]
        case 5 where !model.graph.initializer.isEmpty:
            let place = Int.random(in: 0..<model.graph.initializer.count, using: &random)
            let dims = model.graph.initializer[place].dims.count
            if dims > 0 { model.graph.initializer[place].dims[Int.random(in: 0..<dims, using: &random)] = number() }
        case 6 where !model.graph.initializer.isEmpty:
            // Sizes, axes and pads that make sense to nobody.
            let place = Int.random(in: 0..<model.graph.initializer.count, using: &random)
            let tensor = model.graph.initializer[place]
            guard tensor.dataType == .int64 else { return }
            let values = (0..<tensor.rawData.count / 8).map { _ in number() }
            model.graph.initializer[place].rawData = values.withUnsafeBytes { Data($0) }
        case 7 where !model.graph.initializer.isEmpty:
            let place = Int.random(in: 0..<model.graph.initializer.count, using: &random)
            model.graph.initializer[place].dataType = .init(rawValue: Int.random(in: 0...17, using: &random)) ?? .float
        case 8 where !model.graph.input.isEmpty:
            let place = Int.random(in: 0..<model.graph.input.count, using: &random)
            let dims = model.graph.input[place].type.tensorType.shape.dim.count
            if dims > 0 { model.graph.input[place].type.tensorType.shape.dim[Int.random(in: 0..<dims, using: &random)].dimValue = number() }
        case 9 where nodes > 0: model.graph.node[node].output.append("more\(Int.random(in: 0..<3, using: &random))")
        case 10 where nodes > 0: model.graph.node.append(model.graph.node[node])
        default: model.graph.input.append(contentsOf: model.graph.input.prefix(1))
        }
    }
}
