import SpikeGraph

/// Samples in memory: one array, kept in its file's own type. Numbers become floats when a batch asks for them.
struct ArraySamples: SampleSource {
    private let array: NumericArray
    private let name: String
    private let sampleSize: Int
    /// What becomes of each byte, per channel: one row of 256 for each. `nil` where the type is not uint8.
    private let byteTables: [[Float]]?
    private let channels: [(mean: Float, deviation: Float)]?

    var count: Int { array.shape[0] }
    var sampleShapes: [[Int]] { [Array(array.shape.dropFirst())] }

    /// - Parameter array: `[N, …]`; with a normalisation `[N, C, …]`.
    init(_ array: NumericArray, name: String, normalization: Normalization?) throws {
        self.array = array
        self.name = name
        sampleSize = array.count / (try Self.count(array.head, name: name))
        channels = try Self.channels(array.head, normalization, name: name)
        if array.elementType == .uint8 {
            byteTables = (channels ?? [(mean: 0, deviation: 1)]).map { channel in
                (0..<256).map { (Float($0) / 255 - channel.mean) / channel.deviation }
            }
        } else {
            byteTables = nil
        }
    }

    /// The number of samples that an array of this shape holds.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) where there are none.
    static func count(_ head: ArrayHead, name: String) throws -> Int {
        guard let count = head.shape.first else {
            throw SpikeletError(.invalidData, "the inputs are a single number, not an array of samples", at: name, remedy: shapeRemedy)
        }
        guard count > 0 else {
            throw SpikeletError(
                .invalidData, "the dataset is empty: it has 0 samples", at: name, remedy: "give data with at least one sample")
        }
        guard !head.shape.contains(0) else {
            throw SpikeletError(
                .invalidData, "samples of shape \(Array(head.shape.dropFirst())) hold no values", at: name, remedy: shapeRemedy)
        }
        return count
    }

    /// What a normalisation does to each channel.
    ///
    /// - Throws: ``SpikeletError`` (`invalidOption`) where it does not fit.
    static func channels(
        _ head: ArrayHead, _ normalization: Normalization?, name: String
    ) throws -> [(mean: Float, deviation: Float)]? {
        do {
            return try normalization?.perChannel(head.shape.count > 1 ? head.shape[1] : 1)
        } catch let error as SpikeletError {
            throw error.located(name)
        }
    }

    /// What a person should hear of the array: bytes that are no grey levels, as it seems, are divided by 255 all the same.
    var caution: String? {
        array.largestByte(atMost: 15).flatMap { largest in
            largest == 0
                ? nil
                : "\(name): no byte is above \(largest), and bytes become 0…1 by 1/255: counts or events should be saved as float32 instead"
        }
    }

    private static let shapeRemedy = "save the inputs as one array [N, C, H, W] or [N, features]"

    func inputs(at indices: ArraySlice<Int>) throws -> [Tensor] {
        let values = try byteTables.map { fromBytes(indices, $0) } ?? fromNumbers(indices)
        return [Tensor(values, shape: [indices.count] + array.shape.dropFirst())]
    }

    private func fromBytes(_ indices: ArraySlice<Int>, _ tables: [[Float]]) -> [Float] {
        let channelSize = sampleSize / tables.count
        return array.withUnsafeBytes { bytes in
            [Float](unsafeUninitializedCapacity: indices.count * sampleSize) { output, initialized in
                var place = 0
                for index in indices {
                    // Neither buffer checks its indices.
                    precondition(index >= 0 && index < count, "sample \(index) of \(count)")
                    var position = index * sampleSize
                    for table in tables {
                        table.withUnsafeBufferPointer { table in
                            for _ in 0..<channelSize {
                                output.initializeElement(at: place, to: table[Int(bytes[position])])
                                place += 1
                                position += 1
                            }
                        }
                    }
                }
                initialized = place
            }
        }
    }

    private func fromNumbers(_ indices: ArraySlice<Int>) throws -> [Float] {
        var values: [Float] = []
        values.reserveCapacity(indices.count * sampleSize)
        for index in indices {
            let sample = array.floats(in: index * sampleSize..<(index + 1) * sampleSize)
            if array.elementType.isFloatingPoint, let place = sample.firstIndex(where: { !$0.isFinite }) {
                throw SpikeletError(
                    .invalidData, "sample \(index) holds \(sample[place]) at position \(place)", at: name,
                    remedy: "inputs must be finite float32 numbers: remove or repair the sample")
            }
            guard let channels else {
                values += sample
                continue
            }
            let channelSize = sampleSize / channels.count
            for (channel, numbers) in channels.enumerated() {
                for value in sample[channel * channelSize..<(channel + 1) * channelSize] {
                    values.append((value - numbers.mean) / numbers.deviation)
                }
            }
        }
        return values
    }
}
