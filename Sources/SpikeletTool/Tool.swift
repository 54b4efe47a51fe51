import ArgumentParser
import SpikeCommands
#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif

/// The program. (Code at the top level of a `main.swift` would choose ArgumentParser's synchronous `main`, under which
/// asynchronous commands print their help instead of running.)
@main
enum Tool {
    static func main() async {
        explainLostFiles()
        await SpikeletCommand.main()
    }

    /// Large external weights are mapped into memory. If somebody cuts such a file off, the next look at what is gone ends the
    /// program: then at least with a message.
    private static func explainLostFiles() {
        signal(SIGBUS) { _ in
            let text: StaticString =
                "Error: a file that is being used became shorter or unreadable\n  → run this again when nothing writes to the model's data\n"
            write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
            _exit(1)
        }
    }
}
