import Foundation
import Dispatch
import Spikelet

/// A line on standard error that says how far something long has come: `calibrating  42/100 batches  ████▌      3 s left`.
///
/// It shows itself only on a terminal, and only once the work has taken half a second; otherwise it is silent. It is safe
/// to advance from several threads.
package final class ProgressBar: ProgressDisplay, @unchecked Sendable {
    private let title: String
    private let unit: String
    private let total: Int?
    private let start = DispatchTime.now()
    private let lock = DispatchSemaphore(value: 1)
    private let isVisible = isatty(STDERR_FILENO) == 1
    private var completed: Int
    private var initial: Int
    private var estimator = RemainingTime()
    private var lastDrawn: Double = 0.3
    private var lastAdvanced: Double = 0
    /// Draws between two advances too, so that the time left runs down.
    private var timer: (any DispatchSourceTimer)?

    init(_ task: ProgressTask) {
        title = task.title
        total = task.total
        unit = task.unit
        completed = task.completed
        initial = task.completed
        guard isVisible else { return }
        let timer = DispatchSource.makeTimerSource(queue: .global(qos: .utility))
        timer.schedule(deadline: .now() + 0.5, repeating: 0.25)
        timer.setEventHandler { [weak self] in self?.tick() }
        timer.resume()
        self.timer = timer
    }

    deinit { timer?.cancel() }

    package func advance(by amount: Int, isWork: Bool) {
        lock.wait()
        defer { lock.signal() }
        completed += amount
        if !isWork { initial += amount }
        lastAdvanced = elapsed
        estimator.note(completed - initial, at: lastAdvanced)
        draw(at: lastAdvanced)
    }

    private func tick() {
        lock.wait()
        defer { lock.signal() }
        // Nothing has been done yet, or all is finished.
        guard timer != nil, completed > initial else { return }
        draw(at: elapsed)
    }

    /// Draws, unless that was just done.
    private func draw(at seconds: Double) {
        guard isVisible, seconds - lastDrawn > 0.2 else { return }
        lastDrawn = seconds
        let left = total.flatMap { estimator.seconds(for: $0 - completed) }.map { max(0, $0 - (seconds - lastAdvanced)) }
        let line = Self.line(title: title, unit: unit, completed: completed, total: total, left: left)
        write("\r\u{1B}[K" + line.prefix(Self.columns - 1))
    }

    /// Removes the line.
    package func finish() {
        lock.wait()
        defer { lock.signal() }
        timer?.cancel()
        timer = nil
        if isVisible, lastDrawn > 0.3 { write("\r\u{1B}[K") }
        lastDrawn = 0.3
    }

    /// The width of the terminal. A line that wraps could not be erased.
    private static var columns: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 1 else { return 80 }
        return Int(size.ws_col)
    }

    private var elapsed: Double {
        Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
    }

    private func write(_ text: String) {
        let bytes = Array(text.utf8)
        _ = bytes.withUnsafeBytes { writeBytes(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    /// The text of the bar.
    ///
    /// - Parameter left: the seconds that are left, where they can be told.
    package static func line(title: String, unit: String, completed: Int, total: Int?, left: Double?) -> String {
        let title = title.visible
        guard let total, total > 0 else { return "\(title)  \(grouped(completed)) \(unit)" }
        let share = min(1, Double(completed) / Double(total))
        let width = 24
        let eighths = Int(share * Double(width * 8))
        let partial = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
        let bar = String(repeating: "█", count: eighths / 8) + partial
        let padding = String(repeating: "·", count: max(0, width - bar.count))
        var text = "\(title)  \(grouped(completed))/\(grouped(total)) \(unit)  \(bar)\(padding)"
        if let left { text += "  \(duration(left)) left" }
        return text
    }

    private static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds.rounded())
        return whole < 90 ? "\(whole) s" : whole < 5400 ? "\(whole / 60) min \(whole % 60) s" : "\(whole / 3600) h \(whole % 3600 / 60) min"
    }

    private static func grouped(_ number: Int) -> String {
        var digits = String(number)
        var position = digits.count - 3
        while position > 0 {
            digits.insert(",", at: digits.index(digits.startIndex, offsetBy: position))
            position -= 3
        }
        return digits
    }
}

/// `write(2)`, under a name that the method above does not hide.
private func writeBytes(_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    write(descriptor, bytes, count)
}
