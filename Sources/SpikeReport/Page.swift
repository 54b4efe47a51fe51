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
        :root { color-scheme: light dark; --paper: #fff; --ink: #1c2024; --quiet: #57606b; --rule: #dde2e8; --panel: #f6f8fa; --soft: #808a95;
          --c0: #0072b2; --c1: #b8470b; --c2: #00795a; --c3: #9a5b8a; --c4: #8a6d00; --c5: #2f7fa8; }
        @media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e8eaed; --quiet: #a3adb8; --rule: #2e353d; --panel: #1c2025;
          --soft: #6b7580; --c0: #58b0ea; --c1: #f08a4b; --c2: #35c79a; --c3: #d99ac8; --c4: #e0c14a; --c5: #8fd0f0; } }
        @media print { :root { --paper: #fff; --ink: #000; --quiet: #444; --rule: #ccc; --panel: #fff; --soft: #808a95; --c0: #0072b2; --c1: #b8470b;
          --c2: #00795a; --c3: #9a5b8a; --c4: #8a6d00; --c5: #2f7fa8; } nav { display: none; } h2, h3 { break-after: avoid; }
          figure, .card, tr { break-inside: avoid; } .scroll { overflow: visible; } body { font-size: 11pt; } main { padding: 0; } }
        * { box-sizing: border-box; }
        html { scroll-behavior: smooth; }
        @media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
        body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
        main { max-width: 1240px; margin: 0 auto; padding: 20px clamp(16px, 4vw, 40px) 48px; }
        h1 { font-size: clamp(1.5rem, 4vw, 2.1rem); line-height: 1.2; margin: 0 0 18px; letter-spacing: -0.01em; overflow-wrap: anywhere; }
        h2 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 14px; letter-spacing: -0.005em; } h3 { font-size: 1.02rem; margin: 26px 0 8px; }
        .card h2 { font-size: 1rem; margin: 0 0 6px; overflow-wrap: anywhere; }
        p { max-width: 75ch; margin: 0 0 12px; }
        .over { color: var(--quiet); font-size: 0.8rem; letter-spacing: 0.08em; text-transform: uppercase; margin: 0 0 4px; }
        section { border-top: 1px solid var(--rule); padding: 30px 0 18px; margin-top: 18px; }
        nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 6px 20px; padding: 0; margin: 22px 0 0; font-size: 0.92rem; }
        a { color: var(--c0); text-underline-offset: 3px; } a:focus-visible, summary:focus-visible { outline: 2px solid var(--c0); outline-offset: 2px; }
        small, figcaption, .note { color: var(--quiet); font-size: 0.88rem; font-weight: normal; }
        figcaption { margin-top: 6px; max-width: 60ch; }
        .cards, .pair, .trio { display: grid; gap: 26px 36px; align-items: start; }
        .cards, .pair { grid-template-columns: repeat(auto-fit, minmax(min(100%, 360px), 1fr)); }
        .trio { grid-template-columns: repeat(auto-fill, minmax(min(100%, 300px), 1fr)); }
        .card { background: var(--panel); border: 1px solid var(--rule); border-radius: 12px; padding: 18px 22px; }
        .card p { margin: 4px 0; } .verdict { font-size: 1.05rem; } .big { font-size: 2.5rem; line-height: 1.1; font-weight: 650; letter-spacing: -0.02em; }
        .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); gap: 10px 18px; margin: 14px 0 10px; }
        .tiles div { display: flex; flex-direction: column-reverse; justify-content: flex-end; } .tiles dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
        .tiles dt { color: var(--quiet); font-size: 0.82rem; line-height: 1.3; }
        figure { margin: 0; min-width: 0; } svg { width: 100%; max-width: 620px; height: auto; display: block; }
        svg text { font: 12px system-ui, sans-serif; fill: var(--ink); font-variant-numeric: tabular-nums; }
        svg .label { fill: var(--quiet); font-size: 11px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
        svg .over { fill: var(--quiet); font-size: 11px; letter-spacing: 0; text-transform: none; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; }
        .grid { stroke: var(--rule); stroke-width: 1; } .axis { stroke: var(--quiet); stroke-width: 1; }
        .ann { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 4; fill: none; }
        .curve { fill: none; stroke-width: 2; stroke-linejoin: round; } .band { stroke: none; opacity: 0.15; } .faint { opacity: 0.45; }
        .empty { fill: var(--rule); opacity: 0.6; } .empty-strong { fill: var(--soft); } .ink { fill: var(--ink); }
        .film { fill: #101214; } .light { fill: #fff; }
        \((0..<6).map { ".c\($0) { fill: var(--c\($0)); } .curve.c\($0) { stroke: var(--c\($0)); fill: none; } .key.c\($0) { background: var(--c\($0)); }" }.joined(separator: "\n"))
        .key { display: inline-block; width: 12px; height: 12px; border-radius: 3px; margin-right: 6px; }
        .key.ink { background: var(--ink); } .key.empty-strong { background: var(--soft); }
        .legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 16px; padding: 0; margin: 6px 0 0; font-size: 0.88rem; }
        .scroll { overflow-x: auto; margin: 8px 0 14px; } .scroll:focus-visible { outline: 2px solid var(--c0); }
        table { border-collapse: collapse; font-size: 0.9rem; font-variant-numeric: tabular-nums; width: 100%; }
        th, td { padding: 5px 10px; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
        th:first-child, td:first-child { text-align: left; padding-left: 0; } th { color: var(--quiet); font-weight: 600; }
        summary { cursor: pointer; margin: 14px 0 8px; color: var(--c0); }
        .sources { font-size: 0.9rem; } .sources dt { font-weight: 600; margin-top: 10px; } .sources dd { margin: 2px 0 0; max-width: 85ch; } .source { color: var(--quiet); }
        ul { max-width: 85ch; } li { overflow-wrap: anywhere; }
        """
}
