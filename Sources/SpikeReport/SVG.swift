import Foundation
import SpikeGraph

/// A drawing in the SVG of an HTML page. Colours are the page's classes, so that they follow light, dark and print.
struct SVG {
    let width: Double
    let height: Double
    /// What the drawing shows, for those who do not see it.
    let title: String
    private var body = ""

    init(width: Double, height: Double, title: String) {
        self.width = width
        self.height = height
        self.title = title
    }

    mutating func line(_ x1: Double, _ y1: Double, _ x2: Double, _ y2: Double, _ style: String) {
        body += "<line x1=\"\(n(x1))\" y1=\"\(n(y1))\" x2=\"\(n(x2))\" y2=\"\(n(y2))\" class=\"\(style)\"/>"
    }

    mutating func path(_ points: [(Double, Double)], _ style: String, isClosed: Bool = false) {
        guard let first = points.first else { return }
        let rest = points.dropFirst().map { "L\(n($0.0)) \(n($0.1))" }.joined()
        body += "<path d=\"M\(n(first.0)) \(n(first.1))\(rest)\(isClosed ? "Z" : "")\" class=\"\(style)\"/>"
    }

    mutating func circle(_ x: Double, _ y: Double, _ radius: Double, _ style: String, hint: String? = nil) {
        body += "<circle cx=\"\(n(x))\" cy=\"\(n(y))\" r=\"\(n(radius))\" class=\"\(style)\"" + closing("circle", hint)
    }

    mutating func rectangle(
        _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ style: String, opacity: Double? = nil, hint: String? = nil
    ) {
        body += "<rect x=\"\(n(x))\" y=\"\(n(y))\" width=\"\(n(max(0, width)))\" height=\"\(n(max(0, height)))\" class=\"\(style)\""
        if let opacity { body += " opacity=\"\(n(opacity))\"" }
        body += closing("rect", hint)
    }

    /// A picture: one square a number, as strong as its share of the span from the least to the most. Squares of about the same
    /// strength are one path.
    ///
    /// - Parameters:
    ///   - values: rows of `columns` numbers.
    ///   - pixel: the side of a square.
    mutating func picture(
        _ values: [Float], columns: Int, x: Double, y: Double, pixel: Double, least: Float, most: Float, ground: String, style: String
    ) {
        guard columns > 0, most > least else { return }
        let rows = values.count / columns
        rectangle(x, y, pixel * Double(columns), pixel * Double(rows), ground)
        let levels = 12
        var paths = [String](repeating: "", count: levels + 1)
        for (index, value) in values.enumerated() where value.isFinite {
            let level = Int((Float(levels) * (value - least) / (most - least)).rounded())
            guard level > 0, level <= levels else { continue }
            let (left, top) = (x + Double(index % columns) * pixel, y + Double(index / columns) * pixel)
            // A little larger, so that no seam shows between two.
            paths[level] += "M\(n(left)) \(n(top))h\(n(pixel + 0.1))v\(n(pixel + 0.1))h\(n(-pixel - 0.1))z"
        }
        for (level, path) in paths.enumerated() where !path.isEmpty {
            body += "<path d=\"\(path)\" class=\"\(style)\" opacity=\"\(n(Double(level) / Double(levels)))\"/>"
        }
    }

    mutating func text(_ x: Double, _ y: Double, _ text: String, _ style: String = "", anchor: String = "start") {
        body += "<text x=\"\(n(x))\" y=\"\(n(y))\" text-anchor=\"\(anchor)\" class=\"\(style)\">\(escaped(text))</text>"
    }

    private func closing(_ element: String, _ hint: String?) -> String {
        hint.map { "><title>\(escaped($0))</title></\(element)>" } ?? "/>"
    }

    var markup: String {
        "<svg viewBox=\"0 0 \(n(width)) \(n(height))\" role=\"img\" aria-label=\"\(escaped(title))\">\(body)</svg>"
    }

    /// A coordinate, to a hundredth.
    private func n(_ value: Double) -> String {
        let rounded = (value * 100).rounded() / 100
        return rounded == rounded.rounded() ? String(Int(rounded)) : String(rounded)
    }
}

/// Text as HTML, in content and in attributes; characters that control what shows it are written out.
func escaped(_ text: String) -> String {
    text.visibleLines.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
        .replacingOccurrences(of: ">", with: "&gt;").replacingOccurrences(of: "\"", with: "&quot;")
}

/// A number as people write it: few digits, a true minus.
func figure(_ value: Double, digits: Int = 2) -> String {
    String(format: "%.\(digits)f", value).replacingOccurrences(of: "-", with: "−")
}

/// A large count: 4.56 M.
func magnitude(_ number: Double) -> String {
    switch abs(number) {
    case 1e9...: figure(number / 1e9) + " G"
    case 1e6...: figure(number / 1e6) + " M"
    case 1e3...: figure(number / 1e3, digits: 1) + " k"
    default: figure(number, digits: number == number.rounded() ? 0 : 2)
    }
}
