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
    dependencies: [],
    targets: [
        .target(name: "SpikeGraph", swiftSettings: settings),
        .target(name: "SpikeFormats", dependencies: ["SpikeGraph"], swiftSettings: settings),
        .testTarget(name: "SpikeFormatsTests", dependencies: ["SpikeFormats"], swiftSettings: settings),
    ]
)
