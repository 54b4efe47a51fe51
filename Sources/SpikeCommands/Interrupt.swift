import Foundation

/// Ctrl-C, and the signal by which a system asks a program to end: for work that has something to save first.
enum Interrupt {
    /// Catches the first of them; a second ends the program at once.
    static func watch() {
        signal(SIGINT, note)
        signal(SIGTERM, note)
        unblock(SIGINT, SIGTERM)
    }

    /// Lets this thread receive them: who starts a program from a thread of Dispatch's passes on that they are blocked.
    static func unblock(_ numbers: Int32...) {
        var signals = sigset_t()
        sigemptyset(&signals)
        for number in numbers { sigaddset(&signals, number) }
        pthread_sigmask(SIG_UNBLOCK, &signals, nil)
    }

    /// Whether one has come.
    static var isRequested: Bool { requested != 0 }

    nonisolated(unsafe) fileprivate static var requested: sig_atomic_t = 0
    private static let note: @convention(c) (Int32) -> Void = { _ in
        Interrupt.requested = 1
        signal(SIGINT, SIG_DFL)
        signal(SIGTERM, SIG_DFL)
    }
}
