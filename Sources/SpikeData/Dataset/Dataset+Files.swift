#if canImport(Darwin)
import Darwin
#else
import Glibc
#endif
import SpikeFiles
import SpikeGraph

extension Dataset {
    /// The two halves that published datasets come in.
    public enum Split: String, Sendable, CaseIterable, Codable {
        /// The two parts of a data set of the MNIST family.
        case train, test
    }

    /// Opens a dataset from its path. The kind is told from the name: an `.npz` file (arrays `images` or `x`, and `labels` or `y` if it has
    /// labels), an `.npy` file (inputs only), or a folder of IDX files as the MNIST family names them, plain or `.gz`.
    ///
    /// uint8 becomes float by 1/255. Images `[N, H, W]` in IDX files become `[N, 1, H, W]`.
    ///
    /// - Parameters:
    ///   - split: which half of a folder of IDX files; not needed where it holds only one.
    ///   - normalization: per channel, after bytes have become 0…1.
    /// - Throws: ``SpikeletError``: `fileSystem`, `malformedFile`, `invalidData`, `invalidOption`.
    public init(path: String, split: Split? = nil, normalization: Normalization? = nil) throws {
        let lowercased = path.lowercased()
        let isFolder = Self.isFolder(path)
        if let split, !isFolder {
            throw SpikeletError(
                .invalidOption, "a single file has no split '\(split.rawValue)'", at: path,
                remedy: "leave --split out; it chooses among the IDX files of a folder")
        }
        if isFolder {
            let (images, labels) = try Self.readIDXFolder(path, split: split)
            try self.init(images, labels: labels, normalization: normalization, name: path)
        } else if lowercased.hasSuffix(".npz") {
            let archive = try NPZ(path)
            func array(_ names: [String]) throws -> NumericArray? {
                let present = names.filter(archive.names.contains)
                guard present.count < 2 else {
                    throw SpikeletError(
                        .invalidData, "it has both '\(present[0])' and '\(present[1])'", at: path, remedy: "keep one of them in the file")
                }
                return try present.first.map { try archive.array($0) }
            }
            guard let images = try array(["images", "x"]) else {
                throw SpikeletError(
                    .invalidData, "it has no array 'images' or 'x'; \(archive.contentsHint)", at: path,
                    remedy: "save the inputs under one of these names, as in numpy.savez(file, images=…, labels=…)")
            }
            try self.init(images, labels: try array(["labels", "y"]), normalization: normalization, name: path)
        } else if lowercased.hasSuffix(".npy") {
            try self.init(try NPY.read(path), normalization: normalization, name: path)
        } else {
            // A missing file is a better message than an unknown kind.
            _ = try OpenFile(reading: path)
            throw SpikeletError(
                .invalidData, "its kind is not known from its name", at: path,
                remedy: "give an .npz file, an .npy file or a folder of IDX files")
        }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func readIDXFolder(_ folder: String, split: Split?) throws -> (images: NumericArray, labels: NumericArray?) {
        func file(_ split: Split, _ what: String) -> String? {
            let prefix = split == .train ? "train" : "t10k"
            // Some copies write a dot where the original has a hyphen.
            let names = ["\(prefix)-\(what)-ubyte", "\(prefix)-\(what)-ubyte.gz"].flatMap { [$0, dotted($0)] }
            return names.map { "\(folder)/\($0)" }.first { access($0, F_OK) == 0 }
        }
        func dotted(_ name: String) -> String { name.replacing("-idx", with: ".idx") }
        func imageFile(_ split: Split) -> String? { file(split, "images-idx3") }

        let present = Split.allCases.filter { imageFile($0) != nil }
        guard !present.isEmpty else {
            throw SpikeletError(
                .invalidData, "no IDX files in this folder", at: folder,
                remedy: "it should hold train-images-idx3-ubyte or t10k-images-idx3-ubyte, plain or .gz, and the labels beside them")
        }
        if split == nil, present.count > 1 {
            throw SpikeletError(
                .invalidOption, "this folder holds two sets of images", at: folder, remedy: "choose one: --split train or --split test")
        }
        let chosen = split ?? present[0]
        guard let imagePath = imageFile(chosen) else {
            throw SpikeletError(
                .invalidData, "this folder has no images of the split '\(chosen.rawValue)'", at: folder,
                remedy: "use --split \(present[0].rawValue), or add the missing files")
        }
        var images = try IDX.read(imagePath)
        guard images.shape.count >= 2 else {
            throw SpikeletError(
                .invalidData, "\(images.shape) is no shape of images", at: imagePath,
                remedy: "the file should hold [N, H, W]; perhaps it holds the labels")
        }
        if images.shape.count == 3 { images = images.reshaped(to: [images.shape[0], 1, images.shape[1], images.shape[2]]) }
        return (images, try file(chosen, "labels-idx1").map { try IDX.read($0) })
    }
}
