import Foundation
import SpikeFiles
import SpikeGraph

extension Dataset {
    /// The two halves that published datasets come in.
    public enum Split: String, Sendable, CaseIterable, Codable {
        /// The two parts of a data set of the MNIST family.
        case train, test
    }

    /// Opens a dataset from its path. The kind is told from the name: an `.npz` file (arrays `images` or `x`, and `labels` or `y` if it has
    /// labels, or `targets` for a regression; labels that are no whole numbers are targets too), an `.npy` file (inputs only), a folder of IDX files as the MNIST family names them, plain
    /// or `.gz`, or a folder of JPEG and PNG pictures, with a folder for each class.
    ///
    /// uint8 becomes float by 1/255. Images `[N, H, W]` in IDX files become `[N, 1, H, W]`. Pictures become `[N, 3, H, W]`; they stay on
    /// the disk until a batch asks for them.
    ///
    /// - Parameters:
    ///   - split: which half of a folder of IDX files; not needed where it holds only one.
    ///   - images: what is done to pictures; `nil` is torchvision's usual 256 and 224.
    ///   - labels: a text file with the classes of pictures: on each line a path below the folder, of a picture or a folder, and a
    ///     class from 0.
    ///   - normalization: per channel, after bytes have become 0…1.
    /// - Throws: ``SpikeletError``: `fileSystem`, `malformedFile`, `invalidData`, `invalidOption`; `unsupported` for pictures without the
    ///   package trait `Images`.
    public init(
        path: String, split: Split? = nil, images transform: ImageTransform? = nil, labels: String? = nil,
        normalization: Normalization? = nil
    ) throws {
        let lowercased = path.lowercased()
        let isFolder = Self.isFolder(path)
        let isOfPictures = isFolder && !Self.holdsIDX(path) && ImageFolder.isLikely(path)
        if !isOfPictures, transform != nil || labels != nil {
            throw SpikeletError(
                .invalidOption, "sizes and labels of pictures are given, but this is no folder of pictures", at: path,
                remedy: "leave out `resize`, `crop`, `interpolation`, `grey` and `labels`")
        }
        if isOfPictures {
            guard split == nil else {
                throw SpikeletError(
                    .invalidOption, "a folder of pictures has no split '\(split?.rawValue ?? "")'", at: path,
                    remedy: "leave `split` out, and give the folder of the split you mean")
            }
            let folder = try ImageFolder(path, labels: labels)
            let samples = try ImageSamples(folder, transform: try transform ?? ImageTransform(), normalization: normalization)
            try self.init(samples, labels: folder.labels, name: path)
            return
        }
        if let split, !isFolder {
            throw SpikeletError(
                .invalidOption, "a single file has no split '\(split.rawValue)'", at: path,
                remedy: "leave `split` out; it chooses among the IDX files of a folder")
        }
        if isFolder {
            let (images, labels) = try Self.readIDXFolder(path, split: split)
            try self.init(images, labels: labels, normalization: normalization, name: path)
        } else if lowercased.hasSuffix(".npz") {
            try self.init(NPZ(path: path), normalization: normalization, name: path)
        } else if lowercased.hasSuffix(".npy") {
            try self.init(try NPY.read(path), normalization: normalization, name: path)
        } else {
            // A missing file is a better message than an unknown kind.
            _ = try OpenFile(reading: path)
            throw SpikeletError(
                .invalidData, "its kind is not known from its name", at: path,
                remedy: "give an .npz file, an .npy file, a folder of pictures or a folder of IDX files")
        }
    }

    /// What an archive's array of inputs may be called.
    package static let inputNames = ["images", "x"]

    /// The name of an archive's array of inputs.
    ///
    /// - Throws: ``SpikeletError`` (`invalidData`) where it has none, or two.
    static func inputName(in archive: NPZ, at path: String) throws -> String {
        let present = inputNames.filter(archive.names.contains)
        guard present.count < 2 else {
            throw SpikeletError(
                .invalidData, "it has both '\(present[0])' and '\(present[1])'", at: path, remedy: "keep one of them in the file")
        }
        guard let name = present.first else {
            throw SpikeletError(
                .invalidData, "it has no array 'images' or 'x'; \(archive.contentsHint)", at: path,
                remedy: "save the inputs under one of these names, as in numpy.savez(file, images=…, labels=…)")
        }
        return name
    }

    /// The arrays of an archive. What can be told by their shapes and by the small ones is told before the inputs are unpacked.
    private init(_ archive: NPZ, normalization: Normalization?, name path: String) throws {
        let inputs = try Self.inputName(in: archive, at: path)
        let head = try archive.head(inputs)
        let count = try ArraySamples.count(head, name: path)
        _ = try ArraySamples.channels(head, normalization, name: path)
        let answers = try Answers(archive, samples: count, inputs: head.shape, name: path)
        let samples = try ArraySamples(archive.array(inputs), name: path, normalization: normalization)
        try self.init(samples, answers: answers, cautions: [samples.caution], name: path)
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    private static func idxFile(_ split: Split, _ what: String, in folder: String) -> String? {
        let prefix = split == .train ? "train" : "t10k"
        // Some copies write a dot where the original has a hyphen.
        let names = ["\(prefix)-\(what)-ubyte", "\(prefix)-\(what)-ubyte.gz"].flatMap { [$0, $0.replacing("-idx", with: ".idx")] }
        return names.map { "\(folder)/\($0)" }.first { access($0, F_OK) == 0 }
    }

    private static func holdsIDX(_ folder: String) -> Bool {
        Split.allCases.contains { idxFile($0, "images-idx3", in: folder) != nil }
    }

    private static func readIDXFolder(_ folder: String, split: Split?) throws -> (images: NumericArray, labels: NumericArray?) {
        func imageFile(_ split: Split) -> String? { idxFile(split, "images-idx3", in: folder) }

        let present = Split.allCases.filter { imageFile($0) != nil }
        guard !present.isEmpty else {
            throw SpikeletError(
                .invalidData, "there is no data in this folder", at: folder,
                remedy: "it should hold one folder for each class with JPEG or PNG pictures, or IDX files: train-images-idx3-ubyte or "
                    + "t10k-images-idx3-ubyte, plain or .gz, and the labels beside them")
        }
        if split == nil, present.count > 1 {
            throw SpikeletError(
                .invalidOption, "this folder holds two sets of images", at: folder, remedy: "choose one: `split: train` or `split: test`")
        }
        let chosen = split ?? present[0]
        guard let imagePath = imageFile(chosen) else {
            throw SpikeletError(
                .invalidData, "this folder has no images of the split '\(chosen.rawValue)'", at: folder,
                remedy: "use `split: \(present[0].rawValue)`, or add the missing files")
        }
        let head = try IDX.head(imagePath)
        guard head.shape.count >= 2 else {
            throw SpikeletError(
                .invalidData, "\(head.shape) is no shape of images", at: imagePath,
                remedy: "the file should hold [N, H, W]; perhaps it holds the labels")
        }
        // Before the images are decompressed.
        let labels = try idxFile(chosen, "labels-idx1", in: folder).map { path in
            try Answers.checkLabels(IDX.head(path), samples: ArraySamples.count(head, name: folder), name: folder)
            return try IDX.read(path)
        }
        var images = try IDX.read(imagePath)
        if images.shape.count == 3 { images = images.reshaped(to: [images.shape[0], 1, images.shape[1], images.shape[2]]) }
        return (images, labels)
    }
}
