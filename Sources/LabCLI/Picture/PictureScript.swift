/// The script that draws the picture. It reads the data from the page and writes text only as text.
enum PictureScript {
    static let text = [scales, chart, brushes, table, page].joined(separator: "\n")

    private static let scales = #"""
        "use strict";
        const data = JSON.parse(document.getElementById("data").textContent);
        const svg = document.getElementById("chart");
        const number = text => { const n = Number(text); return text === "" || text == null || !Number.isFinite(n) ? null : n; };
        const short = n => {
          const magnitude = Math.abs(n);
          if (n !== 0 && (magnitude < 1e-4 || magnitude >= 1e7)) return n.toExponential(1).replace("e+", "e");
          return String(Number(n.toPrecision(4)));
        };
        const show = text => { const n = number(text); return n === null ? (text ?? "–") : short(n); };
        const add = (parent, name, attributes = {}, text) => {
          const node = document.createElementNS("http://www.w3.org/2000/svg", name);
          for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
          if (text !== undefined) node.textContent = text;
          return parent.appendChild(node);
        };

        // Round steps for the ticks of a range: 1, 2 or 5 times a power of ten.
        function ticks(low, high, integer) {
          const raw = (high - low) / 5 || 1, power = 10 ** Math.floor(Math.log10(raw));
          let step = [1, 2, 5, 10].map(f => f * power).find(s => s >= raw * 0.999);
          if (integer) step = Math.max(1, Math.round(step));
          const list = [];
          for (let n = Math.ceil(low / step - 1e-9); n * step <= high + step * 1e-9; n++) list.push(Number((n * step).toPrecision(12)));
          return list;
        }

