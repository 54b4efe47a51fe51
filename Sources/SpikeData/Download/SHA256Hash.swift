#if canImport(CryptoKit)
import CryptoKit
#else
import CLibCrypto
#endif
import SpikeFiles
import SpikeGraph

/// The SHA-256 of bytes that come piece by piece.
package final class SHA256Hash {
    #if canImport(CryptoKit)
    private var hash = SHA256()

    package init() {}

    package func update(_ bytes: UnsafeRawBufferPointer) {
        hash.update(bufferPointer: bytes)
    }

    /// 64 lower-case hexadecimal digits.
    package func finish() throws -> String {
        Self.hexadecimal(hash.finalize())
    }
    #else
    private let context: OpaquePointer?
    private var isGood: Bool

    package init() {
        context = EVP_MD_CTX_new()
        isGood = context != nil && EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1
    }

    deinit { EVP_MD_CTX_free(context) }

    package func update(_ bytes: UnsafeRawBufferPointer) {
        isGood = isGood && EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1
    }

    /// 64 lower-case hexadecimal digits.
    package func finish() throws -> String {
        var digest = [UInt8](repeating: 0, count: 32)
        guard isGood, EVP_DigestFinal_ex(context, &digest, nil) == 1 else {
            throw SpikeletError(
                .unsupported, "this system's libcrypto cannot compute SHA-256", remedy: "allow SHA-256 in its configuration")
        }
        return Self.hexadecimal(digest)
    }
    #endif

    private static func hexadecimal(_ digest: some Sequence<UInt8>) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    static func of(_ text: String) throws -> String {
        let hash = SHA256Hash()
        Array(text.utf8).withUnsafeBytes { hash.update($0) }
        return try hash.finish()
    }

    /// The hash of a file, read in pieces.
    static func of(_ file: OpenFile) throws -> String {
        let hash = SHA256Hash()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
        defer { buffer.deallocate() }
        var offset = 0
        while true {
            let count = try file.read(at: offset, into: buffer)
            if count == 0 { return try hash.finish() }
            hash.update(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            offset += count
        }
    }
}
