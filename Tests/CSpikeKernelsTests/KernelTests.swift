import CSpikeKernels
import Testing

/// Every kernel of kernels.def against plain Swift: that list is the list of arguments, so that a kernel cannot be registered
/// and not be tested.
@Suite struct `Kernels` {
    @Test(arguments: registrations.indices)
    func `a registered kernel computes what plain Swift does`(line: Int) throws {
        let (name, isa) = registrations[line]
        guard spike_isa_supported(isa) else { return }
        let table = try #require(spike_table(isa)).pointee
        for seed in 0..<120 {
            var random = SeededGenerator(seed * 1000 + line)
            switch name {
            case "gather_f32": checkGather(table, isFloat: true, &random)
            case "gather_i8": checkGather(table, isFloat: false, &random)
            case "gather_fire_i8": try checkGatherFire(table, &random)
            case "dense_i8": checkDense(table, &random)
            case "numbers_u8": checkNumbers(table, &random)
            case "layer_u8": checkLayer(table, &random)
            case "weighted_i16": checkWeighted(table, &random)
            case "counted_f32": checkCounted(table, &random)
            case "masked_f32": checkMasked(table, isFloat: true, &random)
            case "masked_i16": checkMasked(table, isFloat: false, &random)
            case "scatter_f32": checkScatter(table, isFloat: true, &random)
            case "scatter_i32": checkScatter(table, isFloat: false, &random)
            case "integrate_f32": checkIntegrate(table, isFloat: true, &random)
            case "integrate_i32": checkIntegrate(table, isFloat: false, &random)
            case "fire_if_f32": checkFire(table, .integrateAndFire, isFloat: true, &random)
            case "fire_if_i32": checkFire(table, .integrateAndFire, isFloat: false, &random)
            case "fire_signed_f32": checkFire(table, .signed, isFloat: true, &random)
            case "fire_signed_i32": checkFire(table, .signed, isFloat: false, &random)
            case "fire_burst_f32": checkFire(table, .burst, isFloat: true, &random)
            case "fire_burst_i32": checkFire(table, .burst, isFloat: false, &random)
            case "list_bits": checkLists(table, isCounts: false, &random)
            case "list_counts": checkLists(table, isCounts: true, &random)
            case "pool_bits": checkPool(table, isCounts: false, &random)
            case "pool_counts": checkPool(table, isCounts: true, &random)
            case "pool_sums": checkPoolSums(table, &random)
            case "analog_i32": checkAnalog(table, &random)
            case "rows_f32": checkRowProducts(table, SPIKE_NUMBERS_FLOAT, &random)
            case "rows_i16": checkRowProducts(table, SPIKE_NUMBERS_SHORTS, &random)
            case "rows_i8": checkRowProducts(table, SPIKE_NUMBERS_BYTES, &random)
            case "function_f32": checkFunctions(table, &random)
            case "pair_f32": checkPairs(table, &random)
            case "encode_f32":
                checkEncoding(table, &random)
                checkLadder(table, &random)
            case "standardise_f32": checkStandardisation(table, &random)
            case "reduce_f32": checkReduction(table, &random)
            case "depthwise_f32": checkDepthwise(table, &random)
            default: Issue.record("kernel '\(name)' is registered but has no test")
            }
        }
    }

    @Test func `spikes of an area are counted by channel`() {
        var random = SeededGenerator(2)
        for (height, width) in [(1, 1), (3, 5), (17, 31)] {
            let spikes = Spikes(&random, steps: 3, height: height, width: width, channels: 19, density: 0.6)
            var sums = [Float](repeating: -1, count: 3 * 24)
            spike_sum_bits(spikes.bits(), spikes.strides, 3, Int32(height), Int32(width), 3, &sums)
            for (index, sum) in sums.enumerated() {
                let places = (0..<height * width).map { ($0 / width, $0 % width) }
                let expected = index % 24 < 19 ? places.reduce(0) { $0 + spikes.at(index / 24, $1.0, $1.1, index % 24) } : 0
                #expect(sum == Float(expected))
            }
        }
    }

    @Test func `packing for int8 puts channels where sums are read`() {
        let row = (0..<64).map { Int8($0 - 32) }
        var packed = [UInt8](repeating: 0, count: 64)
        spike_pack_i8(row, 64, &packed)
        #expect(packed[0] == UInt8(Int(row[0]) + 128) && packed[1] == UInt8(bitPattern: row[16]))
        #expect(packed[34] == UInt8(Int(row[33]) + 128) && packed[35] == UInt8(bitPattern: row[49]))
    }

    @Test func `an instruction set that the machine lacks gives plain kernels`() throws {
        let all = (0..<SPIKE_ISA_COUNT.rawValue).map { spike_isa(rawValue: $0) }
        #expect(all.contains(spike_isa_default()))
        for isa in all where !spike_isa_supported(isa) {
            #expect(spike_table(isa) == spike_table(SPIKE_ISA_SCALAR))
        }
    }
}
