/// Lets whoever asked for long work break it off.
///
///     try Cancellation.asking({ stopButton.isPressed }) { try evaluator.run(loader) }
public struct Cancellation: Sendable {
    private let isRequested: @Sendable () -> Bool

    @TaskLocal private static var current: Cancellation?

    /// Does work that may be broken off.
    ///
    /// - Parameters:
    ///   - isRequested: whether the work is to end. It is asked again and again, between batches, layers and portions of samples, by every
    ///     thread that takes part: so it should be quick.
    ///   - work: what is done.
    /// - Throws: ``SpikeletError`` (`interrupted`) where the end was asked for.
    public static func asking<Result>(_ isRequested: @escaping @Sendable () -> Bool, _ work: () throws -> Result) rethrows -> Result {
        try $current.withValue(Cancellation(isRequested: isRequested), operation: work)
    }

    /// - Throws: ``SpikeletError`` (`interrupted`) where the end was asked for.
    package static func check() throws {
        if current?.isRequested() == true { throw SpikeletError(.interrupted, "broken off") }
    }

    /// Whether this is a thread that works for another one.
    private var isCarried = false

    private init(isRequested: @escaping @Sendable () -> Bool) { self.isRequested = isRequested }

    /// What carries this thread's caller over to another thread, which works for the same.
    package static var carried: Carrier { Carrier(cancellation: current) }

    /// Whom other threads ask.
    package struct Carrier: Sendable {
        fileprivate let cancellation: Cancellation?

        /// Does work on another thread.
        package func callAsFunction<Result>(_ work: () throws -> Result) rethrows -> Result {
            guard var cancellation else { return try work() }
            cancellation.isCarried = true
            return try $current.withValue(cancellation, operation: work)
        }

        /// Whether the caller, on whose thread this is, has to be asked while other threads work.
        var isAskedMeanwhile: Bool { cancellation?.isCarried == false }

        /// Asks, so that the answer is known to all.
        func ask() { _ = cancellation?.isRequested() }
    }
}
