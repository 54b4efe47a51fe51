// swift-tools-version: 6.1
import PackageDescription

let package = Package(
    name: "benchmarks",
    platforms: [.macOS(.v13)],
    dependencies: [.package(name: "spikelet", path: "..")],
    targets: [
        .executableTarget(
            name: "spikelet-bench", dependencies: [.product(name: "Spikelet", package: "spikelet")], path: "Sources/SpikeletBench",
            swiftSettings: [.swiftLanguageMode(.v6)])
    ]
)
