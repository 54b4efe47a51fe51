public import SpikeFormats
import SpikeGraph

/// A chip for spiking networks, with those of its limits that are public.
public struct Device: Sendable {
    /// One limit, and where it is written.
    public struct Limit: Sendable, Hashable {
        /// What is limited, in words.
        public var what: String
        /// The most there may be.
        public var most: Int
        /// Where the limit is written down.
        public var source: String
    }

    /// The name on the command line.
    public let name: String
    /// The name in print.
    public let fullName: String
    /// The reader through which networks get there.
    public let profile: NIRProfile
    /// Bits of a weight.
    public let weightBits = 8
    /// Bits of a membrane.
    public let stateBits = 16
    /// Of a whole network, by what is counted: `layers`, `inputs`, `outputs`, `neurons`, `weights`, `synapses`, `bytes`.
    public let totals: [String: Limit]
    /// Of a layer: `kernel`, `stride`, `padding`, `features`, `input size`, `output size`, `fan-out`.
    public let layer: [String: Limit]
    /// The words of kernel and neuron memory of each core, where a layer has to fit one.
    public let cores: [(kernel: Int, neurons: Int)]
    /// Where the cores' sizes are written down.
    public let coreSource: String

    /// All devices.
    public static let all = [speck2f, loihi2, spinnaker2, xylo]

    /// - Throws: ``SpikeletError`` for a name that none has.
    public static func named(_ name: String) throws -> Device {
        guard let device = all.first(where: { $0.name == name }) else {
            throw SpikeletError(
                .invalidOption, "there is no device '\(name)'", remedy: "the devices are: " + all.map(\.name).joined(separator: ", "))
        }
        return device
    }

    private static func limits(_ source: String, _ numbers: [String: Int]) -> [String: Limit] {
        Dictionary(uniqueKeysWithValues: numbers.map { ($0, Limit(what: $0, most: $1, source: source)) })
    }

    private static let samna =
        "samna documentation, Speck 2e key features (synsense-sys-int.gitlab.io/samna/models/speckSeries/speck2e.html)"
    private static let sinabs = "sinabs 3.1.3, backend/dynapcnn/chips/dynapcnn.py, which speck2f.py inherits"

    /// Speck 2f. Its cores are those of sinabs' `Speck2FConfigBuilder`; the rest is documented for its sister 2e.
    public static let speck2f = Device(
        name: "speck2f", fullName: "SynSense Speck 2f", profile: .sinabs,
        totals: limits(samna, ["layers": 9]),
        layer: limits(
            samna, ["kernel": 16, "stride": 8, "padding": 7, "features": 1024, "input size": 128, "output size": 64, "fan-out": 2]),
        cores: zip([16, 16, 16, 32, 32, 64, 64, 16, 16], [64, 64, 64, 32, 32, 16, 16, 16, 16]).map { ($0 * 1024, $1 * 1024) },
        coreSource: sinabs)

    /// Loihi 2, one chip.
    public static let loihi2 = Device(
        name: "loihi2", fullName: "Intel Loihi 2", profile: .lava,
        totals: limits(
            "Open Neuromorphic's hardware guide (open-neuromorphic.org/neuromorphic-computing/hardware/loihi-2-intel/)",
            ["neurons": 1_000_000, "synapses": 120_000_000]),
        layer: [:], cores: [], coreSource: "")

    /// SpiNNaker2, one chip: 152 processing elements with 128 KiB each.
    public static let spinnaker2 = Device(
        name: "spinnaker2", fullName: "SpiNNaker2", profile: .spinnaker2,
        totals: limits("SpiNNaker2 datasheet 0.03 (github.com/SpiNNakerManchester/SpiNNMachine)", ["bytes": 152 * 128 * 1024]),
        layer: [:], cores: [], coreSource: "")

    /// Xylo Audio 2.
    public static let xylo = Device(
        name: "xylo", fullName: "SynSense Xylo Audio 2", profile: .generic,
        totals: limits("Rockpool documentation (rockpool.ai/devices/xylo-overview.html)", ["inputs": 16, "outputs": 8, "neurons": 1000])
            .merging(
                limits(
                    "Open Neuromorphic's hardware guide (open-neuromorphic.org/neuromorphic-computing/hardware/xylo-synsense/)",
                    ["synapses": 64_000])
            ) { $1 },
        layer: limits("Rockpool documentation (rockpool.ai/devices/xylo-overview.html)", ["fan-out of a neuron": 64]), cores: [],
        coreSource: "")
}
