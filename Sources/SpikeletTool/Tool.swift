import ArgumentParser
import SpikeCommands

/// The program. (Code at the top level of a `main.swift` would choose ArgumentParser's synchronous `main`, under which
/// asynchronous commands print their help instead of running.)
@main
enum Tool {
    static func main() async { await SpikeletCommand.main() }
}
