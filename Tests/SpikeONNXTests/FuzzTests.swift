import Foundation
import SpikeData
import SpikeGraph
import SpikeONNX
import SwiftProtobuf
import TestSupport
import Testing

/// Real models, changed field by field and byte by byte: each ends in a network or in an error of ours, within a second.
///
/// Ten seconds of it in every test run, always from the same seed. `make fuzz` runs ten minutes, from a seed of its own, and
/// leaves the last case in the temporary folder: what crashed then belongs into `Tests/Fixtures/Fuzz`.
@Suite(.serialized) struct FuzzTests {
    private static let environment = ProcessInfo.processInfo.environment
    private static let seconds = environment["SPIKELET_FUZZ_SECONDS"].flatMap(Double.init)
    private static let seed = environment["SPIKELET_FUZZ_SEED"].flatMap(UInt64.init) ?? 1

    /// Imports bytes.
    ///
    /// - Returns: how long that took.
    private func time(_ data: Data, _ what: String) throws -> Duration {
        let start = ContinuousClock.now
        do {
            _ = try ONNXImporter.importModel(data, fileName: "model.onnx", folder: FileManager.default.temporaryDirectory)
        } catch is SpikeletError {}
        return ContinuousClock.now - start
    }

    @Test func `changed models are imported or refused, and quickly`() throws {
        var random = SeededGenerator(Self.seed)
        let archive = try OperatorFixtures.operators.get().archive
        let bytes = try OperatorFixtures.names.map { Data(try archive.array("\($0)/model").integers().map { UInt8($0) }) }
        let models = try bytes.map { try ONNXModelProto(serializedBytes: $0) }
        let operators = Set(models.flatMap { $0.graph.node.map(\.opType) }).sorted()
        let last = FileManager.default.temporaryDirectory.appendingPathComponent("spikelet-fuzz-last.onnx")
        let deadline = ContinuousClock.now + .seconds(Self.seconds ?? 10)
        var (cases, slowest) = (0, Duration.zero)
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
            if Self.seconds != nil { try data.write(to: last) }
            let taken = try time(data, OperatorFixtures.names[choice])
            // Other tests run beside this one: of the wall clock a second is generous only here.
            #expect(taken < .seconds(Self.seconds == nil ? 5 : 1), "case \(cases) of seed \(Self.seed), \(OperatorFixtures.names[choice])")
            slowest = max(slowest, taken)
            cases += 1
        }
        #expect(cases > 100)
        if Self.seconds != nil { print("\(cases) cases of seed \(Self.seed); the slowest took \(slowest)") }
    }

    @Test func `what failed once does no more`() throws {
        let folder = URL(fileURLWithPath: Repository.fixture("Fuzz"))
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] {
            #expect(try time(Data(contentsOf: folder.appendingPathComponent(name)), name) < .seconds(5), "\(name)")
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
