import Foundation
import TestSupport
import Testing

/// Opens every page that Spikelet makes in Chromium, wide and narrow, light and dark.
@Suite("Pages in a browser", .serialized, .enabled(if: Browser.executable != nil, "no Chromium here: Scripts/setup --browser installs it"))
struct BrowserTests {
    /// Windows that a page has to be good in.
    private static let windows = [(400, false), (1400, false), (400, true), (1400, true)]

    /// Checks a page in all windows; keeps pictures of it where `SPIKELET_SCREENSHOTS` names a folder.
    private func check(_ url: String, _ name: String, in browser: Browser, isReady: String = "true") throws {
        for (width, isDark) in Self.windows {
            let window = "\(name), \(width) pixels, \(isDark ? "dark" : "light")"
            try browser.open(url, width: width, isDark: isDark)
            try browser.wait(for: isReady)
            for state in ["closed", "open"] {
                if state == "open" { _ = try browser.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)") }
                let faults = try #require(try browser.evaluate(PageChecks.script) as? [String])
                #expect(faults.isEmpty, "\(window), details \(state): \(faults.joined(separator: "; "))")
            }
            if let folder = ProcessInfo.processInfo.environment["SPIKELET_SCREENSHOTS"] {
                try browser.screenshot().write(to: URL(fileURLWithPath: "\(folder)/\(name)-\(width)-\(isDark ? "dark" : "light").png"))
            }
        }
        try walk(name, in: browser)
        #expect(browser.complaints.isEmpty, "\(name): \(browser.complaints)")
    }

