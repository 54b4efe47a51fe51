import Foundation

/// Chromium without a window, driven over the pipe that its `--remote-debugging-pipe` opens: JSON messages that end in a zero byte.
/// One test's, on one thread.
final class Browser {
    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    /// What the pages complained about: errors and warnings on the console, uncaught exceptions, failed requests.
    private(set) var complaints: [String] = []

    private let process: pid_t
    private let input: Int32
    private let output: Int32
    private let profile: Folder
    private var number = 0
    private var session: String?
    private var pending: [UInt8] = []

    /// Where a browser is: `SPIKELET_BROWSER`, else the usual names on the PATH and places.
    static let executable: String? = {
        let environment = ProcessInfo.processInfo.environment
        if let named = environment["SPIKELET_BROWSER"] { return named.isEmpty ? nil : named }
        let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let named = ["chromium", "chromium-browser", "google-chrome"].flatMap { name in folders.map { "\($0)/\(name)" } }
        let others = ["/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"]
        return (named + others).first(where: FileManager.default.isExecutableFile)
    }()

    init() throws {
        profile = try Folder()
        let (toBrowser, fromBrowser) = (try Self.pipe(), try Self.pipe())
        var arguments = [
            Self.executable ?? "chromium", "--headless=new", "--remote-debugging-pipe", "--user-data-dir=\(profile.path)", "--no-first-run",
            "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update", "--disable-sync",
            "--disable-extensions", "--mute-audio",
        ]
        // Chromium's own sandbox refuses to work for root. The pages are ours.
        if geteuid() == 0 { arguments.append("--no-sandbox") }
        arguments.append("about:blank")
        process = try Self.spawn(arguments, reading: toBrowser.read, writing: fromBrowser.write)
        close(toBrowser.read)
        close(fromBrowser.write)
        (input, output) = (toBrowser.write, fromBrowser.read)
        let target = try call("Target.createTarget", ["url": "about:blank"])["targetId"] as? String ?? ""
        session = try call("Target.attachToTarget", ["targetId": target, "flatten": true])["sessionId"] as? String
        for domain in ["Page", "Runtime", "Log", "Network"] { _ = try call("\(domain).enable", [:]) }
    }

    deinit {
        _ = try? call("Browser.close", [:])
        close(input)
        close(output)
        // It ends when its pipe does; what hangs nevertheless is ended.
        var status: Int32 = 0
        for _ in 0..<100 where waitpid(process, &status, WNOHANG) == 0 { usleep(20_000) }
        if kill(process, 0) == 0 {
            kill(process, SIGKILL)
            waitpid(process, &status, 0)
        }
    }

    // MARK: What a person does

    /// Opens a page in a window of this size.
    func open(_ url: String, width: Int, height: Int = 900, isDark: Bool = false) throws {
        try resize(width: width, height: height, isDark: isDark)
        let answer = try call("Page.navigate", ["url": url])
        if let error = answer["errorText"] as? String { throw Failure(description: "\(url): \(error)") }
        try wait(for: "document.readyState === 'complete'")
    }

    func resize(width: Int, height: Int = 900, isDark: Bool = false) throws {
        _ = try call(
            "Emulation.setDeviceMetricsOverride", ["width": width, "height": height, "deviceScaleFactor": 1, "mobile": false])
        _ = try call(
            "Emulation.setEmulatedMedia", ["features": [["name": "prefers-color-scheme", "value": isDark ? "dark" : "light"]]])
    }

    /// Presses and releases a key, such as `Tab` or `ArrowRight`.
    func press(_ key: String) throws {
        let codes = [
            "Tab": 9, "Enter": 13, " ": 32, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, "End": 35,
        ]
        var parameters: [String: Any] = ["key": key, "code": key == " " ? "Space" : key, "windowsVirtualKeyCode": codes[key] ?? 0]
        if key == " " { parameters["text"] = " " }
        for type in [key == " " ? "keyDown" : "rawKeyDown", "keyUp"] {
            parameters["type"] = type
            _ = try call("Input.dispatchKeyEvent", parameters)
        }
    }

    /// The value of a JavaScript expression in the page.
    func evaluate(_ expression: String) throws -> Any? {
        let answer = try call("Runtime.evaluate", ["expression": expression, "returnByValue": true, "awaitPromise": true])
        if let details = answer["exceptionDetails"] as? [String: Any] {
            let exception = details["exception"] as? [String: Any]
            throw Failure(description: exception?["description"] as? String ?? "\(details)")
        }
        return (answer["result"] as? [String: Any])?["value"]
    }

