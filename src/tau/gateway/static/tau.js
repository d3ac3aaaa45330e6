// Everything works without this file. It draws the live curve and says whether the page is live.
"use strict";
(() => {
  const plots = new Map();

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function columns(curve) {
    const baseline = curve.baseline;
    return [
      curve.best.map((p) => p[0]),
      curve.best.map((p) => p[1]),
      curve.best.map((p) => p[2]),
      curve.best.map((p) => p[3]),
      curve.best.map(() => baseline),
    ];
  }

  function number(value) {
    return value === null || value === undefined ? "–" : value.toFixed(3);
  }

  function options(width, curve) {
    const stepped = uPlot.paths.stepped({ align: 1 });
    const faint = { stroke: colour("--dim"), grid: { stroke: colour("--rule"), width: 1 },
      ticks: { stroke: colour("--rule"), width: 1 } };
    const marks = (plot) => {
      const at = plot.ctx;
      at.save();
      for (const [x, y, tone] of curve.dots) {
        at.fillStyle = colour(tone === "best" ? "--best" : tone === "baseline" ? "--base" : "--other");
        at.globalAlpha = tone === "other" ? 0.6 : 1;
        const cx = plot.valToPos(x, "x", true), cy = plot.valToPos(y, "y", true);
        const r = (tone === "other" ? 3 : 5) * devicePixelRatio;
        at.beginPath();
        if (tone === "baseline") at.rect(cx - r, cy - r, 2 * r, 2 * r);
        else at.arc(cx, cy, r, 0, 2 * Math.PI);
        at.fill();
      }
      at.restore();
    };
    return {
      width, height: 300,
      scales: { x: { time: false, range: (_, low, high) => [0, Math.max(high, 1)] },
        y: { range: [0, 1] } },
      axes: [{ ...faint, label: "rollouts", labelSize: 18, values: (_, v) => v.map((n) => n.toString()) },
        { ...faint, values: (_, v) => v.map((n) => n.toFixed(2)) }],
      series: [
        { label: "rollouts", value: (_, v) => (v === null || v === undefined ? "–" : v.toString()) },
        { label: "best so far", stroke: colour("--best"), width: 2, paths: stepped, points: { show: false },
          value: (_, v) => number(v) },
        { label: "low", stroke: "transparent", paths: stepped, points: { show: false }, value: (_, v) => number(v) },
        { label: "high", stroke: "transparent", paths: stepped, points: { show: false }, value: (_, v) => number(v) },
        { label: "baseline", stroke: colour("--base"), dash: [6, 5], width: 1.5, points: { show: false },
          value: (_, v) => number(v) },
      ],
      bands: [{ series: [3, 2], fill: colour("--best") + "24" }],
      hooks: { draw: [marks] },
      cursor: { drag: { setScale: true, x: true, y: false } },
    };
  }

  function draw() {
    for (const [host, plot] of plots) {
      if (!host.isConnected) { plot.destroy(); plots.delete(host); }
    }
    if (typeof uPlot === "undefined") return;
    for (const source of document.querySelectorAll("[data-curve]")) {
      const curve = JSON.parse(source.dataset.curve);
      if (curve.best.length < 2) continue;
      let host = document.getElementById("drawn-curve");
      if (!host) {
        host = document.createElement("div");
        host.id = "drawn-curve";
        source.before(host);
      }
      const width = Math.max(280, source.clientWidth);
      plots.get(host)?.destroy();
      host.textContent = "";
      source.querySelector(".scroll").hidden = true;
      source.prepend(host);
      plots.set(host, new uPlot(options(width, curve), columns(curve), host));
    }
  }

  function say(text) {
    const pulse = document.getElementById("pulse");
    if (pulse) pulse.textContent = text;
  }

  document.addEventListener("htmx:sse:after:connection", () => say("This page is live."));
  document.addEventListener("htmx:sse:after:message", draw);
  document.addEventListener("htmx:sse:close", () => say("No longer live: load the page again."));
  document.addEventListener("htmx:sse:error", () => say("The connection is lost; trying again."));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  addEventListener("resize", () => { clearTimeout(draw.later); draw.later = setTimeout(draw, 150); });
  document.querySelector("form[data-send]")?.submit();
  draw();
})();
