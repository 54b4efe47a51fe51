/// Estimates how long the rest of some work takes, from how the second half of what is done went: the beginning is often slower
/// (memory to prepare, a part that is counted), and a machine's speed changes.
package struct RemainingTime: Sendable {
    /// How much was done when; both grow.
    private var marks: [(done: Int, seconds: Double)] = [(0, 0)]
    /// More marks than twice this are thinned out.
    private static let kept = 256

    package init() {}

    /// - Parameters:
    ///   - done: units of work since the start.
    ///   - seconds: since the start.
    package mutating func note(_ done: Int, at seconds: Double) {
        guard let last = marks.last, done > last.done else {
            // Nothing done yet: the clock of the work has not begun.
            if marks.count == 1, done == 0 { marks[0].seconds = seconds }
            return
        }
        marks.append((done, seconds))
        if marks.count > 2 * Self.kept {
            let lastIndex = marks.count - 1
            marks = marks.enumerated().filter { $0.offset % 2 == 0 || $0.offset == lastIndex }.map(\.element)
        }
    }

    /// The seconds that so many more units take; `nil` before anything is done.
    package func seconds(for left: Int) -> Double? {
        guard let last = marks.last, last.done > 0, let start = marks.last(where: { $0.done <= last.done / 2 }) else { return nil }
        return (last.seconds - start.seconds) / Double(last.done - start.done) * Double(max(0, left))
    }
}