    /// Waits until an expression is true.
    func wait(for expression: String, seconds: Double = 30) throws {
        let end = Date() + seconds
        while try evaluate(expression) as? Bool != true {
            guard Date() < end else { throw Failure(description: "waited in vain for: \(expression)") }
            usleep(20_000)
        }
    }

    /// The whole page as a PNG file.
    func screenshot() throws -> Data {
        let size = try call("Page.getLayoutMetrics", [:])["cssContentSize"] as? [String: Any]
        let clip: [String: Any] = ["x": 0, "y": 0, "width": size?["width"] ?? 0, "height": size?["height"] ?? 0, "scale": 1]
        let answer = try call("Page.captureScreenshot", ["format": "png", "captureBeyondViewport": true, "clip": clip])
        return Data(base64Encoded: answer["data"] as? String ?? "") ?? Data()
    }

    // MARK: Messages

    /// Sends a command and waits for its answer; what happens meanwhile is looked through for complaints.
    private func call(_ method: String, _ parameters: [String: Any]) throws -> [String: Any] {
        number += 1
        var message: [String: Any] = ["id": number, "method": method, "params": parameters]
        if let session { message["sessionId"] = session }
        try send(try JSONSerialization.data(withJSONObject: message) + [0])
        while true {
            let answer = try receive()
            if answer["id"] as? Int == number {
                if let error = answer["error"] as? [String: Any] { throw Failure(description: "\(method): \(error)") }
                return answer["result"] as? [String: Any] ?? [:]
            }
            note(answer)
        }
    }

    private func note(_ event: [String: Any]) {
        let parameters = event["params"] as? [String: Any] ?? [:]
        switch event["method"] as? String {
        case "Runtime.exceptionThrown": complaints.append("exception: \(parameters["exceptionDetails"] ?? "")")
        case "Runtime.consoleAPICalled":
            if ["error", "warning", "assert"].contains(parameters["type"] as? String) {
                complaints.append("console: \(parameters["args"] ?? "")")
            }
        case "Log.entryAdded":
            let entry = parameters["entry"] as? [String: Any] ?? [:]
            if ["error", "warning"].contains(entry["level"] as? String) {
                complaints.append("log: \(entry["text"] ?? "") \(entry["url"] ?? "")")
            }
        case "Network.loadingFailed":
            if parameters["canceled"] as? Bool != true { complaints.append("network: \(parameters["errorText"] ?? "")") }
        default: break
        }
    }

    private func send(_ data: Data) throws {
        var rest = Array(data)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
            guard count > 0 else { throw Failure(description: "the browser takes no commands any more") }
            rest = rest.dropFirst(count)
        }
    }

    private func receive() throws -> [String: Any] {
        while true {
            if let end = pending.firstIndex(of: 0) {
                let message = Data(pending[..<end])
                pending.removeSubrange(...end)
                return try JSONSerialization.jsonObject(with: message) as? [String: Any] ?? [:]
            }
            var query = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            guard poll(&query, 1, 60_000) > 0 else { throw Failure(description: "the browser says nothing any more") }
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            let count = read(output, &buffer, buffer.count)
            guard count > 0 else { throw Failure(description: "the browser has ended") }
            pending += buffer[..<count]
        }
    }

    // MARK: The process

    /// Two ends of a pipe that no other child of these tests inherits.
    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard Foundation.pipe(&ends) == 0 else { throw Failure(description: "no pipe") }
        return (high(ends[0]), high(ends[1]))
    }

    /// The same file under a number that nothing is put over, closed in children.
    private static func high(_ descriptor: Int32) -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 64)
        close(descriptor)
        return copy
    }

    /// Starts a program with two files more: number 3, which it reads, and number 4, which it writes.
    private static func spawn(_ arguments: [String], reading: Int32, writing: Int32) throws -> pid_t {
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        #else
        var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for descriptor: Int32 in 0...2 { posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0) }
        posix_spawn_file_actions_adddup2(&actions, reading, 3)
        posix_spawn_file_actions_adddup2(&actions, writing, 4)
        var pointers = arguments.map { strdup($0) } + [nil]
        defer { for pointer in pointers { free(pointer) } }
        var process: pid_t = 0
        let status = posix_spawn(&process, arguments[0], &actions, nil, &pointers, environ)
        guard status == 0 else { throw Failure(description: "\(arguments[0]): \(String(cString: strerror(status)))") }
        return process
    }
}
