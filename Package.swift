// swift-tools-version: 6.1
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "spikelet",
    platforms: [.macOS(.v13)],
    products: [],
    dependencies: [
        .package(url: "https://github.com/apple/swift-protobuf.git", from: "1.39.0")
    ],
    targets: [
        .target(name: "SpikeGraph", swiftSettings: settings),

        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .target(
            name: "CDense",
            dependencies: [.target(name: "COpenBLAS", condition: .when(platforms: [.linux]))],
            linkerSettings: [.linkedFramework("Accelerate", .when(platforms: [.macOS]))]),
        .target(name: "SpikeReference", dependencies: ["SpikeGraph", "CDense"], swiftSettings: settings),
        .target(
            name: "SpikeONNX",
            dependencies: ["SpikeGraph", "SpikeReference", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            exclude: ["Wire/onnx.proto"], swiftSettings: settings),
        .target(name: "SpikeConversion", dependencies: ["SpikeGraph", "SpikeReference"], swiftSettings: settings),
        .target(name: "SpikeEvaluation", dependencies: ["SpikeGraph", "SpikeReference"], swiftSettings: settings),
        .testTarget(name: "SpikeGraphTests", dependencies: ["SpikeGraph"], swiftSettings: settings),
        .testTarget(name: "SpikeReferenceTests", dependencies: ["SpikeReference", "SpikeGraph"], swiftSettings: settings),
        .target(name: "SpikeFormats", dependencies: ["SpikeGraph"], swiftSettings: settings),
        .testTarget(name: "SpikeFormatsTests", dependencies: ["SpikeFormats"], swiftSettings: settings),
        .testTarget(
            name: "SpikeONNXTests",
            dependencies: ["SpikeONNX", "SpikeGraph", "SpikeReference", .product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: settings),
    ]
)
