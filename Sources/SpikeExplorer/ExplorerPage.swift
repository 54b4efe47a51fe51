internal import SpikeReport

/// The live page: markup, style and script in one, with nothing from outside.
struct ExplorerPage: Sendable {
    /// What tells the browser that style and script are ours; new for each server.
    let nonce: String

    /// What a browser may do on this page: run and show what came with it, and ask this server.
    var policy: String {
        "default-src 'none'; script-src 'nonce-\(nonce)'; style-src 'nonce-\(nonce)'; img-src data:; connect-src 'self'; "
            + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    }

    var html: String {
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Spikelet explorer</title>
        <link rel="icon" href="data:,">
        <style nonce="\(nonce)">\(Page.style)\(Self.style)</style>
        </head>
        <body>
        \(Self.body)
        <script nonce="\(nonce)">\(ExplorerScript.text)</script>
        </body>
        </html>

        """
    }

    private static let style = #"""

        main { max-width: 1400px; }
        .bench { display: grid; gap: 18px; grid-template-columns: minmax(0, 1fr); }
        @media (min-width: 900px) { .bench { grid-template-columns: minmax(0, 300px) minmax(0, 1fr); } }
        fieldset { border: 1px solid var(--rule); border-radius: 10px; padding: 10px 12px; margin: 0; min-width: 0; }
        legend { font-weight: 600; padding: 0 4px; }
        #pictures { display: flex; flex-wrap: wrap; gap: 4px; }
        #pictures label { position: relative; display: block; border: 2px solid transparent; border-radius: 6px; cursor: pointer; padding: 2px; }
        #pictures input { position: absolute; opacity: 0; inset: 0; width: 100%; height: 100%; margin: 0; cursor: pointer; }
        #pictures label:has(input:checked) { border-color: var(--c0); background: var(--panel); }
        #pictures label:has(input:focus-visible) { outline: 3px solid var(--c1); outline-offset: 1px; }
        #pictures canvas { width: 44px; height: 44px; }
        #pictures small { display: block; text-align: center; line-height: 1.2; }
        canvas { display: block; image-rendering: pixelated; background: var(--panel); border-radius: 3px; }
        button, input[type=number] { font: inherit; color: var(--ink); background: var(--panel); border: 1px solid var(--quiet);
          border-radius: 6px; padding: 4px 12px; }
        button { cursor: pointer; } button:disabled { opacity: 0.55; cursor: default; }
        :focus-visible { outline: 3px solid var(--c1); outline-offset: 2px; }
        .row { display: flex; flex-wrap: wrap; gap: 8px 12px; align-items: center; margin: 8px 0; }
        .row input[type=range] { flex: 1 1 180px; min-width: 120px; accent-color: var(--c0); }
        input[type=number] { width: 6.5em; }
        #prediction { font-size: 1.15rem; font-weight: 600; margin: 6px 0; }
        .right { color: var(--c2); } .wrong { color: var(--c1); }
        #trouble { border: 2px solid var(--c1); border-radius: 8px; padding: 8px 12px; }
        [hidden] { display: none !important; }
        .layers { display: grid; gap: 14px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 320px), 1fr)); }
        .layer { background: var(--panel); border: 1px solid var(--rule); border-radius: 10px; padding: 10px 12px; min-width: 0; }
        .layer h3 { margin: 0 0 2px; overflow-wrap: anywhere; font-size: 0.95rem; }
        .layer canvas { width: 100%; margin: 2px 0 6px; background: var(--rule); }
        .layer canvas.flat { max-width: 180px; }
        .layer p { margin: 0 0 6px; }
        .layer .caption { margin: 0; }
        svg.wide { max-width: 1000px; }
        .cursor { fill: none; stroke: var(--c1); stroke-width: 2; }
        .other { stroke: var(--quiet); stroke-width: 1; fill: none; opacity: 0.55; }
        .aim { stroke-width: 1.5; stroke-dasharray: 5 4; fill: none; }
        """# + (0..<6).map { ".aim.c\($0) { stroke: var(--c\($0)); }" }.joined(separator: "\n")

    private static let body = #"""
        <main id="page" data-state="loading">
        <header><h1 id="title">Spikelet explorer</h1><p id="about" class="note">Loading…</p></header>
        <p id="trouble" role="alert" hidden></p>
        <div class="bench">
        <div>
        <fieldset><legend>Image</legend>
        <div id="pictures"></div>
        <div class="row"><button type="button" id="back">Previous</button><button type="button" id="forth">Next</button>
        <label>from <input type="number" id="from" min="0" value="0"></label></div>
        </fieldset>
        </div>
        <div>
        <div class="row"><button type="button" id="play" aria-pressed="false">Play</button>
        <label for="step">time step</label><input type="range" id="step" min="1" max="1" value="1"><output id="shown" for="step">1</output></div>
        <p id="prediction" aria-live="polite"></p>
        <h2>How does the prediction settle?</h2>
        <div class="pair">
        <figure><div id="scores"></div><ul class="legend" id="legend"></ul>
        <figcaption id="scores-caption">The output so far after each step.</figcaption></figure>
        <div class="scroll" tabindex="0" role="region" aria-label="scores of the classes">
        <table><thead><tr><th scope="col">class</th><th scope="col">SNN so far</th><th scope="col" id="ann-head">ANN</th></tr></thead>
        <tbody id="table"></tbody></table></div>
        </div>
        </div>
        </div>
        <section><h2>How do spikes flow through the layers?</h2>
        <figure><div id="flow"></div>
        <figcaption>A row for each layer, a column for each time step; the darker, the more of its neurons spike.</figcaption></figure></section>
        <section><h2>Where do the layers spike?</h2>
        <ul class="legend"><li><span class="key c0"></span>a spike</li><li><span class="key c1"></span>a negative spike</li></ul>
        <div class="layers" id="layers"></div></section>
        </main>
        """#
}
