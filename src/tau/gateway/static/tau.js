// Everything works without this file. It draws the live curve and says whether the page is live.
"use strict";
(() => {
  const plots = new Map();  // host -> {plot, curve, text, zoomed}
  const APART = 84;
  const TONES = { best: "--best", accepted: "--best", baseline: "--base", gated: "--bad", discarded: "--dim" };

  function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  // Both lines on one scale of rollouts: each stays where it was until it moves again.
  function columns(curve) {
    const ends = curve.dots.map((p) => p[0]);
    const places = [...new Set([0, ...ends, curve.last, ...curve.best.map((p) => p[0]), ...curve.beside.map((p) => p[0])])]
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

  function options(width, held, readout, address) {
    const stepped = uPlot.paths.stepped({ align: 1 });
    const faint = { stroke: colour("--dim"), grid: { stroke: colour("--grid"), width: 1 },
      ticks: { show: false }, font: "11px system-ui, sans-serif" };
    const marks = (plot) => {
      const at = plot.ctx;
      at.save();
      at.beginPath();
      at.rect(plot.bbox.left - 8, plot.bbox.top - 8, plot.bbox.width + 16, plot.bbox.height + 16);
      at.clip();
      for (const [x, y, tone] of held.curve.dots) {
        shape(at, tone, plot.valToPos(x, "x", true), plot.valToPos(y, "y", true), devicePixelRatio);
      }
      at.restore();
      if (held.curve.certified) certified(plot, held.curve.certified, devicePixelRatio);
    };
    const open = (plot) => {
      plot.over.addEventListener("click", () => {
        const dot = nearest(plot, held.curve);
        if (dot && address) location.assign(`${address}?c=${dot[3]}#detail`);
      });
      plot.over.addEventListener("dblclick", () => { held.zoomed = false; });
    };
    const line = { points: { show: false } };
    return {
      width, height: Math.min(340, Math.max(240, width / 3)), padding: [10, APART, null, null],
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
      hooks: { draw: [marks], setScale: [(plot, key) => { if (key === "x") readout.parentElement?.setAttribute("data-range", `${plot.scales.x.min} ${plot.scales.x.max}`); }], ready: [open], setCursor: [(plot) => { readout.textContent = told(plot, held.curve); }],
        setSelect: [(plot) => { if (plot.select.width > 0) held.zoomed = true; }] },
      cursor: { drag: { setScale: true, x: true, y: false }, points: { show: false } },
    };
  }

  // In the margin on the right: it is no part of the search.
  function certified(plot, [mean, low, high], unit) {
    const at = plot.ctx, x = plot.bbox.left + plot.bbox.width + unit * APART / 2;
    const y = (score) => plot.valToPos(Math.min(1, Math.max(0, score)), "y", true);
    at.save();
    at.strokeStyle = at.fillStyle = colour("--best");
    at.lineWidth = 2 * unit;
    at.setLineDash([]);
    at.beginPath();
    at.moveTo(x, y(low)); at.lineTo(x, y(high));
    for (const end of [low, high]) { at.moveTo(x - 6 * unit, y(end)); at.lineTo(x + 6 * unit, y(end)); }
    at.stroke();
    at.beginPath();
    at.moveTo(x, y(mean) - 7 * unit); at.lineTo(x + 7 * unit, y(mean)); at.lineTo(x, y(mean) + 7 * unit); at.lineTo(x - 7 * unit, y(mean));
    at.fill();
    at.fillStyle = colour("--dim");
    at.font = `${11 * unit}px system-ui, sans-serif`;
    at.textAlign = "center";
    at.fillText("certified", x, plot.bbox.top + plot.bbox.height + 16 * unit);
    at.restore();
  }

  function forget() {
    for (const [host, { plot }] of plots) {
      if (!host.isConnected) { plot.destroy(); plots.delete(host); }
    }
  }

  function draw(anew) {
    forget();
    if (typeof uPlot === "undefined") return;
    for (const source of document.querySelectorAll("[data-curve]")) {
      const text = source.dataset.curve, curve = JSON.parse(text);
      if (curve.best.length < 1 && curve.dots.length < 2) continue;
      source.querySelector(".scroll").hidden = true;
      const host = source.querySelector(".drawn"), held = host && plots.get(host);
      if (held && !anew) {
        if (held.text !== text) {
          held.text = text;
          held.curve = curve;
          held.plot.setData(columns(curve), !held.zoomed);
          if (held.zoomed) held.plot.redraw();
          host.querySelector(".readout").textContent = told(held.plot, curve);
        }
        continue;
      }
      if (held) { held.plot.destroy(); plots.delete(host); }
      host?.remove();
      place(source, curve, text);
    }
  }

  function place(source, curve, text) {
    const host = document.createElement("div"), readout = document.createElement("p");
    host.className = "drawn";
    readout.className = "readout";
    source.prepend(host);
    const held = { curve, text, zoomed: false };
    held.plot = new uPlot(options(Math.max(280, source.clientWidth), held, readout, source.dataset.candidates), columns(curve), host);
    readout.textContent = told(held.plot, curve);
    host.append(readout);
    plots.set(host, held);
  }

  // One tab stop for many links side by side; arrows go from one to the next.
  const KEYS = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

  function links(field) {
    return [...field.querySelectorAll("a[href]")];
  }

  function rove() {
    for (const field of document.querySelectorAll("[data-grid], svg.chart[role=group]")) {
      const all = links(field);
      if (all.length < 2 || all.some((one) => one.getAttribute("tabindex") === "0")) continue;
      all.forEach((one, n) => one.setAttribute("tabindex", n ? "-1" : "0"));
    }
    for (const box of document.querySelectorAll(".scroll, pre")) {
      const over = box.scrollWidth > box.clientWidth + 1 || box.scrollHeight > box.clientHeight + 1;
      if (over && !box.querySelector("a[href], button, [tabindex='0']")) box.tabIndex = 0;
    }
  }

  function middle(one) {
    const box = one.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  }

  document.addEventListener("keydown", (event) => {
    const way = KEYS[event.key], field = event.target.closest?.("[data-grid], svg.chart[role=group]");
    if (!way || !field || event.target.tagName.toLowerCase() !== "a") return;
    const [x, y] = middle(event.target);
    let found = null, least = Infinity;
    for (const one of links(field)) {
      const [dx, dy] = middle(one).map((at, n) => at - [x, y][n]);
      const along = dx * way[0] + dy * way[1], aside = Math.abs(dx * way[1]) + Math.abs(dy * way[0]);
      if (along > 1 && along + 4 * aside < least) { least = along + 4 * aside; found = one; }
    }
    event.preventDefault();
    if (!found) return;
    links(field).forEach((one) => one.setAttribute("tabindex", "-1"));
    found.setAttribute("tabindex", "0");
    found.focus();
  });

  // Live: each message holds the parts of the page that changed, by name.
  const live = document.querySelector("[data-live]"), waiting = new Map();

  function nodes(text) {
    const found = document.createDocumentFragment();
    found.append(...new DOMParser().parseFromString(text, "text/html").body.childNodes);
    return document.adoptNode(found);
  }

  function named(part, list) {
    const seen = new Map();
    return [...list].map((one) => {
      const title = one.closest("[data-part]")?.querySelector("h2")?.firstChild?.textContent ?? "";
      const n = (seen.get(title) ?? 0) + 1;
      seen.set(title, n);
      return [`${title} ${n}`, one];
    });
  }

  // What the reader did to a part is kept: what is open, how far it is scrolled, the drawn curve, the focus.
  function kept(old, next) {
    const open = new Map(named(old, old.querySelectorAll("details")).map(([name, one]) => [name, one.open]));
    for (const [name, one] of named(next, next.querySelectorAll("details"))) one.open = open.get(name) ?? one.open;
    const drawn = old.querySelector(".drawn"), home = next.querySelector("[data-curve]");
    if (drawn && home) {
      home.prepend(drawn);
      home.querySelector(".scroll").hidden = true;
    }
    const scrolled = named(old, old.querySelectorAll(".scroll")).map(([name, one]) => [name, one.scrollLeft, one.scrollTop]);
    const stops = "a[href], button, summary, input, select";
    const focused = [...old.querySelectorAll(stops)].indexOf(document.activeElement);
    return () => {
      const boxes = new Map(named(next, next.querySelectorAll(".scroll")));
      for (const [name, left, top] of scrolled) {
        if ((left || top) && boxes.has(name)) { boxes.get(name).scrollLeft = left; boxes.get(name).scrollTop = top; }
      }
      if (focused >= 0) next.querySelectorAll(stops)[focused]?.focus({ preventScroll: true });
    };
  }

  function reading(part) {
    const chosen = getSelection();
    return chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode);
  }

  function swap(old, next) {
    const after = kept(old, next);
    old.replaceWith(next);
    after();
  }

  function rebuilt(text) {
    const next = document.createElement("div");
    next.append(nodes(text));
    for (const hole of next.querySelectorAll("[data-hole]")) {
      const name = hole.dataset.hole;
      hole.replaceWith(waiting.has(name) ? nodes(waiting.get(name)) : document.querySelector(`[data-part="${name}"]`).cloneNode(true));
    }
    waiting.clear();
    const after = kept(live, next);
    live.replaceChildren(...next.childNodes);
    after();
  }

  function update(event) {
    for (const [name, text] of Object.entries(JSON.parse(event.data))) waiting.set(name, text);
    const skeleton = waiting.get("page");
    if (skeleton !== undefined) {
      waiting.delete("page");
      if (skeleton !== update.skeleton && (update.skeleton !== undefined || !fits(skeleton))) {
        if (reading(live)) { waiting.set("page", skeleton); return; }
        rebuilt(skeleton);
      }
      update.skeleton = skeleton;
    }
    for (const [name, text] of [...waiting]) {
      const old = document.querySelector(`[data-part="${name}"]`);
      if (old && reading(old)) continue;
      waiting.delete(name);
      const next = nodes(text).firstElementChild;
      if (old && next && !old.isEqualNode(next)) swap(old, next);
    }
    draw();
    rove();
  }

  // Whether what the server first sent is what it streams: the same parts, in the same places.
  function fits(skeleton) {
    const names = [...skeleton.matchAll(/data-hole="([^"]*)"/g)].map((one) => one[1]);
    const here = [...live.querySelectorAll("[data-part]")].map((one) => one.dataset.part);
    return names.join() === here.join();
  }

  function say(text) {
    const pulse = document.getElementById("pulse");
    if (pulse) pulse.textContent = text;
  }

  if (live) {
    const source = new EventSource(live.dataset.live);
    source.onopen = () => say("This page is live.");
    source.onmessage = update;
    source.onerror = () => say(source.readyState === 2 ? "No longer live: load the page again." : "The connection is lost; trying again.");
    source.addEventListener("end", () => {
      source.close();
      say("The dashboard has ended; this is the last state. To see it again: tau serve");
    });
    addEventListener("pagehide", () => source.close());
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(true));
  addEventListener("resize", () => { clearTimeout(draw.later); draw.later = setTimeout(() => draw(true), 150); });
  document.querySelector("form[data-send]")?.submit();
  draw();
  rove();
})();
