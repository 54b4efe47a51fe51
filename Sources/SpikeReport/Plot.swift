import Foundation

/// A drawing area with two axes.
struct Plot {
    /// How values become positions.
    struct Axis {
        var range: ClosedRange<Double>
        var isLogarithmic = false
        var ticks: [Double]
        var label: String
        /// A tick's text.
        var text: (Double) -> String = { figure($0, digits: $0 == $0.rounded() ? 0 : 2) }

        /// 0…1 along the axis.
        func share(_ value: Double) -> Double {
            let (low, high) = (range.lowerBound, range.upperBound)
            guard high > low else { return 0.5 }
            return isLogarithmic ? log(value / low) / log(high / low) : (value - low) / (high - low)
        }

        /// What stands at a share of the axis.
        func value(_ share: Double) -> Double {
            let (low, high) = (range.lowerBound, range.upperBound)
            return isLogarithmic ? low * pow(high / low, share) : low + share * (high - low)
        }

        /// From zero or below to the largest value, with round ticks.
        static func linear(_ range: ClosedRange<Double>, label: String, text: ((Double) -> String)? = nil) -> Axis {
            let span = max(range.upperBound - range.lowerBound, 1e-12)
            let power = pow(10, floor(log10(span / 4)))
            let step = [1.0, 2, 5, 10].map { $0 * power }.first { span / $0 <= 5 } ?? power * 10
            let low = (range.lowerBound / step).rounded(.down) * step
            let high = (range.upperBound / step - 1e-9).rounded(.up) * step
            let count = Int(((high - low) / step).rounded())
            let digits = max(0, Int(ceil(-log10(step) - 1e-9)))
            return Axis(
                range: low...max(high, low + step), ticks: (0...max(1, count)).map { low + Double($0) * step }, label: label,
                text: text ?? { figure($0, digits: digits) })
        }
    }

    let x: Axis
    let y: Axis
    var drawing: SVG
    private let left = 46.0
    private let right = 10.0
    private let top = 24.0
    private let bottom = 38.0

    init(_ title: String, x: Axis, y: Axis, width: Double = 400, height: Double = 250) {
        self.x = x
        self.y = y
        drawing = SVG(width: width, height: height, title: title)
        for tick in y.ticks {
            drawing.line(left, placeY(tick), width - right, placeY(tick), "grid")
            drawing.text(left - 6, placeY(tick) + 4, y.text(tick), anchor: "end")
        }
        for tick in x.ticks {
            drawing.line(placeX(tick), height - bottom, placeX(tick), height - bottom + 4, "axis")
            drawing.text(placeX(tick), height - bottom + 17, x.text(tick), anchor: "middle")
        }
        drawing.line(left, height - bottom, width - right, height - bottom, "axis")
        drawing.text((left + width - right) / 2, height - 4, x.label, "label", anchor: "middle")
        drawing.text(4, 12, y.label, "label")
    }

    func placeX(_ value: Double) -> Double { left + x.share(value) * (drawing.width - left - right) }

    func placeY(_ value: Double) -> Double { drawing.height - bottom - y.share(value) * (drawing.height - top - bottom) }

    mutating func curve(_ points: [(x: Double, y: Double)], _ style: String) {
        drawing.path(points.map { (placeX($0.x), placeY($0.y)) }, style)
    }

    mutating func dots(_ points: [(x: Double, y: Double)], _ style: String, radius: Double = 3, hint: ((Double, Double) -> String)? = nil) {
        for point in points { drawing.circle(placeX(point.x), placeY(point.y), radius, style, hint: hint?(point.x, point.y)) }
    }

    /// An upright bar from zero.
    mutating func bar(from left: Double, to right: Double, height: Double, _ style: String) {
        guard height > 0 else { return }
        drawing.rectangle(placeX(left), placeY(height), placeX(right) - placeX(left) - 0.5, placeY(0) - placeY(height), style)
    }

    /// A curve without the parts below the axis's least value.
    mutating func clippedCurve(_ points: [(x: Double, y: Double)], _ style: String) {
        let low = y.range.lowerBound
        var part: [(x: Double, y: Double)] = []
        for (index, point) in points.enumerated() {
            if index > 0 {
                let before = points[index - 1]
                if (before.y < low) != (point.y < low) {
                    // On the way between the two, as the axis places them.
                    let share = (low - before.y) / (point.y - before.y)
                    let (left, right) = (x.share(before.x), x.share(point.x))
                    part.append((x.value(left + share * (right - left)), low))
                    if point.y < low {
                        curve(part, style)
                        part = []
                    }
                }
            }
            if point.y >= low { part.append(point) }
        }
        if part.count > 1 { curve(part, style) }
    }

    /// The area between two curves.
    mutating func band(_ points: [(x: Double, low: Double, high: Double)], _ style: String) {
        let edge = points.map { (placeX($0.x), placeY($0.high)) } + points.reversed().map { (placeX($0.x), placeY($0.low)) }
        drawing.path(edge, style, isClosed: true)
    }

    var markup: String { drawing.markup }
}

extension Plot.Axis {
    /// Every step from 1 to `count`.
    static func timeSteps(_ count: Int) -> Plot.Axis {
        let quarters = count >= 8 ? (1...4).map { Double((count * $0 + 2) / 4) } : (2...max(2, count)).map(Double.init)
        return Plot.Axis(
            range: 1...Double(max(2, count)), ticks: [1] + quarters, label: "time step", text: { figure($0, digits: 0) })
    }

    /// Powers of two from `least` to `most`.
    static func steps(_ values: [Int]) -> Plot.Axis {
        let (least, most) = (Double(values.min() ?? 1), Double(values.max() ?? 1))
        let all = Set(values).sorted().map(Double.init)
        let ticks = all.count <= 9 ? all : all.filter { $0.truncatingRemainder(dividingBy: 2) == 0 || $0 == least }
        return Plot.Axis(
            range: least < most ? least...most : least * 0.7...most * 1.4, isLogarithmic: true, ticks: ticks, label: "time steps",
            text: { figure($0, digits: 0) })
    }
}
