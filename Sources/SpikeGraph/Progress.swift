import Dispatch

/// Shows how far a piece of long work has come. It may be told from several threads.
public protocol ProgressDisplay: Sendable {
    /// `amount` more units are done.
    ///
    /// - Parameter isWork: whether they took time; else they were there already, and say nothing of the speed.
    func advance(by amount: Int, isWork: Bool)
    /// The work has ended.
    func finish()
}

extension ProgressDisplay {
    /// One more unit, or several, that took time.
    public func advance(by amount: Int = 1) { advance(by: amount, isWork: true) }
}

/// A piece of long work: calibration, evaluation, a download.
public struct ProgressTask: Sendable {
    /// What is done, in a few words.
    public var title: String
    /// How much there is to do, in units; `nil` where it is not known.
    public var total: Int?
    /// What is counted: "batches".
    public var unit: String
    /// What was there already, as of a download that goes on.
    public var completed = 0
}

/// Where long work says how far it has come: nowhere, until a program wants to show it.
///
///     Progress.show { task in Line(task) }
public enum Progress {
    private static let lock = DispatchSemaphore(value: 1)
    nonisolated(unsafe) private static var makeDisplay: (@Sendable (ProgressTask) -> any ProgressDisplay)?

    /// Shows all work that begins from now on in the displays that `make` gives; `nil`: nowhere.
    public static func show(_ make: (@Sendable (ProgressTask) -> any ProgressDisplay)?) {
        lock.wait()
        defer { lock.signal() }
        makeDisplay = make
    }

    /// The display of a piece of work that begins.
    package static func begin(_ title: String, total: Int?, unit: String, completed: Int = 0) -> any ProgressDisplay {
        lock.wait()
        let make = makeDisplay
        lock.signal()
        return make?(ProgressTask(title: title, total: total, unit: unit, completed: completed)) ?? Silence()
    }

    private struct Silence: ProgressDisplay {
        func advance(by amount: Int, isWork: Bool) {}
        func finish() {}
    }
}
