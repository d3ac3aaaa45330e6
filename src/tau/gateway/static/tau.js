// Everything works without this file. It draws the live curve and says whether the page is live.
"use strict";
(() => {
  const plots = new Map();
  const TONES = { best: "--best", accepted: "--best", baseline: "--base", gated: "--bad", discarded: "--dim" };

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // Both lines on one scale of rollouts: each stays where it was until it moves again.
  function columns(curve) {
    const places = [...new Set([0, ...curve.best.map((p) => p[0]), ...curve.beside.map((p) => p[0])])]
      .sort((a, b) => a - b);
    const along = (points, part) => {
      let next = 0, value = null;
      return places.map((x) => {
        while (next < points.length && points[next][0] <= x) value = points[next++][part];
        return value;
      });
    };
    return [places, along(curve.best, 1), along(curve.best, 2), along(curve.best, 3),
      along(curve.beside, 1), places.map(() => curve.baseline)];
  }

  function number(value) {
    return value === null || value === undefined ? "–" : value.toFixed(3);
  }

  function shape(at, tone, x, y, unit) {
    const r = unit * (tone === "best" ? 5.5 : tone === "baseline" ? 5 : 4);
    at.fillStyle = at.strokeStyle = colour(TONES[tone] || "--other");
    at.globalAlpha = tone === "other" ? 0.5 : 1;
    at.lineWidth = 1.5 * unit;
    at.setLineDash([]);
    at.beginPath();
    if (tone === "baseline") at.rect(x - r, y - r, 2 * r, 2 * r);
    else if (tone === "accepted") { at.moveTo(x, y - 1.2 * r); at.lineTo(x + 1.2 * r, y + r); at.lineTo(x - 1.2 * r, y + r); at.closePath(); }
    else if (tone === "gated") { at.moveTo(x - r, y - r); at.lineTo(x + r, y + r); at.moveTo(x - r, y + r); at.lineTo(x + r, y - r); }
    else at.arc(x, y, tone === "best" ? r : 0.85 * r, 0, 2 * Math.PI);
    if (tone === "gated" || tone === "discarded") at.stroke(); else at.fill();
  }

  function nearest(plot, curve) {
    let found = null, least = 12;
    for (const dot of curve.dots) {
      const away = Math.hypot(plot.valToPos(dot[0], "x") - plot.cursor.left, plot.valToPos(dot[1], "y") - plot.cursor.top);
      if (away < least) { least = away; found = dot; }
    }
    return found;
  }

  function told(plot, curve) {
    const n = plot.cursor.idx;
    const dot = plot.cursor.left >= 0 ? nearest(plot, curve) : null;
    if (dot) return `candidate ${dot[3]}, ${dot[2]}: ${number(dot[1])} on ${curve.split}, first measured after ${dot[0]} rollouts; click to open`;
    if (n === null || n === undefined || plot.cursor.left < 0) return "Point at the curve to read it; drag to look closer, double-click to see all.";
    const [x, mean, low, high, beside] = plot.data.map((column) => column[n]);
    const more = curve.beside_split ? `, ${number(beside)} on ${curve.beside_split}` : "";
    return `after ${x} rollouts: ${number(mean)} (${number(low)} to ${number(high)}) on ${curve.split}${more}; baseline ${number(curve.baseline)}`;
  }

  function options(width, curve, readout, address) {
    const stepped = uPlot.paths.stepped({ align: 1 });
    const faint = { stroke: colour("--dim"), grid: { stroke: colour("--grid"), width: 1 },
      ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const marks = (plot) => {
      const at = plot.ctx;
      at.save();
      for (const [x, y, tone] of curve.dots) {
        shape(at, tone, plot.valToPos(x, "x", true), plot.valToPos(y, "y", true), devicePixelRatio);
      }
      at.restore();
    };
    const open = (plot) => {
      plot.over.addEventListener("click", () => {
        const dot = nearest(plot, curve);
        if (dot && address) location.assign(`${address}?c=${dot[3]}#detail`);
      });
    };
    const line = { points: { show: false } };
    return {
      width, height: Math.min(340, Math.max(240, width / 3)),
      legend: { show: false },
      scales: { x: { time: false, range: (_, low, high) => [low, Math.max(high, 1)] },
        y: { range: [0, 1] } },
      axes: [{ ...faint, label: "rollouts", size: 24, labelSize: 18, labelGap: 0, labelFont: "11px system-ui, sans-serif",
          values: (_, v) => v.map((n) => (n % 1 ? "" : n.toLocaleString("en"))) },
        { ...faint, size: 42, values: (_, v) => v.map((n) => n.toFixed(2)) }],
      series: [{},
        { ...line, stroke: colour("--best"), width: 2, paths: stepped },
        { ...line, stroke: "transparent", paths: stepped },
        { ...line, stroke: "transparent", paths: stepped },
        { ...line, stroke: colour("--second"), width: 1.5, dash: [2, 3], paths: stepped },
        { ...line, stroke: colour("--base"), dash: [6, 5], width: 1.5 },
      ],
      bands: [{ series: [3, 2], fill: colour("--best") + "22" }],
      hooks: { draw: [marks], ready: [open], setCursor: [(plot) => { readout.textContent = told(plot, curve); }] },
      cursor: { drag: { setScale: true, x: true, y: false }, points: { show: false } },
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
      }
      const width = Math.max(280, source.clientWidth);
      plots.get(host)?.destroy();
      host.textContent = "";
      source.querySelector(".scroll").hidden = true;
      source.prepend(host);
      const readout = document.createElement("p");
      readout.className = "readout";
      const plot = new uPlot(options(width, curve, readout, source.dataset.candidates), columns(curve), host);
      readout.textContent = told(plot, curve);
      host.append(readout);
      plots.set(host, plot);
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
