import CSpikelet
import Foundation
import SpikeFiles
import Spikelet

/// What every function of the C interface has in common: its errors, its handles, its texts. `spikelet.h` is the contract.
enum Door {
    /// Calls `body`, and says what came of it; an error is kept for ``lastError``.
    static func call(_ body: () throws -> Void) -> spikelet_status {
        _ = isReady
        do {
            try body()
            return SPIKELET_OK
        } catch is DoorProgress.Stopped {
            return SPIKELET_STOPPED
        } catch let error as SpikeletError where error.code == .interrupted && DoorProgress.current?.isStopped == true {
            return SPIKELET_STOPPED
        } catch let error as SpikeletError {
            keep(error)
        } catch let error as DecodingError {
            keep(SpikeletError(.invalidOption, error.sentence(about: "the options")))
        } catch {
            keep(SpikeletError(.unsupported, "\(error)"))
        }
        return SPIKELET_FAILED
    }

    /// Where long work tells of itself, set up once.
    private static let isReady: Bool = {
        Progress.show { DoorProgress.current?.begin($0) ?? DoorProgress.nowhere }
        return true
    }()

    // MARK: Errors

    private struct Failure: Encodable {
        var code: String
        var what: String
        var details: [String]
        var `where`: String?
        var remedy: String?
    }

    /// A text for each thread, freed with it.
    private static let lastErrorKey: pthread_key_t = {
        var key = pthread_key_t()
        pthread_key_create(&key) { free($0) }
        return key
    }()

    /// JSON of the thread's last error; `nil` where there was none.
    static var lastError: UnsafePointer<CChar>? {
        pthread_getspecific(lastErrorKey).map { UnsafePointer($0.assumingMemoryBound(to: CChar.self)) }
    }

    private static func keep(_ error: SpikeletError) {
        let failure = Failure(
            code: error.code.rawValue, what: error.message, details: error.details, where: error.location, remedy: error.remedy)
        free(pthread_getspecific(lastErrorKey))
        pthread_setspecific(lastErrorKey, (try? JSON.encode(failure)).map { strdup(String(decoding: $0, as: UTF8.self)) } ?? nil)
    }

    // MARK: Handles

    /// A handle on an object; the caller gives it back.
    static func handle(_ object: AnyObject) -> OpaquePointer { OpaquePointer(Unmanaged.passRetained(object).toOpaque()) }

    /// What a handle stands for.
    ///
    /// - Throws: ``SpikeletError`` (`invalidOption`) for none, or another kind of handle.
    static func object<Object: AnyObject>(_ handle: OpaquePointer?, _ name: String, as type: Object.Type = Object.self) throws -> Object {
        guard let handle else { throw missing(name) }
        let object = Unmanaged<AnyObject>.fromOpaque(UnsafeRawPointer(handle)).takeUnretainedValue()
        guard let object = object as? Object else {
            throw SpikeletError(.invalidOption, "\(name) is a handle of another kind", remedy: "pass what the header asks for")
        }
        return object
    }

    static func missing(_ name: String) -> SpikeletError { SpikeletError(.invalidOption, "\(name) is NULL", remedy: "pass one") }

    // MARK: Texts

    /// - Throws: ``SpikeletError`` (`invalidOption`) for none, or what is no UTF-8.
    static func text(_ pointer: UnsafePointer<CChar>?, _ name: String) throws -> String {
        guard let pointer else { throw missing(name) }
        guard let text = String(validatingCString: pointer) else {
            throw SpikeletError(.invalidOption, "\(name) is no UTF-8")
        }
        return text
    }

    /// The options in a JSON object. Unknown keys are an error: a misspelt option would change nothing, in silence.
    static func options<Options: DoorOptions>(_ pointer: UnsafePointer<CChar>?, as type: Options.Type = Options.self) throws -> Options {
        let bytes = Array(try pointer.map { try text($0, "options") }?.utf8 ?? "{}".utf8)
        let given = try JSON.decode([String: Ignored].self, from: bytes.isEmpty ? Array("{}".utf8) : bytes)
        let unknown = given.keys.filter { !Options.keys.contains($0) }.sorted()
        guard unknown.isEmpty else {
            throw SpikeletError(
                .invalidOption, "there is no option \(unknown.map { "`\($0)`" }.joined(separator: ", "))",
                remedy: Options.keys.isEmpty
                    ? "leave it out" : "the options are \(Options.keys.sorted().map { "`\($0)`" }.joined(separator: ", "))")
        }
        do {
            return try JSON.decode(Options.self, from: bytes.isEmpty ? Array("{}".utf8) : bytes)
        } catch let error as DecodingError {
            throw refusal(of: error, choices: Options.choices)
        }
    }

