/// The frame of a page: everything that it needs is in it.
package enum Page {
    static func html(title: String, body: String) -> String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8"/>
        <meta name="viewport" content="width=device-width, initial-scale=1"/>
        <title>\(escaped(title)) – Spikelet</title>
        <style>\(style)</style>
        </head>
        <body>
        <main>
        \(body)
        </main>
        </body>
        </html>

        """
    }

    /// A table whose first column is text and whose others are numbers.
    static func table(_ header: [String], _ rows: [[String]]) -> String {
        let head = header.map { "<th scope=\"col\">\(escaped($0))</th>" }.joined()
        let body = rows.map { "<tr>" + $0.map { "<td>\(escaped($0))</td>" }.joined() + "</tr>" }.joined(separator: "\n")
        return "<div class=\"scroll\" tabindex=\"0\"><table><thead><tr>\(head)</tr></thead><tbody>\(body)</tbody></table></div>"
    }

    /// What the colours stand for, from one colour on.
    static func legend(_ names: [String], from first: Int) -> String {
        let items = names.enumerated().map { "<li><span class=\"key c\((first + $0.offset) % 6)\"></span>\(escaped($0.element))</li>" }
        return "<ul class=\"legend\">\(items.joined())</ul>"
    }

    /// Colours that people with colour blindness can tell apart (after Okabe and Ito), lighter on dark ground.
    package static let style = """
        :root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --quiet: #5b6470; --rule: #d9dee4; --panel: #f6f8fa;
          --c0: #0072b2; --c1: #b8470b; --c2: #00795a; --c3: #9a5b8a; --c4: #8a6d00; --c5: #2f7fa8; }
        @media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e8eaed; --quiet: #a3adb8; --rule: #363d45; --panel: #1d2126;
          --c0: #58b0ea; --c1: #f08a4b; --c2: #35c79a; --c3: #d99ac8; --c4: #e0c14a; --c5: #8fd0f0; } }
        @media print { :root { --paper: #fff; --ink: #000; --quiet: #444; --rule: #ccc; --panel: #fff; } section { break-inside: avoid-page; } }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
        main { max-width: 1180px; margin: 0 auto; padding: 16px; }
        h1 { font-size: 1.6rem; margin: 8px 0 12px; } h2 { font-size: 1.2rem; margin: 0 0 10px; } h3 { font-size: 1rem; margin: 18px 0 8px; }
        section { border-top: 1px solid var(--rule); padding: 22px 0 12px; }
        small, figcaption, .note { color: var(--quiet); font-size: 0.88rem; font-weight: normal; }
        .cards, .pair { display: grid; gap: 18px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 340px), 1fr)); align-items: start; }
        .card { background: var(--panel); border: 1px solid var(--rule); border-radius: 10px; padding: 14px 16px; }
        .card p { margin: 4px 0; } .verdict { font-size: 1.25rem; font-weight: 600; }
        figure { margin: 0; min-width: 0; } svg { width: 100%; max-width: 560px; height: auto; display: block; }
        svg text { font: 12px system-ui, sans-serif; fill: var(--ink); } svg .label { fill: var(--quiet); font-size: 11px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
        .grid { stroke: var(--rule); stroke-width: 1; } .axis { stroke: var(--quiet); stroke-width: 1; }
        .ann { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 4; fill: none; }
        .curve { fill: none; stroke-width: 2; } .band { stroke: none; opacity: 0.16; } .faint { opacity: 0.5; }
        .empty { fill: var(--rule); opacity: 0.45; } .ink { fill: var(--ink); }
        \((0..<6).map { ".c\($0) { fill: var(--c\($0)); } .curve.c\($0) { stroke: var(--c\($0)); fill: none; } .key.c\($0) { background: var(--c\($0)); }" }.joined(separator: "\n"))
        .key { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; }
        .legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 16px; padding: 0; margin: 6px 0; font-size: 0.88rem; }
        .scroll { overflow-x: auto; } .scroll:focus-visible { outline: 2px solid var(--c0); }
        table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; width: 100%; }
        th, td { padding: 4px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
        th:first-child, td:first-child { text-align: left; } th { color: var(--quiet); font-weight: 600; }
        summary { cursor: pointer; margin: 10px 0; }
        """
}
