#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import Foundation
import Testing

/// The bar that long work shows on a terminal, seen through a pseudo-terminal.
@Suite struct ProgressTests {
    /// The two ends of a terminal, and all that was written to it.
    final class Terminal: @unchecked Sendable {
        private let controller: Int32
        let handle: FileHandle
        private let done = DispatchSemaphore(value: 0)
        private var bytes: [UInt8] = []

        struct Failure: Error {}

        init(columns: UInt16) throws {
            let user: Int32
            (controller, user) = try Self.openPair()
            var size = winsize(ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0)
            guard ioctl(user, UInt(TIOCSWINSZ), &size) == 0 else { throw Failure() }
            handle = FileHandle(fileDescriptor: user, closeOnDealloc: true)
            Thread.detachNewThread { [self] in
                var buffer = [UInt8](repeating: 0, count: 4096)
                while true {
                    let count = read(controller, &buffer, buffer.count)
                    guard count > 0 else { break }
                    bytes += buffer[..<count]
                }
                done.signal()
            }
        }

        /// A new pseudo-terminal: the end that controls it, and the one that programs use.
        private static func openPair() throws -> (controller: Int32, user: Int32) {
            #if canImport(Darwin)
            let controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)
            guard controller >= 0, grantpt(controller) == 0, unlockpt(controller) == 0,
                let name = ptsname(controller).map({ String(cString: $0) })
            else { throw Failure() }
            #else
            // What grantpt and ptsname do. Glibc's module leaves these out.
            let controller = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
            let (unlock, number) = (UInt(0x4004_5431), UInt(0x8004_5430))
            var (locked, position): (Int32, Int32) = (0, 0)
            guard controller >= 0, ioctl(controller, unlock, &locked) == 0, ioctl(controller, number, &position) == 0 else {
                throw Failure()
            }
            let name = "/dev/pts/\(position)"
            #endif
            let user = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)
            guard user >= 0 else { throw Failure() }
            return (controller, user)
        }

        /// Waits until nobody can write any more.
        func finish() async -> String {
            try? handle.close()
            await withCheckedContinuation { continuation in
                Thread.detachNewThread { [self] in
                    done.wait()
                    continuation.resume()
                }
            }
            close(controller)
            return String(decoding: bytes, as: UTF8.self)
        }
    }

    /// What stands between two erasures of the line.
    private func drawings(_ text: String) -> [String] { text.components(separatedBy: "\r\u{1B}[K") }

    @Test(arguments: [80, 40] as [UInt16]) func `calibration and evaluation show a bar on a terminal, and remove it`(columns: UInt16)
        async throws
    {
        let folder = try Folder()
        let convert = try Terminal(columns: columns)
        let conversion = try await Program.run(
            [
                "convert", Repository.model("resnet/resnet_torchscript.onnx"), "--calibration", Repository.model("train_2000.npz"),
                "--recipe",
                "rate-coding", "--mode", "99.9%", "--limit", "2000", "--batch-size", "10", "--output", "snn.safetensors",
            ], in: folder.path, errors: convert.handle)
        #expect(conversion.status == 0)
        try expectBar(await convert.finish(), title: "calibrating", unit: "/200 batches", columns: columns)
        #expect(!conversion.output.contains("\u{1B}") && !conversion.output.contains("calibrating"))

        let evaluate = try Terminal(columns: columns)
        let evaluation = try await Program.run(
            [
                "evaluate", "snn.safetensors", "--reference", "--data", Repository.model("test_1000.npz"), "--limit", "200", "--batch-size",
                "10",
                "--steps",
                "1,16",
            ], in: folder.path, errors: evaluate.handle)
        #expect(evaluation.status == 0)
        try expectBar(await evaluate.finish(), title: "evaluating", unit: "/320 steps", columns: columns)
        #expect(evaluation.output.contains("200 samples"))
    }

    private func expectBar(_ text: String, title: String, unit: String, columns: UInt16, at location: SourceLocation = #_sourceLocation)
        throws
    {
        let drawings = drawings(text)
        // Nothing before the first drawing, nothing after the last erasure.
        #expect(drawings.count > 2, "\(text)", sourceLocation: location)
        #expect(drawings.first == "" && drawings.last == "", "\(text)", sourceLocation: location)
        for drawing in drawings.dropFirst().dropLast() {
            #expect(drawing.hasPrefix(title) && drawing.contains(unit), "\(drawing)", sourceLocation: location)
            // A line that wraps could not be erased.
            #expect(drawing.count < columns && !drawing.contains("\n"), "\(drawing)", sourceLocation: location)
        }
        #expect(drawings.dropFirst().dropLast().contains { $0.contains("█") }, "\(text)", sourceLocation: location)
    }

    @Test func `a message after the bar stands on a line of its own`() async throws {
        let folder = try Folder()
        let terminal = try Terminal(columns: 80)
        let run = try await folder.spikelet("run", "missing.onnx", "--input", "x.npy")
        #expect(run.errors.hasPrefix("Error: "))
        _ = try await Program.run(["run", "missing.onnx", "--input", "x.npy"], in: folder.path, errors: terminal.handle)
        #expect(await terminal.finish().hasPrefix("Error: missing.onnx"))
    }
}
