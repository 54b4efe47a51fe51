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

        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"]), .brew(["zlib"])]),
        // Only for SHA-256, and only where the system has no CryptoKit.
        .systemLibrary(name: "CLibCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
        .target(
            name: "SpikeData",
            dependencies: ["SpikeGraph", "CZlib", .target(name: "CLibCrypto", condition: .when(platforms: [.linux]))],
            swiftSettings: settings),
        .testTarget(name: "SpikeDataTests", dependencies: ["SpikeData", "SpikeGraph", "CZlib"], swiftSettings: settings),
    ]
)
