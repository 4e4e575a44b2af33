(() => {
  "use strict";
  const make = (name, properties = {}, ...inside) => {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...inside);
    return element;
  };

  // Tables sort by a column, numbers by their value whatever their unit.
  const UNITS = { us: 1e-6, ms: 1e-3, s: 1, min: 60, kB: 1e3, MB: 1e6, GB: 1e9 };
  const value = (cell) => {
    const text = cell.textContent.trim();
    const found = text.replace(/,/g, "").match(/^[~<>≤ ]*([-−+]?\d+(?:\.\d+)?)\s*([a-zA-Z]+)?/);
    return found ? parseFloat(found[1].replace("−", "-")) * (UNITS[found[2]] || 1) : text;
  };
  const order = (one, other) =>
    typeof one === "number" && typeof other === "number" ? one - other
      : typeof one === "number" ? -1 : typeof other === "number" ? 1 : one.localeCompare(other);
  for (const table of document.querySelectorAll(".table table")) {
    if (table.tBodies[0].rows.length < 2) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (!head.textContent.trim()) return;
      const button = make("button", { type: "button", title: "sort by this column" });
      button.append(...head.childNodes);
      head.append(button);
      button.onclick = () => {
        const up = head.getAttribute("aria-sort") !== "ascending";
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((a, b) => order(value(a.cells[column]), value(b.cells[column])) * (up ? 1 : -1));
        table.tBodies[0].append(...rows);
      };
    });
  }

  // Lines to paste.
  for (const block of document.querySelectorAll("pre.command")) {
    const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
    button.onclick = async () => {
      const text = block.querySelector("code").textContent;
      try {
        await navigator.clipboard.writeText(text);
      } catch {
        // A page from a file may not: what is selected can be copied by hand.
        getSelection().selectAllChildren(block.querySelector("code"));
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => (button.textContent = "Copy"), 1500);
    };
    block.before(button);
  }

  // A leak's timeline: the time under the pointer and who is in flight then, arrows from one bar to the next, Escape to hide.
  for (const figure of document.querySelectorAll(".timeline")) {
    const [start, end, width] = ["start", "end", "width"].map((key) => Number(figure.dataset[key]));
    const lanes = figure.querySelector(".lanes");
    const ground = figure.querySelector(".ground");
    const bars = [...figure.querySelectorAll(".bar")];
    const label = make("b");
    const line = make("i", {}, label);
    const cursor = make("div", { className: "cursor", hidden: true }, line);
    cursor.setAttribute("aria-hidden", "true");
    lanes.append(cursor);
    lanes.onpointermove = (event) => {
      const box = ground.getBoundingClientRect();
      const share = ((event.clientX - box.left) / box.width) * 100;
      cursor.hidden = share < 0 || share > width;
      if (cursor.hidden) return;
      const ms = start + (share / width) * (end - start);
      const there = bars.filter((bar) => parseFloat(bar.style.left) <= share && share <= parseFloat(bar.style.left) + parseFloat(bar.style.width));
      line.style.left = share + "%";
      label.style.transform = `translateX(-${share}%)`;
      label.textContent = `+${ms.toFixed(1)} ms, ${there.length} in flight`;
    };
    lanes.onpointerleave = () => {
      cursor.hidden = true;
      figure.classList.remove("quiet");
    };
    const all = [...figure.querySelectorAll(".bar, .mark")];
    figure.addEventListener("focusin", () => figure.classList.remove("quiet"));
    figure.addEventListener("keydown", (event) => {
      if (event.key === "Escape") figure.classList.add("quiet");
      const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
      const next = step && all[all.indexOf(document.activeElement) + step];
      if (!next) return;
      event.preventDefault();
      next.focus();
    });
  }

  // All variants in one chart: to hover over, to zoom into, and to switch.
  const { variants } = JSON.parse(document.getElementById("data").textContent);
  const place = document.getElementById("charts");
  if (!place || !variants.length || typeof uPlot === "undefined") return;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const COLORS = () => dark.matches
    ? ["#58A6E8", "#FF8A4C", "#2FC79B", "#E08CBB", "#E69F00", "#9BD3F5", "#E6EDF3", "#9AA5B1"]
    : ["#0072B2", "#D55E00", "#009E73", "#B5538B", "#9A6A00", "#2C86B5", "#1F2937", "#5A6370"];
  const DASHES = [[], [9, 4], [3, 3], [11, 3, 2, 3], [6, 2], [14, 4], [2, 2], [7, 2, 2, 2]];
  const number = (n) => (n == null ? "–" : Math.abs(n) >= 100 ? Math.round(n).toLocaleString("en") : +n.toPrecision(3) + "");
  const times = [...new Set(variants.flatMap((of) => of.t))].sort((a, b) => a - b);
  const overTime = (key) => [times, ...variants.map((of) => {
    const at = new Map(of.t.map((t, index) => [t, of[key][index]]));
    return times.map((t) => (at.has(t) ? at.get(t) : undefined));
  })];
  const shares = [0.5, 0.75, 0.9, 0.95, 0.99, 0.999];
  const overShares = () => [shares.map((_, index) => index), ...variants.map((of) => {
    const at = new Map(of.quantiles);
    return shares.map((share) => (at.has(share) ? at.get(share) : null));
  })];
  const kinds = [
    ["Responses a second", () => overTime("rate"), "s", "/s"],
    ["Failed or 4xx, 5xx a second", () => overTime("failed"), "s", "/s"],
    ["Latency, mean", () => overTime("mean"), "s", "ms"],
    ["Latency, longest", () => overTime("max"), "s", "ms"],
    ["Latency, percentiles", overShares, "", "ms"],
  ];
  const choice = make("select", { id: "chart-kind" });
  kinds.forEach(([name], index) => choice.append(make("option", { value: index, textContent: name })));
  const logarithmic = make("input", { type: "checkbox", id: "chart-log" });
  const box = make("div", { className: "chart" });
  place.append(
    make("p", { className: "choose" },
      make("label", { htmlFor: "chart-kind", textContent: "Chart " }), choice,
      make("label", { className: "check" }, logarithmic, " logarithmic"),
      make("small", { textContent: "drag to zoom, double-click to see all, click a name to hide it" })),
    box);
  place.hidden = false;
  let chart;
  const draw = () => {
    const [, data, xUnit, yUnit] = kinds[choice.value];
    const percentiles = xUnit === "";
    const ink = getComputedStyle(document.body).color;
    const grid = { stroke: dark.matches ? "#262C36" : "#E5E7EB", width: 1 };
    const axis = { stroke: ink, grid, ticks: grid, font: "12px system-ui, sans-serif" };
    const xName = (index) => (percentiles ? (shares[index] === undefined ? "" : "p" + +(shares[index] * 100).toFixed(1)) : number(index));
    const options = {
      width: box.clientWidth, height: 300,
      scales: { x: { time: false }, y: { distr: logarithmic.checked ? 3 : 1, range: logarithmic.checked ? undefined : (_, low, high) => [0, (high || 1) * 1.05] } },
      axes: [
        { ...axis, values: (_, splits) => splits.map((x) => (percentiles && !Number.isInteger(x) ? "" : xName(x) + (xUnit && " " + xUnit))) },
        { ...axis, size: 70, values: (_, splits) => splits.map((y) => (y == null ? "" : number(y) + " " + yUnit)) },
      ],
      series: [
        { label: percentiles ? "percentile" : "seconds", value: (_, x) => (x == null ? "–" : xName(x)) },
        ...variants.map((of, index) => ({
          label: of.name, stroke: COLORS()[index % 8], dash: DASHES[index % 8], width: 2, spanGaps: true,
          points: { show: percentiles || of.t.length < 3 }, value: (_, y) => number(y) + " " + yUnit,
        })),
      ],
    };
    if (chart) chart.destroy();
    chart = new uPlot(options, data(), box);
  };
  choice.onchange = logarithmic.onchange = draw;
  dark.addEventListener("change", draw);
  addEventListener("resize", () => chart && chart.setSize({ width: box.clientWidth, height: 300 }));
  draw();
})();