        // One axis: `at` gives the place of a value between 0 (below) and 1 (above), or null where the trial has none.
        function makeAxis(name, of, spec = {}) {
          const values = data.trials.map(of).filter(v => v != null);
          const listed = Array.isArray(spec.list) ? spec.list.map(String) : [];
          const numeric = values.length ? values.every(v => number(v) !== null) : number(spec.min) !== null;
          if (spec.type === "categorical" || !numeric) {
            const names = [...new Set([...listed, ...values])];
            const place = v => names.length < 2 ? 0.5 : 1 - names.indexOf(v) / (names.length - 1) * 0.84 - 0.08;
            return { name, of, numeric: false, at: v => names.includes(v) ? place(v) : null, ticks: names.map(n => [place(n), n]) };
          }
          const numbers = values.map(Number).concat([number(spec.min), number(spec.max)].filter(n => n !== null), listed.map(Number).filter(Number.isFinite));
          let low = numbers.length ? Math.min(...numbers) : 0, high = numbers.length ? Math.max(...numbers) : 1;
          if (spec.goal != null) { low = Math.min(low, spec.goal); high = Math.max(high, spec.goal); }
          if (low === high) { low -= Math.abs(low) * 0.1 || 1; high += Math.abs(high) * 0.1 || 1; }
          const log = spec.log && low > 0, f = log ? Math.log : (x => x);
          const at = v => { const n = number(v); return n === null ? null : (f(n) - f(low)) / (f(high) - f(low)); };
          let marks = log ? [] : ticks(low, high, spec.type === "int");
          if (log) for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) marks.push(10 ** e);
          marks = marks.filter(n => at(n) >= -1e-9 && at(n) <= 1 + 1e-9);
          return { name, of, numeric: true, at, ticks: marks.map(n => [at(n), short(n)]) };
        }
        """#

    private static let chart = #"""
        const others = data.metrics.filter(m => m !== data.objective && data.trials.some(t => t.metrics[m] !== undefined));
        const axes = [
          ...data.parameters.map(p => makeAxis(p.name, t => t.parameters[p.name], p)),
          ...others.map(m => makeAxis(m, t => t.metrics[m])),
          makeAxis(data.objective, t => t.metrics[data.objective], { goal: data.goal }),
        ];
        axes.forEach(axis => { axis.brush = null; });
        const objective = axes[axes.length - 1];
        const scores = data.trials.map(t => number(t.metrics[data.objective])).filter(n => n !== null).sort((a, b) => a - b);
        // By rank among the trials: one very bad trial would otherwise make all the others look alike.
        const quality = t => {
          const n = number(t.metrics[data.objective]);
          if (n === null) return null;
          const below = scores.filter(s => s < n).length, same = scores.filter(s => s === n).length;
          const rank = scores.length < 2 ? 1 : (below + (same - 1) / 2) / (scores.length - 1);
          return data.maximized ? rank : 1 - rank;
        };
        const colour = t => t.best ? "var(--best)" : quality(t) === null ? "var(--failed)"
          : `color-mix(in oklab, var(--high) ${Math.round(quality(t) * 100)}%, var(--low))`;

        const shape = { width: 1080, height: 470, top: 56, bottom: 26, left: 62, right: 104 };
        const x = i => axes.length < 2 ? shape.width / 2 : shape.left + i * (shape.width - shape.left - shape.right) / (axes.length - 1);
        const y = place => shape.height - shape.bottom - place * (shape.height - shape.top - shape.bottom);

        // A line that leaves and meets each axis level, so that crossings are easy to follow.
        function path(trial) {
          let text = "", last = null;
          axes.forEach((axis, i) => {
            const place = axis.at(axis.of(trial));
            if (place === null) { last = null; return; }
            const [px, py] = [x(i), y(place)];
            const bend = last ? (px - last[0]) * 0.42 : 0;
            text += last ? `C${last[0] + bend},${last[1]} ${px - bend},${py} ${px},${py}` : `M${px},${py}`;
            last = [px, py];
          });
          return text;
        }

        function draw() {
          svg.setAttribute("viewBox", `0 0 ${shape.width} ${shape.height}`);
          axes.forEach((axis, i) => add(svg, "line", { class: "axis", x1: x(i), x2: x(i), y1: y(0), y2: y(1) }));
          if (data.goal !== null && objective.at(data.goal) !== null) {
            const level = y(objective.at(data.goal)), right = x(axes.length - 1);
            add(svg, "line", { class: "goal", x1: right - 26, x2: right + 5, y1: level, y2: level });
            add(svg, "text", { class: "mark", x: right + 9, y: level + 4 }, "goal " + short(data.goal));
          }
          // The best trial is drawn last, on top of the others.
          const order = [...data.trials].sort((a, b) => (a.best - b.best) || ((quality(a) ?? -1) - (quality(b) ?? -1)));
          for (const trial of order) {
            const d = path(trial);
            trial.lines = trial.best ? [add(svg, "path", { class: "trial halo", d })] : [];
            const kind = trial.best ? "best" : quality(trial) === null ? "failed" : "";
            const line = add(svg, "path", { class: "trial " + kind, d });
            if (!kind) line.style.stroke = colour(trial);
            trial.lines.push(line);
            if (trial.best) axes.forEach((axis, i) => {
              const place = axis.at(axis.of(trial));
              if (place !== null) trial.lines.push(add(svg, "circle", { class: "trial dot", r: 5, cx: x(i), cy: y(place) }));
            });
          }
          axes.forEach((axis, i) => label(axis, i));
          for (const trial of order) {
            const touch = add(svg, "path", { class: "touch", d: path(trial) });
            touch.addEventListener("pointerenter", () => hover(trial));
            touch.addEventListener("pointerleave", () => hover(null));
          }
          axes.forEach((axis, i) => addBrush(axis, i));
        }

        function label(axis, i) {
          const last = i === axes.length - 1 && axes.length > 1, anchor = i === 0 ? "start" : last ? "end" : "middle";
          const shift = i === 0 ? -shape.left + 8 : last ? shape.right - 6 : 0;
          const room = Math.floor((shape.width - shape.left - shape.right) / Math.max(1, axes.length - 1) / 7.6);
          const name = axis.name.length > room ? axis.name.slice(0, Math.max(3, room - 1)) + "…" : axis.name;
          const title = add(svg, "text", { class: "title", x: x(i) + shift, y: 24, "text-anchor": anchor }, name);
          add(title, "title", {}, axis.name);
          // The last axis has its figures on the outer side, where no line crosses them.
          const side = last ? 1 : -1, goal = last && data.goal !== null ? axis.at(data.goal) : null;
          for (const [place, text] of axis.ticks) {
            if (goal !== null && Math.abs(goal - place) < 0.04) continue;
            add(svg, "line", { class: "axis", x1: x(i) + side * 4, x2: x(i), y1: y(place), y2: y(place) });
            const cut = text.length > 14 ? text.slice(0, 13) + "…" : text;
            const node = add(svg, "text", { x: x(i) + side * 9, y: y(place) + 4, "text-anchor": last ? "start" : "end" }, cut);
            node.style.cssText = "paint-order: stroke; stroke: var(--card); stroke-width: 4px; stroke-linejoin: round";
          }
        }
        """#

    private static let brushes = #"""
        function addBrush(axis, i) {
          const box = add(svg, "rect", { class: "brush", x: x(i) - 8, width: 16, y: 0, height: 0, visibility: "hidden" });
          const handle = add(svg, "rect", { class: "handle", x: x(i) - 13, width: 26, y: y(1) - 8, height: y(0) - y(1) + 16 });
          const place = event => {
            const bounds = svg.getBoundingClientRect();
            const level = (event.clientY - bounds.top) / bounds.height * shape.height;
            return Math.min(1.02, Math.max(-0.02, (y(0) - level) / (y(0) - y(1))));
          };
          let from = null;
          handle.addEventListener("pointerdown", event => { from = place(event); handle.setPointerCapture(event.pointerId); });
          handle.addEventListener("pointermove", event => { if (from !== null) set(from, place(event)); });
          handle.addEventListener("pointerup", event => {
            if (from !== null && Math.abs(place(event) - from) < 0.015) set(0, 0);
            from = null;
          });
          function set(a, b) {
            axis.brush = a === b ? null : [Math.min(a, b), Math.max(a, b)];
            box.setAttribute("visibility", axis.brush ? "visible" : "hidden");
            if (axis.brush) {
              box.setAttribute("y", y(axis.brush[1]));
              box.setAttribute("height", y(axis.brush[0]) - y(axis.brush[1]));
            }
            filter();
          }
        }

        const passes = trial => axes.every(axis => {
          if (!axis.brush) return true;
          const place = axis.at(axis.of(trial));
          return place !== null && place >= axis.brush[0] && place <= axis.brush[1];
        });

        function filter() {
          for (const trial of data.trials) {
            const out = !passes(trial);
            trial.lines.forEach(line => line.classList.toggle("out", out));
            trial.row.classList.toggle("out", out);
          }
        }

        function hover(trial) {
          svg.classList.toggle("hovering", trial !== null);
          for (const other of data.trials) {
            other.lines.forEach(line => line.classList.toggle("hover", other === trial));
            other.row.classList.toggle("hover", other === trial);
          }
        }
        """#

    private static let table = #"""
        function cell(row, text, kind, tag = "td") {
          const node = document.createElement(tag);
          node.textContent = text;
          if (kind) node.className = kind;
          return row.appendChild(node);
        }

        function drawTable() {
          const table = document.getElementById("table");
          const columns = [objective, ...axes.slice(0, -1).filter(a => others.includes(a.name)), ...axes.slice(0, data.parameters.length)];
          const head = table.createTHead().insertRow();
          cell(head, "", "", "th");
          cell(head, "Trial", "", "th");
          columns.forEach(axis => cell(head, axis.name, axis.numeric ? "number" : "", "th"));
          cell(head, "Time", "number", "th");
          cell(head, "Status", "", "th");
          const body = table.createTBody();
          for (const trial of data.trials) {
            const row = trial.row = body.insertRow();
            if (trial.best) row.className = "best";
            const dot = document.createElement("span");
            dot.style.background = colour(trial);
            cell(row, "", "swatch").appendChild(dot);
            cell(row, trial.name);
            columns.forEach(axis => cell(row, show(axis.of(trial)), axis.numeric ? "number" : ""));
            cell(row, trial.time ?? "–", "number");
            cell(row, trial.status, "state");
            row.addEventListener("pointerenter", () => hover(trial));
            row.addEventListener("pointerleave", () => hover(null));
          }
        }
        """#

    private static let page = #"""
        function drawPage() {
          const best = data.trials.find(t => t.best), done = data.trials.filter(t => t.status === "Succeeded").length;
          const bad = data.trials.filter(t => t.status === "Failed" || t.status === "NoMetrics").length;
          document.getElementById("name").textContent = data.name;
          document.getElementById("about").textContent = [
            `${data.algorithm ?? ""} search to ${data.maximized ? "maximize" : "minimize"} ${data.objective}`,
            data.goal === null ? null : `goal ${short(data.goal)}`, data.namespace, data.date.slice(0, 10),
          ].filter(Boolean).join(" · ");
          const figures = [["best", `Best ${data.objective}`, best ? show(best.metrics[data.objective]) : "none"]];
          if (best) for (const [name, value] of Object.entries(best.parameters)) figures.push(["", name, show(value)]);
          figures.push(["", "Trials", bad ? `${done} and ${bad} failed` : String(done)]);
          if (data.elapsed) figures.push(["", "Time", data.elapsed]);
          for (const [kind, name, value] of figures) {
            const box = document.createElement("div");
            box.className = kind;
            cell(box, name, "", "dt");
            cell(box, value, "", "dd");
            document.getElementById("figures").appendChild(box);
          }
        }

        drawPage();
        drawTable();
        draw();
        """#
}
