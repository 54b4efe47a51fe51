// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// One of our Swift targets.
func room(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: settings)
}

/// The tests of one target.
func tests(of name: String, _ dependencies: [Target.Dependency] = []) -> Target {
    .testTarget(name: "\(name)Tests", dependencies: [.byName(name: name)] + dependencies, swiftSettings: settings)
}

let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "spikelet",
    platforms: [.macOS(.v13)],
    products: [
        .library(name: "Spikelet", targets: ["Spikelet"]),
        .executable(name: "spikelet", targets: ["SpikeletTool"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0"),
    ],
    targets: [
        // The rooms, from the lowest up; each imports only those above it in this list.
        room("SpikeGraph", []),
        room("SpikeReference", ["SpikeGraph", "CDense"]),
        room("SpikeONNX", ["SpikeGraph", "SpikeReference", protobuf], exclude: ["Wire/onnx.proto"]),
        room("SpikeConversion", ["SpikeGraph", "SpikeReference"]),
        room("SpikeEvaluation", ["SpikeGraph", "SpikeReference"]),
        room("SpikeFormats", ["SpikeGraph"]),
        room("SpikeData", ["SpikeGraph", "CZlib", .target(name: "CLibCrypto", condition: .when(platforms: [.linux]))]),
        room("Spikelet", ["SpikeConversion", "SpikeData", "SpikeEvaluation", "SpikeFormats", "SpikeGraph", "SpikeONNX", "SpikeReference"]),
        room("SpikeCommands", ["Spikelet", argumentParser]),
        .executableTarget(name: "SpikeletTool", dependencies: ["SpikeCommands", argumentParser], swiftSettings: settings),

        // C underneath.
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        // Only for SHA-256, and only where the system has no CryptoKit.
        .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "CDense",
            dependencies: [.target(name: "COpenBLAS", condition: .when(platforms: [.linux]))],
            linkerSettings: [.linkedFramework("Accelerate", .when(platforms: [.macOS]))]),

        tests(of: "SpikeGraph"),
        tests(of: "SpikeReference", ["SpikeGraph"]),
        tests(of: "SpikeONNX", ["SpikeData", "SpikeGraph", "SpikeReference", protobuf]),
        tests(of: "SpikeFormats", ["SpikeGraph"]),
        tests(of: "SpikeData", ["SpikeGraph", "CZlib"]),
        tests(of: "SpikeEvaluation", ["SpikeConversion", "SpikeGraph", "SpikeReference"]),
        tests(of: "SpikeCommands", ["SpikeData", "SpikeGraph", "SpikeONNX", protobuf]),
        tests(of: "SpikeConversion", ["SpikeGraph", "SpikeReference", "SpikeData", "SpikeONNX"]),
    ]
)
