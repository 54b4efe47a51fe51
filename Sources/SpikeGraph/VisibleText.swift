/// Names come from files that strangers made, and go to terminals, which act on some characters instead of showing them.
extension StringProtocol {
    /// The text as one line that a terminal shows and does not act upon: characters that control it (Unicode's categories Cc and Cf:
    /// escapes, carriage returns, marks that turn the direction of writing) and line breaks stand there as `\u{1B}`.
    package var visible: String { written(keepingLines: false) }

    /// The same, but for the line feeds.
    package var visibleLines: String { written(keepingLines: true) }

    private func written(keepingLines: Bool) -> String {
        // What is plain ASCII, as nearly all is, has no such characters above it.
        if utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F || keepingLines && $0 == 0x0A }) { return String(self) }
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            if scalar.isVisible || keepingLines && scalar == "\n" {
                text.append(scalar)
            } else {
                text.append(contentsOf: "\\u{\(String(scalar.value, radix: 16, uppercase: true))}".unicodeScalars)
            }
        }
        return String(text)
    }

    /// How many columns of a terminal the text takes, if it is ``visible``: East Asian characters and emoji take two.
    ///
    /// Source: Unicode Standard Annex #11, the ranges that are wide as a whole.
    package var columns: Int { reduce(0) { $0 + $1.columns } }
}

extension Unicode.Scalar {
    /// Whether a terminal shows it, or draws it with what stands before.
    package var isVisible: Bool {
        switch properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: false
        default: true
        }
    }
}

extension Character {
    package var columns: Int {
        guard let first = unicodeScalars.first, first.value >= 0x1100 else { return 1 }
        return Self.wide.contains { $0.contains(first.value) } ? 2 : 1
    }

    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
        0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF, 0x20000...0x3FFFD,
    ]
}
