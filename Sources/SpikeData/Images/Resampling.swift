/// How the pixels of a picture of another size are computed.
public enum Interpolation: String, Sendable, Codable, CaseIterable {
    /// On straight lines between two pixels; on a cubic through four, as `a` = −0.5 has it.
    case bilinear, bicubic

    /// Half the width of the filter, in pixels of the larger of the two pictures.
    fileprivate var support: Double { self == .bilinear ? 1 : 2 }

    /// The filter: a triangle, or Keys' cubic with a = −½ ("Cubic convolution interpolation for digital image processing", 1981).
    fileprivate func weight(_ distance: Double) -> Double {
        let x = abs(distance)
        switch self {
        case .bilinear: return max(0, 1 - x)
        case .bicubic:
            if x < 1 { return (1.5 * x - 2.5) * x * x + 1 }
            return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0
        }
    }
}

/// Which pixels of one axis go into each new one, and with what weight.
///
/// Making a picture smaller widens the filter by the same factor (antialiasing). Weights are fixed-point numbers of 22 bits, and
/// each axis is rounded to bytes, the horizontal one first: so does Pillow. (Its version 13 takes the vertical axis first for some
/// shapes; single bytes then differ by 1.)
struct Resampling {
    /// Fractional bits of the weights: a sum of weighted bytes stays within 32 bits, with two bits to spare for overshooting.
    static let fractionBits = 22

    /// For each new pixel: the first old one, and where its weights are.
    let windows: [(first: Int, weights: Range<Int>)]
    let weights: [Int32]

    /// - Parameters:
    ///   - old: pixels of the axis, at least 1.
    ///   - new: the same afterwards.
    ///   - kept: those of the new pixels that are asked for.
    init(from old: Int, to new: Int, kept: Range<Int>, _ interpolation: Interpolation) {
        let scale = Double(old) / Double(new)
        let widening = max(scale, 1)
        let support = interpolation.support * widening
        var windows: [(first: Int, weights: Range<Int>)] = []
        var weights: [Int32] = []
        for pixel in kept {
            let center = (Double(pixel) + 0.5) * scale
            let first = max(0, Int(center - support + 0.5))
            let end = min(old, Int(center + support + 0.5))
            let raw = (first..<max(first, end)).map { interpolation.weight((Double($0) - center + 0.5) / widening) }
            let sum = raw.reduce(0, +)
            windows.append((first, weights.count..<weights.count + raw.count))
            weights += raw.map { weight in
                let exact = (sum == 0 ? weight : weight / sum) * Double(1 << Self.fractionBits)
                return Int32(exact < 0 ? exact - 0.5 : exact + 0.5)
            }
        }
        self.windows = windows
        self.weights = weights
    }
}

extension Picture {
    /// A part of this picture at another size.
    ///
    /// - Parameters:
    ///   - width, height: the new size of the whole.
    ///   - columns, rows: the part of it that is computed.
    func resized(
        width newWidth: Int, height newHeight: Int, columns: Range<Int>, rows: Range<Int>, _ interpolation: Interpolation
    ) -> Picture {
        let vertical = Resampling(from: height, to: newHeight, kept: rows, interpolation)
        // An axis that keeps its size keeps its pixels: at scale 1 either filter is 1 in the middle and 0 at its neighbours.
        let horizontal = Resampling(from: width, to: newWidth, kept: columns, interpolation)
        let firstRow = vertical.windows.first?.first ?? 0
        let endRow = vertical.windows.last.map { $0.first + $0.weights.count } ?? 0
        let across = sum(across: horizontal, rows: firstRow..<endRow)
        let stride = columns.count * 3
        let result = [UInt8](unsafeUninitializedCapacity: rows.count * stride) { output, initialized in
            across.withUnsafeBufferPointer { source in
                var sums = [Int32](repeating: 0, count: stride)
                for (row, window) in vertical.windows.enumerated() {
                    sums.withUnsafeMutableBufferPointer { sums in
                        sums.update(repeating: 1 << Int32(Resampling.fractionBits - 1))
                        for (offset, place) in window.weights.enumerated() {
                            let weight = vertical.weights[place]
                            let start = (window.first - firstRow + offset) * stride
                            let line = UnsafeBufferPointer(rebasing: source[start..<start + stride])
                            for index in 0..<stride { sums[index] &+= Int32(truncatingIfNeeded: line[index]) &* weight }
                        }
                        for index in 0..<stride { output[row * stride + index] = byte(sums[index]) }
                    }
                }
            }
            initialized = rows.count * stride
        }
        return Picture(width: columns.count, height: rows.count, pixels: result)
    }

    /// Some rows of this picture, with each made longer or shorter.
    private func sum(across horizontal: Resampling, rows: Range<Int>) -> [UInt8] {
        let count = horizontal.windows.count
        return [UInt8](unsafeUninitializedCapacity: rows.count * count * 3) { output, initialized in
            pixels.withUnsafeBufferPointer { pixels in
                horizontal.weights.withUnsafeBufferPointer { weights in
                    horizontal.windows.withUnsafeBufferPointer { windows in
                        var target = 0
                        for row in rows {
                            for window in windows {
                                var (red, green, blue) = (Self.half, Self.half, Self.half)
                                var place = (row * width + window.first) * 3
                                for index in window.weights {
                                    let weight = weights[index]
                                    red &+= Int32(truncatingIfNeeded: pixels[place]) &* weight
                                    green &+= Int32(truncatingIfNeeded: pixels[place + 1]) &* weight
                                    blue &+= Int32(truncatingIfNeeded: pixels[place + 2]) &* weight
                                    place += 3
                                }
                                output[target] = byte(red)
                                output[target + 1] = byte(green)
                                output[target + 2] = byte(blue)
                                target += 3
                            }
                        }
                    }
                }
            }
            initialized = rows.count * count * 3
        }
    }

    private static let half = Int32(1) << Int32(Resampling.fractionBits - 1)
}

/// A fixed-point sum as a byte; what a cubic overshoots is cut off.
@inline(__always)
private func byte(_ sum: Int32) -> UInt8 { UInt8(truncatingIfNeeded: max(0, min(255, sum >> Int32(Resampling.fractionBits)))) }