    /// What is wrong with an option's value.
    private static func refusal(of error: DecodingError, choices: [String: [String]]) -> SpikeletError {
        let name = error.path.first?.stringValue ?? ""
        if let choices = choices[name] {
            return SpikeletError(
                .invalidOption, "`\(name)` is none of its values", remedy: "they are \(choices.joined(separator: ", "))")
        }
        let place = "`\(name)`" + error.path.dropFirst().map(\.stringValue).map { ", at '\($0)'," }.joined()
        guard !name.isEmpty, case .typeMismatch(let type, _) = error else {
            guard !name.isEmpty, case .dataCorrupted(let context) = error else {
                return SpikeletError(.invalidOption, error.sentence(about: "the options"))
            }
            return SpikeletError(.invalidOption, "\(place) cannot be read: \(context.debugDescription)")
        }
        let kind =
            switch type {
            case is Bool.Type: "true or false"
            case is any BinaryInteger.Type: "a whole number"
            case is any BinaryFloatingPoint.Type: "a number"
            case is String.Type: "a text"
            default: "of the kind that it has to be"
            }
        return SpikeletError(.invalidOption, "\(place) is not \(kind)", remedy: "give \(kind), or leave it out")
    }

    /// Any value of JSON, passed over.
    private struct Ignored: Decodable { init(from decoder: any Decoder) {} }

    /// A text that the caller gives back.
    static func give(_ text: String, to place: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) { place?.pointee = strdup(text) }

    static func give(json value: some Encodable, to place: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) throws {
        give(String(decoding: try JSON.encode(value), as: UTF8.self), to: place)
    }

    static func require<Value>(_ place: UnsafeMutablePointer<Value>?, _ name: String) throws -> UnsafeMutablePointer<Value> {
        guard let place else { throw missing(name) }
        return place
    }

    /// How many threads a call works with.
    static var threads: Int {
        let asked = threadCount.load()
        return asked > 0 ? asked : ProcessInfo.processInfo.activeProcessorCount
    }

    static let threadCount = Locked(0)
}

/// Options of a function: all of them may be left out.
protocol DoorOptions: Decodable {
    /// The names of all of them.
    static var keys: Set<String> { get }
    /// The values that there are, of those that have few.
    static var choices: [String: [String]] { get }
}

extension DoorOptions {
    static var choices: [String: [String]] { [:] }
}

extension CaseIterable where Self: RawRepresentable, RawValue == String {
    /// Their names.
    static var values: [String] { allCases.map(\.rawValue) }
}

extension DecodingError {
    /// Where in the document.
    fileprivate var path: [any CodingKey] {
        switch self {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context), .dataCorrupted(let context):
            context.codingPath
        @unknown default: []
        }
    }
}

/// No options.
struct NoOptions: DoorOptions { static let keys: Set<String> = [] }

/// A value that several threads read and set.
final class Locked<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var value: Value

    init(_ value: Value) { self.value = value }

    func load() -> Value { lock.withLock { value } }
    func store(_ new: Value) { lock.withLock { value = new } }
}

@_cdecl("spikelet_version")
public func spikeletVersion() -> UnsafePointer<CChar>? { versionText }

nonisolated(unsafe) private let versionText = UnsafePointer(strdup("\(SpikeletVersion.current)/\(SPIKELET_INTERFACE)"))

@_cdecl("spikelet_last_error")
public func spikeletLastError() -> UnsafePointer<CChar>? { Door.lastError }

@_cdecl("spikelet_release")
public func spikeletRelease(_ handle: UnsafeMutableRawPointer?) {
    if let handle { Unmanaged<AnyObject>.fromOpaque(handle).release() }
}

@_cdecl("spikelet_free_text")
public func spikeletFreeText(_ text: UnsafeMutablePointer<CChar>?) { free(text) }

@_cdecl("spikelet_set_threads")
public func spikeletSetThreads(_ threads: Int32) -> Int32 {
    Door.status {
        guard (0...1024).contains(threads) else {
            throw SpikeletError(.invalidOption, "\(threads) threads", remedy: "give a number from 1 to 1024, or 0 for all cores")
        }
        Door.threadCount.store(Int(threads))
    }
}

extension Door {
    /// ``call(_:)``, as the number that C has for it.
    static func status(_ body: () throws -> Void) -> Int32 { Int32(call(body).rawValue) }
}
