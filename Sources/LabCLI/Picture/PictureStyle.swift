/// How the picture looks; light or dark as the reader's system is.
enum PictureStyle {
    static let css = """
        :root {
          --paper: #fbfaf8; --card: #ffffff; --ink: #1d1d1f; --soft: #6b6b73; --line: #e4e2de; --axis: #a5a3a0;
          --best: #d9480f; --low: #cfd6e6; --high: #123c8c; --failed: #b9b4ac; --hover: #f3f0ea;
        }
        @media (prefers-color-scheme: dark) {
          :root {
            --paper: #16171a; --card: #1e2024; --ink: #ececee; --soft: #9a9aa3; --line: #33353b; --axis: #6d6f78;
            --best: #ff9d5c; --low: #3a4152; --high: #8ab4ff; --failed: #5d5a57; --hover: #282b31;
          }
        }
        * { box-sizing: border-box; }
        body {
          margin: 0; padding: 32px 24px 48px; background: var(--paper); color: var(--ink);
          font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
        }
        main { max-width: 1120px; margin: 0 auto; }
        h1 { font-size: 24px; font-weight: 650; letter-spacing: -0.01em; margin: 0; overflow-wrap: anywhere; }
        .about { color: var(--soft); margin: 2px 0 20px; }
        .figures { display: flex; flex-wrap: wrap; gap: 12px 44px; margin: 0 0 20px; }
        .figures div { min-width: 0; }
        .figures dt { color: var(--soft); font-size: 13px; }
        .figures dd { margin: 0; font-size: 20px; font-weight: 600; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
        .figures .best dd { color: var(--best); }
        .card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 18px 20px; margin: 0 0 20px; }
        .hint { color: var(--soft); font-size: 13px; margin: 6px 0 0; }
        svg { display: block; width: 100%; height: auto; font: inherit; touch-action: none; user-select: none; }
        svg text { fill: var(--soft); font-size: 12px; font-variant-numeric: tabular-nums; }
        svg .title { fill: var(--ink); font-size: 13px; font-weight: 600; }
        svg .axis { stroke: var(--axis); stroke-width: 1; }
                svg .trial { fill: none; stroke-width: 1.8; stroke-linecap: round; }
        svg .trial.failed { stroke: var(--failed); stroke-dasharray: 4 4; }
        svg .trial.best { stroke: var(--best); stroke-width: 3.2; }
        svg .trial.halo { stroke: var(--card); stroke-width: 7; }
        svg circle.dot { fill: var(--best); stroke: var(--card); stroke-width: 1.5; }
        svg .trial.out { opacity: 0.07; }
        svg.hovering .trial { opacity: 0.14; }
        svg.hovering .trial.hover { opacity: 1; }
        svg.hovering .trial.hover:not(.halo):not(.dot) { stroke-width: 3.4; }
        svg .touch { fill: none; stroke: transparent; stroke-width: 13; cursor: pointer; }
        svg .brush { fill: var(--best); fill-opacity: 0.14; stroke: var(--best); stroke-width: 1; }
        svg .handle { fill: transparent; cursor: ns-resize; }
        svg .goal { stroke: var(--best); stroke-width: 1; stroke-dasharray: 2 3; }
        svg .mark { fill: var(--best); font-size: 12px; font-weight: 600; }
        .scroll { overflow-x: auto; }
        table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 14px; }
        th { text-align: left; color: var(--soft); font-weight: 500; font-size: 13px; white-space: nowrap; }
        th, td { padding: 6px 18px 6px 0; border-bottom: 1px solid var(--line); }
        th:last-child, td:last-child { padding-right: 0; }
        tbody tr:last-child td { border-bottom: 0; }
        th.number, td.number { text-align: right; }
        tbody tr:hover, tbody tr.hover { background: var(--hover); }
        tbody tr.out { opacity: 0.35; }
        td.swatch { width: 18px; padding-right: 10px; }
        td.swatch span { display: block; width: 10px; height: 10px; border-radius: 50%; }
        tr.best td { font-weight: 650; }
        .state { color: var(--soft); }
        @media print { body { padding: 0; background: none; } .hint { display: none; } .card { break-inside: avoid; } }
        """

    static let body = """
        <main>
        <h1 id="name"></h1>
        <p class="about" id="about"></p>
        <dl class="figures" id="figures"></dl>
        <section class="card">
        <svg id="chart" role="img" aria-labelledby="name about"></svg>
        <p class="hint">Each line is one trial, from its parameters on the left to what it reached on the right. Drag along an axis to
        keep only the trials that pass there; click the axis to let all back in.</p>
        </section>
        <section class="card scroll"><table id="table"></table></section>
        <noscript><p>The picture is drawn by a script in this file, and scripts are switched off.</p></noscript>
        </main>
        """
}
