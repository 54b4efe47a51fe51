import SpikeGraph

/// What is done to a photograph before a network sees it: resized, cut to its middle, spread to 0…1, normalised. The same steps
/// as torchvision's transforms for evaluation (`Resize`, `CenterCrop`, `ToTensor`, `Normalize`), with their roundings.
public struct ImageTransform: Sendable, Equatable {
    /// The size of a picture after resizing or cropping.
    public enum Size: Sendable, Equatable {
        /// Resizing: the shorter side, with the longer one in proportion. Cropping: both sides.
        case side(Int)
        /// Both sides, whatever the proportion.
        case exact(height: Int, width: Int)
    }

    /// `nil`: pictures keep their size.
    public let resize: Size?
    /// `nil`: nothing is cut off. Where the picture is smaller, it gets a black border.
    public let crop: Size?
    /// How pixels between pixels are made.
    public let interpolation: Interpolation
    /// One channel instead of three: L = 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601).
    public let isGrey: Bool

    /// Without arguments: what torchvision's ResNets and most others there are evaluated with, but for the normalisation.
    ///
    /// - Throws: ``SpikeletError`` (`invalidOption`) for sizes outside 1…16,384.
    public init(
        resize: Size? = .side(256), crop: Size? = .side(224), interpolation: Interpolation = .bilinear, isGrey: Bool = false
    ) throws {
        for size in [resize, crop].compactMap({ $0 }) {
            guard [size.height, size.width].allSatisfy({ (1...16384).contains($0) }) else {
                throw SpikeletError(
                    .invalidOption, "\(size.height) × \(size.width) is no size of a picture", remedy: "use sides from 1 to 16384")
            }
        }
        self.resize = resize
        self.crop = crop
        self.interpolation = interpolation
        self.isGrey = isGrey
    }

    /// The shape of a sample made of a picture of this size: `[C, H, W]`.
    func shape(width: Int, height: Int) -> [Int] {
        let whole = resizedSize(width: width, height: height)
        return [isGrey ? 1 : 3, crop?.height ?? whole.height, crop?.width ?? whole.width]
    }

    private func resizedSize(width: Int, height: Int) -> (width: Int, height: Int) {
        switch resize {
        case nil: return (width, height)
        case .exact(let height, let width)?: return (width, height)
        case .side(let side)?:
            // Cut off, not rounded.
            let long = Int(Double(side * max(width, height)) / Double(min(width, height)))
            return width <= height ? (side, long) : (long, side)
        }
    }

    /// Bytes `[C, H, W]` of ``shape(width:height:)``.
    func bytes(of picture: Picture) -> [UInt8] {
        let whole = resizedSize(width: picture.width, height: picture.height)
        let columns = Self.middle(of: whole.width, crop?.width)
        let rows = Self.middle(of: whole.height, crop?.height)
        let part = picture.resized(
            width: whole.width, height: whole.height, columns: columns.kept, rows: rows.kept, interpolation)
        let (width, height) = (columns.count, rows.count)
        var result = [UInt8](repeating: 0, count: (isGrey ? 1 : 3) * width * height)
        var source = 0
        for row in rows.border..<rows.border + rows.kept.count {
            for column in columns.border..<columns.border + columns.kept.count {
                let (red, green, blue) = (part.pixels[source], part.pixels[source + 1], part.pixels[source + 2])
                source += 3
                let place = row * width + column
                if isGrey {
                    result[place] = Self.grey(red, green, blue)
                } else {
                    result[place] = red
                    result[place + width * height] = green
                    result[place + 2 * width * height] = blue
                }
            }
        }
        return result
    }

    /// The middle `wanted` of `count` pixels: those kept, how many there are with a border, and how wide its first part is.
    private static func middle(of count: Int, _ wanted: Int?) -> (kept: Range<Int>, count: Int, border: Int) {
        guard let wanted else { return (0..<count, count, 0) }
        guard wanted < count else { return (0..<count, wanted, (wanted - count) / 2) }
        // A half is rounded to the even neighbour, as Python does.
        let first = Int((Double(count - wanted) / 2).rounded(.toNearestOrEven))
        return (first..<first + wanted, wanted, 0)
    }

    /// BT.601's weights as multiples of 2⁻¹⁶, rounded.
    private static func grey(_ red: UInt8, _ green: UInt8, _ blue: UInt8) -> UInt8 {
        let sum: UInt32 = UInt32(red) &* 19595 &+ UInt32(green) &* 38470
        return UInt8(truncatingIfNeeded: (sum &+ UInt32(blue) &* 7471 &+ 0x8000) >> 16)
    }
}

extension ImageTransform.Size {
    var height: Int {
        switch self {
        case .side(let side): side
        case .exact(let height, _): height
        }
    }

    var width: Int {
        switch self {
        case .side(let side): side
        case .exact(_, let width): width
        }
    }
}
