import Foundation
import ArgumentParser
import SpikeFiles
import Spikelet

/// The program's standard output and standard error. Nothing else writes there, but for the bar of `ProgressBar`, and the program's last
/// words over a lost file: so what is written here is safe for a terminal, and what could not be written is an error.
///
/// * Names come from files, and a terminal acts on some characters. All that control it are written out (see `String.visible`); line
///   breaks stay in a `block:` alone, whose own code takes care of the names in it.
/// * What cannot be written to standard output is an error: a result was lost. Standard error has only notes: the work goes on without.
/// * Nothing is kept back, so that nothing is lost at the end.
enum Streams {
    /// Whether the reader of a pipe may end the program by going away (`spikelet inspect … | head -1`), as is usual.
    nonisolated(unsafe) private static var endsWithItsReader = false

    /// Before anything is opened or written.
    static func prepare() {
        // A closed descriptor would be given to the next file that is opened, and notes would be written into that.
        for (descriptor, flags) in [(STDIN_FILENO, O_RDONLY), (STDOUT_FILENO, O_RDONLY), (STDERR_FILENO, O_WRONLY)] {
            guard fcntl(descriptor, F_GETFD) == -1, errno == EBADF else { continue }
            // Of those that are free the lowest is given, which is this one.
            _ = open("/dev/null", flags)
        }
        // A reader of notes that goes away is no reason to break off; one of results is, in `write`.
        let before = signal(SIGPIPE, SIG_IGN)
        // A file larger than it may be (`ulimit -f`) is an error like a full disk.
        signal(SIGXFSZ, SIG_IGN)
        endsWithItsReader = unsafeBitCast(before, to: Int.self) != unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// After all is written: some file systems say only then that a disk is full.
    static func finish() throws {
        if close(STDOUT_FILENO) != 0 { throw lost(errno) }
    }

    /// - Throws: ``SpikeletError`` (`fileSystem`).
    fileprivate static func writeOutput(_ text: String) throws {
        guard let number = write(text, to: STDOUT_FILENO) else { return }
        if number == EPIPE, endsWithItsReader {
            signal(SIGPIPE, SIG_DFL)
            Interrupt.unblock(SIGPIPE)
            raise(SIGPIPE)
        }
        throw lost(number)
    }

    fileprivate static func writeError(_ text: String) { _ = write(text, to: STDERR_FILENO) }

    private static func lost(_ number: Int32) -> SpikeletError {
        guard number == EBADF else { return SpikeletError.fileSystem(.write, "standard output", errno: number) }
        return SpikeletError(
            .fileSystem, "cannot write: it is closed", at: "standard output", remedy: "lead it into a file, or into /dev/null")
    }

    /// - Returns: `nil`, or the `errno` of a failure.
    private static func write(_ text: String, to descriptor: Int32) -> Int32? {
        let bytes = Array(text.utf8)
        var done = 0
        while done < bytes.count {
            let written = bytes.withUnsafeBytes { writeBytes(descriptor, $0.baseAddress.map { $0 + done }, bytes.count - done) }
            if written > 0 {
                done += written
            } else if written < 0, errno == EAGAIN {
                // Somebody else made it non-blocking: wait until there is room.
                var place = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&place, 1, -1)
            } else if written == 0 || errno != EINTR {
                return written == 0 ? EIO : errno
            }
        }
        return nil
    }
}

/// Writes a line of results to standard output. A line break in it is written out: it can only be part of a name.
///
/// - Throws: ``SpikeletError`` (`fileSystem`) where it cannot be written.
func show(_ line: String) throws { try Streams.writeOutput(line.visible + "\n") }

/// Writes results of several lines to standard output, as their own description has them.
///
/// - Throws: ``SpikeletError`` (`fileSystem`) where they cannot be written.
func show(block: some CustomStringConvertible, terminator: String = "\n") throws {
    try Streams.writeOutput(block.description.visibleLines + terminator)
}

/// Writes a line to standard error, for what a person should know and a program need not.
func note(_ line: String) { Streams.writeError(line.withOptionNames.visible + "\n") }

/// Writes a result as JSON, to a file or (`-`) to standard output.
func writeJSON(_ value: some Encodable, to path: String) throws {
    let text = JSON.visible(String(decoding: try JSON.encode(value, isPretty: true), as: UTF8.self) + "\n")
    if path == "-" {
        try Streams.writeOutput(text)
    } else {
        try AtomicFile.write(to: path) { try $0.write(Array(text.utf8)) }
    }
}

extension SpikeletCommand {
    /// Sets up the standard streams: the first thing that the program does, before anything opens a file.
    package static func prepareStreams() {
        Streams.prepare()
        Progress.show { ProgressBar($0) }
    }

    /// Runs the command line, and ends the program with what came of it. Replaces ArgumentParser's own `main`, whose texts do not go through
    /// ``Streams``.
    package static func runProgram() async -> Never {
        var code = ExitCode.success
        do {
            var command = try await asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
            try Streams.finish()
        } catch {
            code = exitCode(for: error)
            let text = fullMessage(for: error, columns: nil).withOptionNames
            if code.isSuccess {
                // Help, and the like.
                do {
                    if !text.isEmpty { try show(block: text) }
                    try Streams.finish()
                } catch {
                    code = .failure
                    Streams.writeError(fullMessage(for: error, columns: nil).visibleLines + "\n")
                }
            } else if !text.isEmpty {
                Streams.writeError(text.visibleLines + "\n")
            }
        }
        end(code.rawValue)
    }
}

/// `exit(3)`, under a name that ArgumentParser's method does not hide.
private func end(_ code: Int32) -> Never { exit(code) }
