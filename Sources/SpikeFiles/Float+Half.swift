extension Float {
    /// The value of an IEEE 754 binary16 number. Written out, since Swift's `Float16` does not exist on Intel Macs.
    package init(halfBits bits: UInt16) {
        let sign = UInt32(bits >> 15) << 31
        let exponent = UInt32(bits >> 10 & 0x1F)
        let fraction = UInt32(bits & 0x3FF)
        switch exponent {
        case 0:
            // Subnormal: fraction · 2⁻²⁴, exact in float32.
            self = Float(bitPattern: Float(fraction).bitPattern | sign) * 0x1p-24
        case 0x1F: self = Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        default: self = Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }
}
