import Foundation
import SpikeData
import SpikeExplorer
import SpikeGraph
import TestSupport
import Testing

@Suite("The live page's server", .serialized)
struct ExplorerServerTests {
    @Test func `it serves a page that needs nothing else, and what the page asks for`() async throws {
        let sample = try Sample()
        try await withServer(sample.explorer()) { server in
            #expect(server.url == "http://127.0.0.1:\(server.port)/\(server.token)/" && server.token.count == 32)
            let page = try server.get("")
            #expect(page.status == 200 && page.headers["content-type"] == "text/html; charset=utf-8")
            #expect(!page.body.contains("http://www.") || page.body.contains("http://www.w3.org/2000/svg"))
            for outside in ["https://", "src=", "@import", "url("] { #expect(!page.body.contains(outside), "\(outside)") }
            let policy = try #require(page.headers["content-security-policy"])
            #expect(policy.contains("default-src 'none'") && !policy.contains("unsafe"))
            #expect(page.headers["cache-control"] == "no-store" && page.headers["referrer-policy"] == "no-referrer")
            let network = try server.get("network").json
            #expect(network["steps"] as? Int == 8 && network["samples"] as? Int == sample.data.count && network["hasANN"] as? Bool == true)
            let pictures = try server.get("pictures?from=2&count=3").json
            #expect((pictures["pictures"] as? [[String: Any]])?.compactMap { $0["sample"] as? Int } == [2, 3, 4])
            #expect(pictures["width"] as? Int == 8 && pictures["height"] as? Int == 8)
            let run = try server.get("run?sample=5").json
            #expect(run["sample"] as? Int == 5 && (run["layers"] as? [Any])?.count == 3)
            #expect(try server.answer(server.request("", host: "LOCALHOST:\(server.port)")).status == 200)
        }
        // Each server has a token of its own.
        #expect(RequestRules.makeToken() != RequestRules.makeToken())
    }

    @Test func `the ids of tokens are shown as a row of numbers`() async throws {
        let snn = try Graph(
            name: "tokens", inputs: [.init("ids", ValueType(.int64, [.batch, 3]))], outputs: [.init("y", value: "neurons")],
            nodes: [
                Node("embedded", .gather(Gather(axis: 0)), inputs: ["table", "ids"]),
                Node("neurons", .neuron(NeuronNode(IFNode())), inputs: ["embedded"]),
            ], constants: ["table": Tensor([0.25, 0.5, 0.75, 1] as [Float], shape: [4, 1])],
            spiking: SpikingDescription(recipe: "test"))
        let data = try DataLoader(Dataset(TensorSamples(tensor: Tensor([0, 1, 2, 3, 3, 1] as [Int64], shape: [2, 3]))))
        try await withServer(Explorer(snn, data: data, steps: 4)) { server in
            let pictures = try server.get("pictures?from=0&count=2").json
            #expect(pictures["width"] as? Int == 3 && pictures["height"] as? Int == 1)
            #expect(
                (pictures["pictures"] as? [[String: Any]])?.compactMap { $0["pixels"] as? String } == [
                    Data([0, 127, 255]).base64EncodedString(), Data([255, 255, 0]).base64EncodedString(),
                ])
            #expect(try server.get("run?sample=1").json["sample"] as? Int == 1)
        }
    }

    @Test func `other hosts and other sites are refused`() async throws {
        try await withServer(Sample().explorer()) { server async throws in
            let port = server.port
            for host in [
                "evil.example", "evil.example:\(port)", "127.0.0.1", "127.0.0.1:1", "localhost", "127.0.0.1:\(port).evil.example", "",
            ] {
                #expect(try server.answer(server.request("", host: host)).status == 421, "\(host)")
            }
            let path = "/\(server.token)/"
            #expect(try server.answer("GET \(path) HTTP/1.1\r\n\r\n").status == 421)
            #expect(try server.answer("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nHost: evil.example\r\n\r\n").status == 421)
            #expect(try server.answer("GET http://evil.example\(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\n\r\n").status == 400)
            #expect(try server.answer(server.request("network", headers: "Origin: http://evil.example\r\n")).status == 403)
            #expect(try server.answer(server.request("network", headers: "Origin: null\r\n")).status == 403)
            #expect(try server.answer(server.request("network", headers: "Origin: http://127.0.0.1:\(port)\r\n")).status == 200)
        }
    }

