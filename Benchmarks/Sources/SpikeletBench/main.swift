import Foundation
import Spikelet

// spikelet-bench network SNN.safetensors --input X.npz|X.npy [--batch 1] [--steps T] [--threads 1] [--precision float32|int8]
//                        [--runs 9] [--program] [--json FILE]
// spikelet-bench accuracy SNN.safetensors --input X.npz [--batch N] [--steps T] [--threads 1]
// spikelet-bench kernels [--json FILE]
// spikelet-bench precisions [--networks cnn,vgg] [--recipes radix,calibrated] [--steps 4,8,32] [--digits 3,4,8] [--read 8,16,32]
//                        [--data FOLDER] [--limit N] [--threads N] [--json FILE]     from the repository's folder; resumes from FILE
// spikelet-bench recipes [--data FOLDER] [--limit N] [--json FILE]     from the repository's folder; resumes from FILE

/// The options behind the command's name, as name → value; a name without a value is a flag.
func options(_ arguments: ArraySlice<String>) -> (free: [String], named: [String: String]) {
    var (free, named): ([String], [String: String]) = ([], [:])
    var rest = arguments
    while let word = rest.popFirst() {
        if word.hasPrefix("--") {
            let takesValue = rest.first.map { !$0.hasPrefix("--") } ?? false
            named[String(word.dropFirst(2))] = takesValue ? rest.removeFirst() : ""
        } else {
            free.append(word)
        }
    }
    return (free, named)
}

func loadInputs(_ path: String, count: Int) throws -> Tensor {
    let array: NumericArray
    if path.hasSuffix(".npz") {
        let archive = try NPZ(path)
        guard let name = ["images", "x"].first(where: archive.names.contains) else {
            throw SpikeletError(.invalidData, "no array 'images' or 'x'", at: path)
        }
        array = try archive.array(name)
    } else {
        array = try NPY.read(path)
    }
    // Bytes are pixels.
    let scale: Float = array.elementType == .uint8 ? 255 : 1
    var tensor = Tensor(array.floats().map { $0 / scale }, shape: array.shape)
    // Images of one channel may come without that axis.
    if tensor.rank == 3 { tensor = tensor.reshaped(to: [tensor.shape[0], 1] + tensor.shape.dropFirst()) }
    return tensor.samples(0..<min(count, tensor.shape[0]))
}

func network(_ free: [String], _ named: [String: String]) throws {
    guard let path = free.first, let input = named["input"] else {
        throw SpikeletError(.invalidOption, "an SNN file and --input are needed")
    }
    let precision = Precision(rawValue: named["precision"] ?? "float32") ?? .float32
    let graph = try SNNFile.read(path)
    let simulation = try Simulation(graph, precision: precision, threads: Int(named["threads"] ?? "1") ?? 1)
    if named["program"] != nil { print(simulation.program) }
    let tensor = try loadInputs(input, count: Int(named["batch"] ?? "1") ?? 1)
    let steps = named["steps"].flatMap { Int($0) } ?? graph.spiking?.steps ?? 32
    let result = try NetworkBenchmark(simulation, batches: [[tensor]], steps: steps, runs: Int(named["runs"] ?? "9") ?? 9)
    let json = try encode(result)
    if let file = named["json"] {
        try json.write(to: URL(fileURLWithPath: file))
    } else {
        print(String(decoding: json, as: UTF8.self))
    }
}

/// Both precisions on labelled images: correct answers, how often they agree, what saturated.
func accuracy(_ free: [String], _ named: [String: String]) throws {
    guard let path = free.first, let input = named["input"] else {
        throw SpikeletError(.invalidOption, "an SNN file and --input are needed")
    }
    let graph = try SNNFile.read(path)
    let tensor = try loadInputs(input, count: Int(named["batch"] ?? "") ?? .max)
    let labels = try NPZ(input).array("labels").integers()
    let steps = named["steps"].flatMap { Int($0) } ?? graph.spiking?.steps ?? 32
    var answers: [[Int]] = []
    for precision in Precision.allCases {
        let simulation = try Simulation(graph, precision: precision, threads: Int(named["threads"] ?? "1") ?? 1)
        let output = try simulation.run([tensor], steps: steps)[0]
        let classes = output.count / output.shape[0]
        let answer = (0..<output.shape[0]).map { sample in
            let row = output.floats[sample * classes..<(sample + 1) * classes]
            return row.indices.max { row[$0] < row[$1] }.map { $0 - row.startIndex } ?? 0
        }
        answers.append(answer)
        let correct = zip(answer, labels).count { $0 == Int($1) }
        print("\(precision.rawValue): \(correct) of \(answer.count) correct, saturations \(simulation.saturations)")
    }
    print("the same answer: \(zip(answers[0], answers[1]).count { $0 == $1 })")
}

func encode(_ result: some Encodable) throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    return try encoder.encode(result)
}

func kernels(_ named: [String: String]) throws {
    let result = KernelBenchmark()
    print(result)
    if let file = named["json"] { try encode(result).write(to: URL(fileURLWithPath: file)) }
}

/// int8 against float32 on the bundled networks.
func precisions(_ named: [String: String]) throws {
    func list(_ name: String, _ usual: String) -> [String] { (named[name] ?? usual).split(separator: ",").map(String.init) }
    func numbers(_ name: String, _ usual: String) -> [Int] { list(name, usual).compactMap { Int($0) } }
    var table = try PrecisionTable(
        data: named["data"], limit: Int(named["limit"] ?? "") ?? 10_000, threads: Int(named["threads"] ?? "") ?? 2,
        json: named["json"] ?? "Benchmarks/Results/precisions.json")
    let recipes = list("recipes", "radix,calibrated,signed,burst,local-threshold-balancing").map { name in
        (name, name == "radix" ? numbers("digits", "1,2,3,4,5,6,7,8,9,10") : numbers("steps", "4,8,16,32,64,128,256"))
    }
    try table.run(networks: list("networks", "cnn,vgg,resnet,mobile"), recipes: recipes, read: numbers("read", ""))
}

do {
    let (free, named) = options(CommandLine.arguments.dropFirst(2))
    switch CommandLine.arguments.dropFirst().first {
    case "network": try network(free, named)
    case "accuracy": try accuracy(free, named)
    case "kernels": try kernels(named)
    case "precisions": try precisions(named)
    case "recipes":
        var tables = try RecipeTables(
            folder: named["data"] ?? "Datasets/FashionMNIST", limit: Int(named["limit"] ?? "10000") ?? 10_000,
            json: named["json"] ?? "Benchmarks/Results/recipes.json")
        try tables.run()
    default:
        print(
            "usage: spikelet-bench network SNN --input X.npz [--batch N] [--steps T] [--threads N] [--precision float32|int8]\n"
                + "       spikelet-bench kernels [--json FILE]\n"
                + "       spikelet-bench precisions [--networks N,…] [--recipes R,…] [--steps T,…] [--digits K,…] [--read T,…] [--limit N]\n"
                + "       spikelet-bench recipes [--data FOLDER] [--limit N] [--json FILE]")
        exit(64)
    }
} catch {
    FileHandle.standardError.write(Data("\(error)\n".utf8))
    exit(1)
}
