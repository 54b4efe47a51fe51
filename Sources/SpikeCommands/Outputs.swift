import Foundation
import SpikeFiles
import Spikelet

/// Finds out before the work whether its results will have a place: a missing folder is no news to get after an hour.
///
/// - Parameters:
///   - outputs: the paths of files to be written.
///   - inputs: what the command reads, and must not overwrite.
func checkOutputs(_ outputs: [String?], inputs: [String?] = []) throws {
    var taken = Set(inputs.compactMap { $0 }.map(realPath))
    for path in outputs.compactMap({ $0 }) {
        guard !path.isEmpty else { throw SpikeletError(.fileSystem, "the name '' is no file's", remedy: "name a file to write") }
        let files = FileManager.default
        var isFolder: ObjCBool = false
        let exists = files.fileExists(atPath: path, isDirectory: &isFolder)
        if isFolder.boolValue || path.hasSuffix("/") {
            throw SpikeletError(.fileSystem, "this is a folder", at: path, remedy: "name a file in it")
        }
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard files.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
            throw SpikeletError(
                .fileSystem, "the folder '\(folder)' does not exist", at: path, remedy: "make it first, or check the path")
        }
        // A file is replaced by a new one under its name, so the folder has to be writable too.
        guard files.isWritableFile(atPath: folder), !exists || files.isWritableFile(atPath: path) else {
            throw SpikeletError(
                .fileSystem, "writing here is not permitted", at: path, remedy: "choose a place that you may write to")
        }
        if exists { try checkKept(path, inputs: inputs.compactMap { $0 }) }
        guard taken.insert(realPath(path)).inserted else {
            throw SpikeletError(
                .fileSystem, "the command reads or writes this file already", at: path, remedy: "choose another name")
        }
    }
}

/// A file that is there already must be no part of what is read: of a folder, or the weights of a model.
private func checkKept(_ path: String, inputs: [String]) throws {
    let place = realPath(path)
    for input in inputs {
        var isPart = NetworkFile.isFolder(input) && place.hasPrefix(realPath(input) + "/")
        if !isPart, input.lowercased().hasSuffix(".onnx") {
            isPart = ONNXImporter.externalFiles(of: input).contains { realPath($0) == place }
        }
        if isPart {
            throw SpikeletError(
                .fileSystem, "it belongs to '\(input)', which the command reads", at: path, remedy: "choose another name")
        }
    }
}

private func realPath(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.resolvingSymlinksInPath().path
}

/// The largest output of the first samples, where the output is one row of numbers a sample.
func showClasses(_ output: Tensor, most: Int = 10) throws {
    guard output.elementType == .float32, output.rank == 2, output.shape[1] > 1 else { return }
    var rows = [["sample", "largest output", "value"]]
    let columns = output.shape[1]
    let values = output.floats
    for sample in 0..<min(most, output.shape[0]) {
        let row = values[sample * columns..<(sample + 1) * columns]
        let best = row.indices.reduce(row.startIndex) { row[$1] > row[$0] ? $1 : $0 }
        rows.append(["\(sample)", "\(best - row.startIndex)", "\(row[best])"])
    }
    try show(block: TextTable.format(rows, rightAligned: [0, 1, 2]), terminator: "")
    if output.shape[0] > most { try show("… and \(output.shape[0] - most) more") }
}

/// 1234567 → 1,234,567.
func grouped(_ number: Int) -> String {
    var text = ""
    for (position, digit) in String(number).reversed().enumerated() {
        if position > 0, position % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return String(text.reversed())
}