    @Test func `nothing is answered without the token`() async throws {
        try await withServer(Sample().explorer()) { server in
            let token = server.token
            let wrong = [
                "", String(token.dropLast()), token + "0", token.uppercased() + "x", String(repeating: "0", count: 32),
                String(token.dropLast()) + (token.hasSuffix("0") ? "1" : "0"),
            ]
            for given in wrong {
                for path in ["", "network", "run?sample=0", "pictures?from=0&count=1"] {
                    let answer = try server.answer("GET /\(given)/\(path) HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n\r\n")
                    #expect(answer.status == 403, "\(given)/\(path)")
                    #expect(!answer.body.contains(token))
                }
            }
            for path in ["/", "/favicon.ico", "/network"] {
                #expect(try server.answer("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n\r\n").status == 403, "\(path)")
            }
        }
        #expect(RequestRules.isEqual("abc", "abc"))
        for other in ["", "ab", "abd", "xbc", "abcd", "abc\0"] { #expect(!RequestRules.isEqual(other, "abc"), "\(other)") }
    }

    @Test func `no path leads out of it`() async throws {
        try await withServer(Sample().explorer()) { server in
            for path in [
                "../../etc/passwd", "..", "./", "%2e%2e/%2e%2e/etc/passwd", "..%2f..%2fetc/passwd", "..\\..\\etc\\passwd", "run/../network",
            ] {
                let answer = try server.get(path)
                #expect(answer.status == 400 && !answer.body.contains("root:"), "\(path)")
            }
            for path in ["etc/passwd", "index.html", "/etc/passwd", "network/", "run", "run?sample=0&x=1", "network?x=1", "/"] {
                #expect(try server.get(path).status == 404, "\(path)")
            }
            for path in [
                "run?sample=-1", "run?sample=100000", "pictures?from=0&count=61", "pictures?from=-1&count=1", "pictures?from=0&count=0",
            ] {
                #expect(try server.get(path).status == 404, "\(path)")
            }
            for path in ["run?sample=x", "run?sample", "run?sample=1&sample=2", "run?sample=99999999999999999999"] {
                #expect(try server.get(path).status == 400, "\(path)")
            }
        }
    }

    @Test func `other methods and what is no HTTP are refused`() async throws {
        try await withServer(Sample().explorer()) { server in
            for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"] {
                let answer = try server.answer(server.request("", method: method))
                #expect(answer.status == 405 && answer.headers["allow"] == "GET", "\(method)")
            }
            for text in [
                "FLY / HTTP/1.1\r\n\r\n", "\u{16}\u{3}\u{1}\u{0}garbage\r\n\r\n", "GET /\r\n\r\n", "GET / HTTP/1.1\r\nHost\r\n\r\n",
            ] {
                let answer = try server.answer(text)
                #expect((400..<500).contains(answer.status), "\(text)")
            }
            #expect(try server.get("network").status == 200)
        }
    }

