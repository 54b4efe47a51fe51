import Foundation
import Spikelet

func encode(_ result: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return try encoder.encode(result)
}

func precisions(_ arguments: Arguments) throws {
    let networks = arguments.names("networks", "cnn,vgg,resnet,mobile")
    let digits = try arguments.numbers("digits", "1,2,3,4,5,6,7,8,9,10")
    let steps = try arguments.numbers("steps", "4,8,16,32,64,128,256")
    let recipes = arguments.names("recipes", "radix,calibrated,signed,burst,local-threshold-balancing").map { name in
        (name, name == "radix" ? digits : steps)
    }
    let read = try arguments.numbers("read", "")
    var table = try PrecisionTable(
        data: arguments.text("data"), limit: arguments.number("limit", 10_000), threads: arguments.number("threads", 2),
        json: arguments.text("json") ?? "Benchmarks/Results/precisions.json")
    try table.run(networks: networks, recipes: recipes, read: read)
}

do {
    guard let arguments = try Arguments(CommandLine.arguments.dropFirst()) else {
        print(Arguments.usage)
        exit(0)
    }
    try precisions(arguments)
} catch let mistake as Arguments.Mistake {
    FileHandle.standardError.write(Data("error: \(mistake.text)\n\n\(Arguments.usage)\n".utf8))
    exit(64)
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
