internal import CSpikeKernels
internal import Foundation
internal import SpikeGraph

/// The engine's kernels, and which of them run on this machine: what `spikelet kernels` prints.
package struct KernelList: Sendable {
    /// One operation on one type of numbers.
    package struct Row: Sendable, Hashable {
        /// Such as `gather_i8`.
        package var name: String
        /// The instruction sets that it is written for, those of other processors too.
        package var sets: [String]
        /// The one of them that runs here.
        package var chosen: String
    }

    /// A row for each kernel.
    package var rows: [Row]
    /// The instruction set whose kernels are preferred.
    package var preferred: String

    /// The kernels that this processor can run.
    package init() {
        let best = spike_isa_default()
        preferred = Self.name(best)
        rows = (0..<spike_kernel_count()).map { kernel in
            Row(
                name: String(cString: spike_kernel_name(kernel)),
                sets: Self.all.filter { spike_kernel_isa(kernel, $0) == $0 }.map(Self.name),
                chosen: Self.name(spike_kernel_isa(kernel, best)))
        }
    }

    private static var all: [spike_isa] { (0..<SPIKE_ISA_COUNT.rawValue).map { spike_isa(rawValue: $0) } }
    private static func name(_ isa: spike_isa) -> String { String(cString: spike_isa_name(isa)) }

    /// The instruction sets that kernels are written for and that this machine has, the best last.
    package static var instructionSets: [String] { all.filter(spike_isa_supported).map(name) }

    /// What the environment variable `SPIKELET_ISA` asks for, if this machine cannot do it.
    static var unknownChoice: String? {
        guard let wanted = ProcessInfo.processInfo.environment["SPIKELET_ISA"], !wanted.isEmpty else { return nil }
        return instructionSets.contains(wanted) ? nil : wanted
    }

    /// - Throws: where `SPIKELET_ISA` asks for what this machine cannot do, or `SPIKELET_CROSSOVERS` for what is no number.
    package static func checkEnvironment() throws {
        _ = try Program.chosenCrossovers()
        guard let wanted = unknownChoice else { return }
        throw SpikeletError(
            .invalidOption, "SPIKELET_ISA is '\(wanted)', no instruction set of this machine",
            remedy: "unset it, or choose one of " + instructionSets.joined(separator: ", "))
    }
}

extension KernelList: CustomStringConvertible {
    package var description: String {
        let sets = Self.instructionSets
        let table = rows.map { row in
            [row.name] + sets.map { set in row.chosen == set ? "chosen" : row.sets.contains(set) ? "there" : "" }
        }
        return "kernels of this machine: \(sets.joined(separator: ", ")); preferred \(preferred) (SPIKELET_ISA chooses another)\n\n"
            + TextTable.format([["kernel"] + sets] + table)
    }
}