    @Test func `oversized requests are refused before they are taken in`() async throws {
        try await withServer(Sample().explorer()) { server in
            let long = String(repeating: "a", count: 600)
            #expect(try server.get("network?" + long).status == 414)
            #expect(try server.answer(server.request("", headers: "X: \(String(repeating: "a", count: 20_000))\r\n")).status == 431)
            #expect(try server.answer(server.request("", headers: String(repeating: "X: a\r\n", count: 5000))).status == 431)
            #expect(try server.get(String(repeating: "a/", count: 20_000)).status == 431)
            #expect(try server.answer(server.request("", headers: "Content-Length: 1000000000\r\n")).status == 413)
            #expect(
                try server.answer(server.request("", headers: "Transfer-Encoding: chunked\r\n") + "5\r\nhello\r\n0\r\n\r\n").status == 413)
            #expect(try server.answer(server.request("", headers: "Content-Length: 3\r\n") + "abc").status == 413)
            // What goes on sending is cut off: never are all 64 MiB taken.
            let endless = try Loopback(port: server.port)
            endless.send(server.request("", headers: "X: "))
            var sent = 0
            for _ in 0..<64 {
                let count = endless.send(String(repeating: "a", count: 1 << 20))
                sent += count
                if count < 1 << 20 { break }
            }
            #expect(sent < 16 << 20, "\(sent) bytes")
            #expect(try server.get("network").status == 200)
        }
    }

    @Test func `it survives a thousand requests at a time`() async throws {
        let sample = try Sample()
        let explorer = try sample.explorer()
        try #require(Loopback.allowOpenFiles(3000), "this process may not open 3,000 files")
        try await withServer(explorer) { server in
            // All connections are open, and all requests sent, before the first answer is read.
            let paths = ["run?sample=", "pictures?count=2&from=", "network?", "nowhere?"]
            let connections = try (0..<1000).map { index in
                let connection = try Loopback(port: server.port)
                let path = paths[index % 4] + (index % 4 < 2 ? "\(index / 4 % 16)" : "")
                connection.send(server.request(path))
                return connection
            }
            for (index, connection) in connections.enumerated() {
                let answer = try Answer(connection.receive())
                #expect(answer.status == (index % 4 == 3 ? 404 : 200), "request \(index)")
                if index % 4 == 0 { #expect(answer.json["sample"] as? Int == index / 4 % 16) }
            }
            #expect(explorer.runs.simulations == 16)
            #expect(try server.get("network").status == 200)
        }
    }

    @Test func `connections that ask nothing do not hold up those that do`() async throws {
        try await withServer(Sample().explorer()) { server in
            // Six times as many as it works on: all of them would wait for twenty seconds each.
            #expect(Loopback.allowOpenFiles(2048))
            let silent = try (0..<6 * ExplorerServer.mostConnections).map { _ in try Loopback(port: server.port) }
            let start = ContinuousClock.now
            #expect(try server.get("network").status == 200)
            #expect(ContinuousClock.now - start < .seconds(10))
            // One that is taken in and takes its time, but not all of it, is answered.
            let late = try Loopback(port: server.port)
            late.send(String(server.request("network").prefix(10)))
            try await Task.sleep(for: .milliseconds(50))
            late.send(String(server.request("network").dropFirst(10)))
            #expect(try Answer(late.receive()).status == 200)
            withExtendedLifetime(silent) {}
        }
    }

    @Test func `a request that does not come to its end is given up`() async throws {
        try await withServer(Sample().explorer(), patience: .milliseconds(400)) { server in
            for begun in ["", "GET /", String(server.request("network").dropLast(2))] {
                let slow = try Loopback(port: server.port)
                slow.send(begun)
                #expect(try Answer(slow.receive()).status == 408, "\(begun)")
            }
            // Bytes that trickle in do not buy time.
            let trickle = try Loopback(port: server.port)
            var answer = ""
            for character in server.request("network", headers: "X: \(String(repeating: "a", count: 100))\r\n") {
                trickle.send(String(character))
                answer += trickle.receive(seconds: 0.02)
                if !answer.isEmpty { break }
            }
            #expect(try Answer(answer).status == 408)
            #expect(try server.get("network").status == 200)
        }
    }

    @Test func `a taken port is an error in words, and a stopped server's port is free`() async throws {
        let explorer = try Sample().explorer()
        let server = try await ExplorerServer(explorer)
        let port = server.port
        await #expect { _ = try await ExplorerServer(explorer, port: port) } throws: {
            "\($0)".contains("port \(port) is taken") && ($0 as? SpikeletError)?.code == .network
        }
        await #expect { _ = try await ExplorerServer(explorer, port: 70000) } throws: { "\($0)".contains("no port") }
        let open = try Loopback(port: port)
        try await server.stop()
        #expect(open.receive().isEmpty)
        #expect(throws: Loopback.Failure.self) { _ = try Loopback(port: port) }
        let again = try await ExplorerServer(explorer, port: port)
        #expect(try again.get("network").status == 200)
        try await again.stop()
    }
}

/// Samples of any element type.
private struct TensorSamples: SampleSource {
    let tensor: Tensor

    var count: Int { tensor.shape[0] }
    var sampleShapes: [[Int]] { [Array(tensor.shape.dropFirst())] }
    var elementTypes: [ElementType] { [tensor.elementType] }

    func inputs(at indices: ArraySlice<Int>) -> [Tensor] { [Tensor.joined(indices.map { tensor.samples($0..<$0 + 1) })] }
}
