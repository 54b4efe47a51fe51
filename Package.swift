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
        // The live page apart, so that the library carries no server.
        .library(name: "SpikeExplorer", targets: ["SpikeExplorer"]),
        .executable(name: "spikelet", targets: ["SpikeletTool"]),
        // For other languages: Sources/CSpikelet/include/spikelet.h.
        .library(name: "spikelet_c", type: .dynamic, targets: ["SpikeDoor"]),
    ],
    traits: [
        .trait(name: "NIR", description: "Reading and writing NIR files, through libhdf5."),
        .trait(name: "Images", description: "Folders of JPEG and PNG pictures as data, through libjpeg-turbo and libpng."),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-nio.git", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0"),
    ],
    targets: [
        // The rooms, from the lowest up; each imports only those above it in this list.
        room("SpikeGraph", []),
        room("SpikeFiles", ["SpikeGraph"]),
        room("SpikeReference", ["SpikeGraph", "CDense"]),
        room("SpikeRuntime", ["SpikeGraph", "SpikeReference", "CSpikeKernels", "CDense"]),
        room("SpikeONNX", ["SpikeFiles", "SpikeGraph", "SpikeReference", protobuf], exclude: ["Wire/onnx.proto"]),
        room("SpikeConversion", ["SpikeGraph", "SpikeReference", "SpikeRuntime", "CDense"]),
        room("SpikeFormats", ["SpikeFiles", "SpikeGraph", "CHDF5Tree"]),
        room("SpikeOpenAxes", ["SpikeFiles", "SpikeGraph", "SpikeONNX", "SpikeConversion", "SpikeFormats"]),
        room(
            "SpikeData",
            [
                "SpikeFiles", "SpikeGraph", "CImages", "CZlib",
                .target(name: "CLibCrypto", condition: .when(platforms: [.linux])),
            ]),
        room("SpikeCost", ["SpikeGraph", "SpikeReference", "SpikeRuntime", "SpikeConversion"]),
        room("SpikeAnalysis", ["SpikeGraph", "SpikeReference", "SpikeRuntime", "SpikeConversion"]),
        room("SpikeEvaluation", ["SpikeFiles", "SpikeGraph", "SpikeReference", "SpikeRuntime", "SpikeData", "SpikeCost", "SpikeAnalysis"]),
        room("SpikeSearch", ["SpikeGraph", "SpikeReference", "SpikeRuntime", "SpikeConversion", "SpikeData", "SpikeEvaluation"]),
        room("SpikeHardware", ["SpikeGraph", "SpikeRuntime", "SpikeFormats", "SpikeEvaluation"]),
        room(
            "SpikeRequests",
            [
                "SpikeConversion", "SpikeData", "SpikeEvaluation", "SpikeFormats", "SpikeGraph", "SpikeONNX", "SpikeOpenAxes",
                "SpikeReference", "SpikeRuntime", "SpikeSearch",
            ]),
        room("SpikeReport", ["SpikeAnalysis", "SpikeCost", "SpikeEvaluation", "SpikeFiles", "SpikeGraph"]),
        room(
            "Spikelet",
            [
                "SpikeAnalysis", "SpikeConversion", "SpikeCost", "SpikeData", "SpikeEvaluation", "SpikeFormats", "SpikeGraph",
                "SpikeHardware", "SpikeONNX", "SpikeOpenAxes", "SpikeReference", "SpikeReport", "SpikeRequests", "SpikeRuntime",
                "SpikeSearch",
            ]),
        room("SpikeDoor", ["CSpikelet", "SpikeFiles", "Spikelet"]),
        room(
            "SpikeExplorer",
            ["SpikeData", "SpikeEvaluation", "SpikeFiles", "SpikeGraph", "SpikeReference", "SpikeReport"]
                + ["NIOCore", "NIOHTTP1", "NIOPosix"].map { .product(name: $0, package: "swift-nio") }),
        room("SpikeCommands", ["SpikeExplorer", "SpikeFiles", "Spikelet", argumentParser]),
        .executableTarget(name: "SpikeletTool", dependencies: ["CDense", "SpikeCommands"], swiftSettings: settings),

        // C underneath.
        .target(name: "CSpikeKernels"),
        // The header that SpikeDoor's functions are declared in.
        .systemLibrary(name: "CSpikelet"),
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        // libhdf5, and what is made of it; without the trait it is neither looked for nor linked.
        .systemLibrary(name: "CHDF5", pkgConfig: "hdf5", providers: [.apt(["libhdf5-dev"]), .brew(["hdf5"])]),
        .target(
            name: "CHDF5Tree", dependencies: [.target(name: "CHDF5", condition: .when(traits: ["NIR"]))],
            cSettings: [.define("NIR", .when(traits: ["NIR"])), .define("H5_USE_110_API")]),
        // libjpeg-turbo and libpng, likewise.
        .systemLibrary(name: "CJPEG", pkgConfig: "libjpeg", providers: [.apt(["libjpeg-dev"]), .brew(["jpeg-turbo"])]),
        .systemLibrary(name: "CPNG", pkgConfig: "libpng", providers: [.apt(["libpng-dev"]), .brew(["libpng"])]),
        .target(
            name: "CImages",
            dependencies: [
                .target(name: "CJPEG", condition: .when(traits: ["Images"])), .target(name: "CPNG", condition: .when(traits: ["Images"])),
            ],
            cSettings: [.define("IMAGES", .when(traits: ["Images"]))]),
        // Only for SHA-256, and only where the system has no CryptoKit.
        .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "CDense",
            dependencies: [.target(name: "COpenBLAS", condition: .when(platforms: [.linux]))],
            linkerSettings: [.linkedFramework("Accelerate", .when(platforms: [.macOS]))]),

        // What the tests of several rooms need.
        .target(name: "TestSupport", dependencies: ["SpikeData", "SpikeGraph"], path: "Tests/TestSupport", swiftSettings: settings),
        // The Swift of the documentation, as a program that a test runs.
        .executableTarget(
            name: "DocumentationSnippets", dependencies: ["SpikeExplorer", "Spikelet"], path: "Tests/DocumentationSnippets",
            swiftSettings: settings),
        // The C interface, as a C program uses it.
        .executableTarget(name: "CDoor", dependencies: ["SpikeDoor"], path: "Tests/CDoor"),
        .testTarget(name: "SpikeDoorTests", dependencies: ["CDoor", "TestSupport"], swiftSettings: settings),
        .testTarget(name: "DocumentationTests", dependencies: ["SpikeData", "SpikeGraph", "TestSupport"], swiftSettings: settings),
        tests(of: "SpikeGraph", ["TestSupport"]),
        tests(of: "SpikeFiles", ["SpikeData", "SpikeGraph", "TestSupport"]),
        tests(of: "SpikeReference", ["SpikeGraph", "TestSupport"]),
        tests(of: "CSpikeKernels"),
        tests(of: "SpikeRuntime", ["SpikeGraph", "SpikeReference", "SpikeConversion", "SpikeData", "CSpikeKernels"]),
        tests(of: "SpikeONNX", ["SpikeData", "SpikeGraph", "SpikeReference", "TestSupport", protobuf]),
        tests(
            of: "SpikeFormats",
            ["SpikeConversion", "SpikeData", "SpikeFiles", "SpikeGraph", "SpikeONNX", "SpikeReference", "TestSupport"]),
        tests(of: "SpikeData", ["SpikeFiles", "SpikeGraph", "TestSupport", "CZlib"]),
        tests(
            of: "SpikeConversion",
            [
                "SpikeAnalysis", "SpikeCost", "SpikeData", "SpikeFormats", "SpikeGraph", "SpikeONNX", "SpikeReference", "SpikeRuntime",
                "TestSupport",
            ]),
        tests(
            of: "SpikeOpenAxes",
            [
                "SpikeConversion", "SpikeData", "SpikeFiles", "SpikeFormats", "SpikeGraph", "SpikeONNX", "SpikeReference", "SpikeRuntime",
                "TestSupport",
            ]),
        tests(
            of: "SpikeEvaluation",
            [
                "SpikeAnalysis", "SpikeConversion", "SpikeCost", "SpikeData", "SpikeFormats", "SpikeGraph", "SpikeHardware", "SpikeONNX",
                "SpikeReference", "SpikeRuntime", "SpikeSearch", "TestSupport",
            ]),
        tests(
            of: "SpikeReport",
            ["SpikeAnalysis", "SpikeConversion", "SpikeCost", "SpikeData", "SpikeEvaluation", "SpikeGraph", "SpikeONNX", "TestSupport"]),
        tests(of: "SpikeExplorer", ["SpikeConversion", "SpikeData", "SpikeGraph", "SpikeONNX", "TestSupport"]),
        tests(
            of: "SpikeCommands",
            ["SpikeData", "SpikeEvaluation", "SpikeFormats", "SpikeGraph", "SpikeONNX", "SpikeRuntime", "TestSupport", protobuf]),
    ]
)
