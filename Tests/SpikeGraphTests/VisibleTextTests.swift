import SpikeGraph
import TestSupport
import Testing

@Suite struct VisibleTextTests {
    @Test func `what a terminal would act upon is written out`() {
        #expect("plain 'name' – größer ×8 層 é 🧠".visible == "plain 'name' – größer ×8 層 é 🧠")
        #expect("a\u{1B}[31mb".visible == "a\\u{1B}[31mb")
        #expect("a\r\n\tb\u{7F}".visible == "a\\u{D}\\u{A}\\u{9}b\\u{7F}")
        // Control characters of 8 bits, marks of direction, separators of lines and paragraphs, what has no width.
        #expect("\u{9B}2J\u{202E}\u{2066}\u{2028}\u{2029}\u{200B}\u{FEFF}\u{E0041}".visible.allSatisfy { $0.isASCII && !$0.isNewline })
        #expect("a\nb\u{1B}".visibleLines == "a\nb\\u{1B}")
        #expect("a\r\nb".visibleLines == "a\\u{D}\nb")
    }

    @Test func `an error is on as many lines as it has parts, whatever names it holds`() {
        let error = SpikeletError(
            .invalidModel, "node 'a\nb' is wrong:", details: ["- 'c\rd'", "- 'e\u{2028}f'"], at: "x\ny.onnx", remedy: "rename 'a\nb'")
        #expect(error.description.split(separator: "\n").count == 4)
        #expect(
            error.description == """
                x\\u{A}y.onnx: node 'a\\u{A}b' is wrong:
                  - 'c\\u{D}d'
                  - 'e\\u{2028}f'
                  → rename 'a\\u{A}b'
                """)
        #expect(SpikeletError.list((0..<25).map { "\($0)" }).suffix(2) == ["- 19", "- and 5 more"])
    }

    @Test func `columns stay where they are beside wide and strange names`() {
        let rows = [["name", "n"], ["plain", "1"], ["層の名前", "2"], ["a\u{1B}\nb", "3"], ["cafe\u{301}", "4"]]
        let lines = TextTable.format(rows, rightAligned: [1]).split(separator: "\n")
        #expect(lines.count == 6)
        // The last column ends in the same one everywhere.
        #expect(Set((lines.prefix(1) + lines.dropFirst(2)).map { String($0).columns }) == [16])
        #expect("層".columns == 2 && "é".columns == 1 && "🧠".columns == 2 && "".columns == 0)
        let long = TextTable.format([["name", "n"], [String(repeating: "層", count: 80), "1"]], names: [0], width: 40).split(separator: "\n")
        #expect(long.allSatisfy { String($0).columns <= 40 })
        #expect(long[2].hasPrefix("…層"))
    }
}