    /// Goes through the page by the tabulator key: everything is reached, and seen to be.
    private func walk(_ name: String, in browser: Browser) throws {
        let wanted = Set(try #require(try browser.evaluate(PageChecks.reachable) as? [Int]))
        _ = try browser.evaluate("document.activeElement.blur()")
        var reached: Set<Int> = []
        for _ in 0..<wanted.count + 2 {
            try browser.press("Tab")
            guard let element = try browser.evaluate(PageChecks.focused) as? [String: Any], let index = element["index"] as? Int else {
                continue
            }
            #expect(element["seen"] as? Bool == true, "\(name): focus on \(element) is not seen")
            reached.insert(index)
        }
        #expect(wanted.isSubset(of: reached), "\(name): \(wanted.count) to reach, \(wanted.subtracting(reached).count) not reached")
    }

    @Test func `the checks find what is wrong with a page`() throws {
        let folder = try Folder()
        let page = #"""
            <!DOCTYPE html><html><head></head><body style="background:#fff">
            <h2>One</h2><h4>Two</h4><p id="a" style="color:#999">pale</p><p id="a" style="width:3000px">wide</p>
            <svg viewBox="0 0 100 100"><text x="90" y="50">cut off</text></svg>
            <svg viewBox="0 0 4000 100" width="400" role="img" aria-label="tiny letters"><text x="9" y="50">tiny</text><line x2="50" class="grid"/></svg>
            <canvas width="5" height="5"></canvas><img src="data:," width="3" height="3"><button></button><input tabindex="-1">
            <div style="overflow-x:auto;width:50px"><p style="width:500px">scrolls</p></div><table><tr><td>1</td></tr></table>
            <ul><li class="key" style="background:#eee;width:9px;height:9px"></li></ul><script>console.error("oh"); missing()</script>
            </body></html>
            """#
        try folder.write(Data(page.utf8), "bad.html")
        let browser = try Browser()
        try browser.open(URL(fileURLWithPath: folder.file("bad.html")).absoluteString, width: 400)
        let faults = try #require(try browser.evaluate(PageChecks.script) as? [String])
        for part in [
            "no language", "no title", "no viewport", "not one main part", "wider than its window", "two elements have the id a",
            "0 first headings", "level 4 follows one of 2", "a drawing says not what it shows", "a drawing is empty: tiny letters",
            "pixels in: tiny letters", "text is cut off", "a picture says not what it shows", "no alternative text",
            "a control has no name",
            "does not reach", "cannot be scrolled by keyboard", "no headers", "of p#a", "texts were found", "of a mark: key",
        ] {
            #expect(faults.contains { $0.contains(part) }, "'\(part)' was not found: \(faults)")
        }
        #expect(browser.complaints.contains { $0.hasPrefix("console") } && browser.complaints.contains { $0.hasPrefix("exception") })
    }

    @Test func `a report and the demonstration's page`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(recipe: "signed", options: ["--steps", "8"])
        try await folder.succeeding(
            "evaluate", "snn.safetensors", "--data", "data.npz", "--ann", Repository.tiny, "--steps", "1,2,4,8", "--layers", "--report",
            "report.html")
        let models = URL(fileURLWithPath: Repository.model("")).path
        try await folder.succeeding("demo", "--network", "cnn", "--limit", "20", "--models", models)
        let browser = try Browser()
        for name in ["report", "demo"] {
            let url = URL(fileURLWithPath: folder.file("\(name).html")).absoluteString
            try check(url, name, in: browser)
            let drawings = try #require(try browser.evaluate("document.querySelectorAll('svg').length") as? Int)
            #expect(drawings >= 8, "\(name): \(drawings) drawings")
        }
    }

    @Test func `the live page`() async throws {
        let folder = try Folder()
        try await folder.makeNetwork(recipe: "signed", options: ["--steps", "8"])
        let server = try ExplorerProcess("snn.safetensors", "--data", "data.npz", "--ann", Repository.tiny, in: folder)
        let browser = try Browser()
        let isReady = "document.getElementById('page').dataset.state === 'ready'"
        try check(server.url, "explore", in: browser, isReady: isReady)
        // The slider is dragged by keyboard: the prediction follows, and so do the maps.
        func text(_ id: String) throws -> String { try browser.evaluate("document.getElementById('\(id)').textContent") as? String ?? "" }
        let pixels = "[...document.querySelectorAll('.layer canvas')].map(c => c.toDataURL()).join()"
        _ = try browser.evaluate("document.getElementById('step').focus()")
        let last = try browser.evaluate(pixels) as? String
        #expect(try text("prediction").hasPrefix("After 8 of 8 steps: class "))
        try browser.press("Home")
        #expect(try text("prediction").hasPrefix("After 1 of 8 steps: class "))
        #expect(try browser.evaluate(pixels) as? String != last)
        try browser.press("ArrowRight")
        #expect(try text("shown") == "2 of 8")
        // What is drawn is what the program says of the step.
        let facts = try #require(
            try browser.evaluate("[...document.querySelectorAll('[data-name=facts]')].map(p => p.textContent)") as? [String])
        #expect(facts.count == 3 && facts.allSatisfy { $0.contains(" spikes in this step, ") }, "\(facts)")
        // Another picture by the arrow keys.
        _ = try browser.evaluate("document.querySelector('#pictures input:checked').focus()")
        try browser.press("ArrowRight")
        try browser.wait(for: isReady + " && run.sample === 1")
        #expect(try browser.evaluate("document.querySelectorAll('#pictures input')[1].checked") as? Bool == true)
        // It plays to the end by itself.
        _ = try browser.evaluate("document.getElementById('play').focus()")
        try browser.press(" ")
        try browser.wait(for: "document.getElementById('play').textContent === 'Pause'")
        try browser.wait(for: "document.getElementById('play').textContent === 'Play'")
        #expect(try text("shown") == "8 of 8")
        #expect(browser.complaints.isEmpty, "\(browser.complaints)")
        // Without the server it says so.
        let (status, _) = try server.interrupt()
        #expect(status == 0)
        _ = try browser.evaluate("document.querySelectorAll('#pictures input')[2].click()")
        try browser.wait(for: "!document.getElementById('trouble').hidden")
        #expect(try text("trouble").contains("Is spikelet still running?"))
    }
}
