import SpikeFiles
import Testing

@Suite struct HalfPrecisionTests {
    @Test(
        arguments: [
            (0x0000, 0), (0x3C00, 1), (0xC000, -2), (0x0001, 0x1p-24), (0x83FF, -0x1.FF8p-15), (0x0400, 0x1p-14), (0x7BFF, 65504),
            (0x7C00, .infinity), (0xFC00, -.infinity),
        ] as [(UInt16, Float)])
    func `zero, subnormal, normal and infinite numbers`(bits: UInt16, value: Float) {
        #expect(Float(halfBits: bits) == value)
    }

    @Test func `the sign of zero, and NaN`() {
        #expect(Float(halfBits: 0x8000).sign == .minus)
        #expect(Float(halfBits: 0x7E01).isNaN)
    }
}
