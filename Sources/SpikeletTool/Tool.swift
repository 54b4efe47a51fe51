import CDense
import Dispatch
import SpikeCommands
import Foundation

/// The program. Not an asynchronous `main`: what has to come first would then come after the first files of the system's own threads.
@main
enum Tool {
    static func main() {
        // The first, since it may begin the program anew.
        takeLittleMemory()
        SpikeletCommand.prepareStreams()
        explainLostFiles()
        Task { await SpikeletCommand.runProgram() }
        dispatchMain()
    }

    /// Large external weights are mapped into memory. If somebody cuts such a file off, the next look at what is gone ends the
    /// program: then at least with a message.
    private static func explainLostFiles() {
        signal(SIGBUS) { _ in
            Tool.end(
                "Error: a file that is being used became shorter or unreadable\n  → run this again when nothing writes to the model's data\n"
            )
        }
    }

    /// Under a limit of the address space (`ulimit -v`) the Swift runtime crashes where memory ends, and OpenBLAS asks again for ever: each of
    /// its threads for 128 MiB at the start, which we have no use for. So the program begins anew without these threads, or ends with a message.
    private static func takeLittleMemory() {
        #if canImport(Glibc)
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur != rlim_t.max else { return }
        if limit.rlim_cur >= 512 << 20 {
            if getenv("OPENBLAS_NUM_THREADS").map({ strcmp($0, "1") }) != 0, setenv("OPENBLAS_NUM_THREADS", "1", 1) == 0 {
                execv("/proc/self/exe", CommandLine.unsafeArgv)
            }
            if spike_dense_reserve() > 0 { return }
        }
        end("Error: the limit of virtual memory is too low\n  → allow 1 GiB or more: ulimit -v 1048576\n")
        #endif
    }

    /// Without cleaning up, which may wait for OpenBLAS's threads.
    private static func end(_ text: StaticString) -> Never {
        write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
        _exit(1)
    }
}
