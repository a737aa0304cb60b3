"use strict";
// Draws report.html from the report inlined in the page. Data reaches the page as text nodes and attribute values
// only, never as markup.
(() => {
  const NS = document.getElementById("patterns").namespaceURI;
  const MISSING = "not known";
  const NBSP = "\u00a0";
  const BASES = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#f0e442"];
  const RAMP = ["#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725"];
  const TEXTURES = 4;
  const MAX_SVG_TILES = 3000;
  const MAX_SVG_SLOTS = 12000;
  const MAX_LINKS = 150;
  const MAX_CHIPS = 8;
  const MAX_LEGEND = 60;
  const MAX_FINDINGS = 6;

  let report, layers, target, hierarchy, tiles, capacity;

  // ---- elements ----------------------------------------------------------------------------------------------

  /** Append children, nested lists too; strings become text nodes, and null, false and "" are left out. */
  function add(element, ...children) {
    element.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
    return element;
  }

  function fill(element, attributes, children) {
    for (const [key, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined) continue;
      if (key.startsWith("aria-")) element.setAttribute(key, `${value}`);
      else if (value !== false) element.setAttribute(key, value === true ? "" : value);
    }
    return add(element, children);
  }
  const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const s = (tag, attributes, ...children) => fill(document.createElementNS(NS, tag), attributes, children);
  const body = (id) => document.getElementById(`${id}-body`);
  const pairs = (rows) => h("dl", { class: "pairs" }, rows.map(([k, v]) => [h("dt", {}, k), h("dd", {}, v)]));
  const tag = (kind, text) => h("span", { class: `tag ${kind}` }, text);

  function meter(share) {
    const bar = h("span", {});
    bar.style.width = `${Math.min(100, Math.max(0, 100 * share))}%`;
    return h("span", { class: "meter", "aria-hidden": "true" }, bar);
  }

  function table(caption, headings, rows) {
    // A heading that starts with ">" is of a column of numbers. The first cell of each row is its header.
    const numeric = headings.map((text) => text.startsWith(">"));
    return h("table", {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, headings.map((text, i) =>
        h("th", { scope: "col", class: numeric[i] && "n" }, numeric[i] ? text.slice(1) : text)))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map((cell, i) =>
        i === 0 ? h("th", { scope: "row", class: "wrap" }, cell)
          : h("td", { class: numeric[i] ? "n" : "wrap" }, cell))))));
  }

  const framed = (content, scroll) =>
    h("div", { class: `panel framed${scroll ? " scroll" : ""}`, tabindex: scroll ? 0 : null,
      role: scroll ? "group" : null, "aria-label": scroll ? "Scrollable table" : null }, content);

  // ---- figures as text ---------------------------------------------------------------------------------------

  const PREFIXES = ["p", "n", "\u00b5", "m", "", "k", "M", "G", "T", "P"];

  function si(value, unit) {
    if (value === null || value === undefined) return MISSING;
    if (value === 0) return `0${NBSP}${unit}`.trim();
    let step = Math.floor(Math.log10(Math.abs(value)) / 3);
    if (Math.abs(Number((value / 10 ** (3 * step)).toPrecision(3))) >= 1000) step += 1;
    step = Math.max(-4, Math.min(5, step));
    return `${Number((value / 10 ** (3 * step)).toPrecision(3))}${NBSP}${PREFIXES[step + 4]}${unit}`.trim();
  }
  const count = (v) => (v === null || v === undefined ? MISSING : Math.round(v).toLocaleString("en-US"));
  const percent = (v, digits = 1) =>
    v === null || v === undefined ? MISSING : `${Number((100 * v).toFixed(digits))}${NBSP}%`;
  const bits = (v) => `${v}${NBSP}bit`;
  const bytes = (v) => si(v, "B");
  const SPANS = [["year", 31556952], ["month", 2629746], ["week", 604800], ["day", 86400], ["h", 3600], ["min", 60], ["s", 1]];
  const span = (seconds) => {
    const [unit, size] = SPANS.find(([, s]) => s <= seconds) || ["s", 1];
    return `${Number((seconds / size).toPrecision(3))}${NBSP}${unit}`;
  };
  const duration = (v) => (v < 60 ? si(v, "s") : span(v));
  const plural = (n, noun) => `${count(n)}${NBSP}${noun}${n === 1 ? "" : "s"}`;
  const number = (v) => (v === null || v === undefined ? MISSING : `${Number(Number(v).toPrecision(4))}`);
  const short = (name, width) =>
    name.length <= width ? name : `${name.slice(0, Math.ceil(width / 2) - 1)}\u2026${name.slice(-Math.floor(width / 2))}`;
  const matrixOf = (l) => `${l.groups > 1 ? `${count(l.groups)} \u00d7 ` : ""}${count(l.rows)} \u00d7 ${count(l.columns)}`;
  const layerName = (i, width = 60) => `#${i} ${short(layers[i].name, width)}`;

  // ---- colours -----------------------------------------------------------------------------------------------

  const rgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const hex = (c) => `#${c.map((v) => Math.round(v).toString(16).padStart(2, "0")).join("")}`;
  const mix = (a, b, share) => hex(rgb(a).map((v, i) => v + (rgb(b)[i] - v) * share));
  const lightness = (c) => {
    const linear = rgb(c).map((v) => (v / 255 <= 0.04045 ? v / 3294.6 : ((v / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  };
  const inkOn = (c) => (lightness(c) > 0.18 ? "#111111" : "#ffffff");

  function solid(layer) {
    const base = BASES[layer % BASES.length];
    const shade = Math.floor(layer / (BASES.length * TEXTURES)) % 3;
    return shade === 0 ? base : mix(base, shade === 1 ? "#ffffff" : "#000000", 0.4);
  }

  const textured = new Set();
  function paint(layer) {
    const texture = Math.floor(layer / BASES.length) % TEXTURES;
    const colour = solid(layer);
    if (texture === 0) return colour;
    const id = `paint-${colour.slice(1)}-${texture}`;
    if (!textured.has(id)) {
      textured.add(id);
      const line = mix(colour, inkOn(colour), 0.55);
      const drawn = [
        null,
        s("path", { d: "M-1,7 L7,-1 M-1,1 L1,-1 M5,7 L7,5", stroke: line, "stroke-width": 1.3 }),
        s("circle", { cx: 3, cy: 3, r: 1.25, fill: line }),
        s("path", { d: "M0,3 H6 M3,0 V6", stroke: line, "stroke-width": 1 }),
      ][texture];
      document.querySelector("#patterns defs").append(
        s("pattern", { id, width: 6, height: 6, patternUnits: "userSpaceOnUse" },
          s("rect", { width: 6, height: 6, fill: colour }), drawn));
    }
    return `url(#${id})`;
  }

  function ramp(share) {
    const at = Math.max(0, Math.min(1, share)) * (RAMP.length - 1);
    const low = Math.min(RAMP.length - 2, Math.floor(at));
    return mix(RAMP[low], RAMP[low + 1], at - low);
  }

  const swatch = (layer) =>
    s("svg", { class: "swatch", viewBox: "0 0 16 12", "aria-hidden": "true" },
      s("rect", { width: 16, height: 12, fill: paint(layer) }));

  // ---- what hovers and what is selected, across all views -------------------------------------------------------

  const marks = {}; // view -> layer -> elements
  const watchers = []; // canvases
  let hovered = null, selected = null, shown = null;

  function clearMarks(view) { marks[view] = new Map(); }

  function register(view, layer, element) {
    if (!marks[view].has(layer)) marks[view].set(layer, []);
    marks[view].get(layer).push(element);
    element.classList.add("mark");
    if (layer === shown) element.classList.add("hot");
  }

  function link(view, layer, element, describe, pointer = element) {
    register(view, layer, element);
    pointer.addEventListener("pointerenter", (event) => { hover(layer); tip(event, describe()); });
    pointer.addEventListener("pointermove", moveTip);
    pointer.addEventListener("pointerleave", () => { hover(null); tip(null); });
    pointer.addEventListener("click", () => select(layer));
  }

  const every = (layer, action) => {
    for (const view of Object.values(marks)) (view.get(layer) || []).forEach(action);
  };

  function refresh() {
    const next = hovered !== null ? hovered : selected;
    if (next === shown) return;
    if (shown !== null) every(shown, (e) => e.classList.remove("hot"));
    if (next !== null) every(next, (e) => e.classList.add("hot"));
    shown = next;
    document.body.classList.toggle("focused", shown !== null);
    watchers.forEach((redraw) => redraw());
  }

  function hover(layer) { hovered = layer; refresh(); }

  function select(layer) {
    const before = selected;
    selected = layer === selected ? null : layer;
    refresh();
    for (const at of [before, selected]) {
      if (at === null) continue;
      every(at, (e) => { if (e.hasAttribute("aria-pressed")) e.setAttribute("aria-pressed", at === selected); });
    }
    if (selected !== null && tileShown !== null && !holds(tileShown, selected)) {
      tileShown = tiles.find((t) => holds(t, selected)) || tileShown;
    }
    const bar = document.getElementById("selection");
    bar.hidden = selected === null;
    if (selected !== null) {
      const l = layers[selected];
      const clear = h("button", { type: "button" }, "Clear selection");
      clear.addEventListener("click", () => select(selected));
      bar.replaceChildren(h("div", {}, swatch(selected), h("b", { title: l.name }, layerName(selected, 70)),
        h("span", {}, matrixOf(l)), h("span", {}, plural(l.crossbars, "crossbar")),
        h("span", {}, si(l.latency_s, "s")), h("span", {}, `${percent(l.utilization)} of cells`), clear));
    }
    drawDetails();
  }

  function tip(event, lines) {
    const box = document.getElementById("tip");
    box.hidden = lines === undefined || lines === null;
    if (box.hidden) return;
    box.replaceChildren(...lines.map((line, i) => h(i === 0 ? "b" : "div", {}, line)));
    moveTip(event);
  }

  function moveTip(event) {
    const box = document.getElementById("tip");
    if (box.hidden) return;
    const { width, height } = box.getBoundingClientRect();
    const right = event.clientX + 16 + width < window.innerWidth;
    const below = event.clientY + 16 + height < window.innerHeight;
    box.style.left = `${Math.max(4, right ? event.clientX + 16 : event.clientX - width - 12)}px`;
    box.style.top = `${Math.max(4, below ? event.clientY + 16 : event.clientY - height - 12)}px`;
  }

  // ---- headline, figures, diagnostics --------------------------------------------------------------------------

  function headline() {
    const { model, verification } = report;
    const { exact, accuracy } = verification;
    const checked = plural(exact.layers.length, "layer");
    const rounding = layers.filter((l) => !l.lossless).length;
    const meaning = {
      pass: [`${exact.layers.length === 1 ? "The 1 layer equals" : `All ${checked} equal`} integer arithmetic bit for bit on `
        + `${plural(exact.samples, "sample")}${rounding === 0 ? "." : `; the converters of ${plural(rounding, "layer")} round, which only the accuracy counts.`}`,
        (exact.crossbar_share < 1 ? `${(100 * exact.crossbar_share).toPrecision(2)} % of each layer's vectors were read `
          + "crossbar by crossbar, cycle by cycle; the others by the functional engine. "
          : "The mapped program was executed crossbar by crossbar. ") + `Reference: ${exact.reference}.`],
      fail: ["The mapped program does not compute what the quantized model says.", exact.reason],
      skipped: [`Not verified: ${exact.reason || "no reason given"}.`,
        "The program was not executed. Whether it is right is unknown."],
    }[exact.status] || [exact.reason, ""];
    const scores = accuracy === null ? [] : [
      ["Float model", accuracy.float], ["Quantized model", accuracy.quantized], ["Mapped program", accuracy.ideal],
    ].filter(([, value]) => value !== null).map(([name, value]) => [`${name}, top-1`, value]);
    if (accuracy !== null && accuracy.agreement !== null) {
      scores.push(["Same top-1 as onnxruntime", accuracy.agreement]);
    }
    if (accuracy !== null && accuracy.mean !== null) {
      scores.push([`On ${onDies()}`, accuracy.mean]);
    }
    const changed = Object.entries(target.sources || {}).filter(([, text]) => text === "given on the command line")
      .map(([name]) => `${name} = ${name.split(".").reduce((part, key) => (part || {})[key], target)}`);
    add(document.getElementById("headline"),
      h("h1", {}, model.name),
      h("p", { class: "lead wrap" }, "Compiled for ", h("b", {}, target.name || "an unnamed target"),
        target.summary ? `. ${target.summary}.` : ".", changed.length > 0 && ` Changed by --set: ${changed.join(", ")}.`),
      h("div", { class: `panel verdict ${exact.status}` },
        h("div", {}, h("span", { class: "badge" }, exact.status.toUpperCase()),
          h("div", {}, h("p", { class: "wrap" }, h("b", {}, meaning[0])), h("p", { class: "muted small wrap" }, meaning[1]))),
        scores.length > 0 && h("div", {},
          h("dl", { class: "scores" }, scores.map(([k, v]) => h("div", {}, h("dt", {}, k), h("dd", {}, percent(v, 2))))),
          h("p", { class: "muted small wrap" }, `On ${plural(accuracy.samples, "sample")} of ${accuracy.data}.`))));
  }

  function figures() {
    const { totals: t, model } = report;
    const slots = capacity ? Math.round(t.crossbars_available / capacity) : null;
    const rate = t.throughput_per_s;
    const cards = [
      ["Crossbars", count(t.crossbars_used), t.crossbars_available
        && [meter(Math.min(1, t.crossbars_used / t.crossbars_available)),
          report.mapping.rounds > 1 ? `in ${count(report.mapping.rounds)} rounds on ${count(t.crossbars_available)}`
            : `of ${count(t.crossbars_available)} (${percent(t.crossbars_used / t.crossbars_available, 2)})`,
          t.crossbars_one_copy !== t.crossbars_used && `; one copy of each layer takes ${count(t.crossbars_one_copy)}`]],
      ["Cell utilization", percent(t.cell_utilization), [meter(t.cell_utilization), "of the cells of the crossbars used"]],
      ["Tiles", count(t.tiles_used), `${slots ? `of ${count(slots)}, ` : ""}on ${plural(t.chips_used, "chip")}`],
      ["Latency", si(t.latency_s, "s"), "one inference, first input to last output"],
      ["Interval", si(t.interval_s, "s"), "between inferences in the pipeline"],
      ["Throughput", rate >= 100 && rate < 1e6 ? `${count(rate)}${NBSP}/s` : si(rate, "/s"), "inferences per second"],
      ["MACs on crossbars", percent(t.macs_on_crossbars_share, 2), [meter(t.macs_on_crossbars_share), `of ${si(model.macs, "")} multiply-accumulates`]],
      ["Parameters", si(model.parameters, ""), `${plural(layers.length, "layer")} on crossbars, ${si(t.programming.cells, "")} cells to program`],
    ];
    const later = [
      ["Energy", t.energy_j, "J", "per inference"], ["Power", t.power_w, "W", "at full throughput"],
      ["ADC share of energy", t.adc_energy_share, "%", ""],
      ["Programming time", t.programming.time_s, "s", ""], ["Programming energy", t.programming.energy_j, "J", ""],
      ["Programming pulses", t.programming.pulses, "", ""], ["Lifetime", t.programming.lifetime_s, "s", ""],
    ];
    for (const [name, value, unit, note] of later) {
      if (value !== null) cards.push([name, unit === "%" ? percent(value) : unit === "s" ? duration(value) : si(value, unit), note]);
    }
    if (t.programming.holds_s !== null) {
      cards.push(["Cells hold for", duration(t.programming.holds_s), "then 1 % of a level\u2019s cells are off by more than half a level"]);
    }
    if (t.programming.refresh_power_w !== null) cards.push(["Refresh power", si(t.programming.refresh_power_w, "W"), "writing all cells anew at the device\u2019s intervals, else before they are lost"]);
    if (t.area_m2 !== null) cards.push(["Area", `${number(t.area_m2 * 1e6)}${NBSP}mm\u00b2`, ""]);
    const open = [...later, ["Area", t.area_m2]].filter((item) => item[1] === null)
      .map(([name]) => (name.startsWith("ADC") ? name : name.toLowerCase()));
    const missing = report.cost.missing;
    add(body("figures"),
      h("dl", { class: "figures" }, cards.map(([name, value, note]) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, value), note && h("dd", { class: "aside" }, note)))),
      open.length > 0 && h("p", { class: "muted small after" },
        `Not known: ${open.join(", ")}.`),
      missing.length > 0 && h("p", { class: "muted small after wrap" },
        `The target does not state ${missing.join(", ")}.`));
  }

  function diagnostics() {
    const order = { error: 0, warning: 1, note: 2 };
    const rank = (d) => (d.severity in order ? order[d.severity] : 3);
    const found = [...report.diagnostics].sort((a, b) => rank(a) - rank(b));
    const groups = [];
    for (const d of found) {
      const last = groups[groups.length - 1];
      if (last && last[0].code === d.code && last[0].severity === d.severity && last[0].hint === d.hint) last.push(d);
      else groups.push([d]);
    }
    const sentence = (d) => [d.node && h("b", {}, d.node, ": "), d.message, ". "];
    const item = ([d, ...same]) => {
      const kind = d.severity in order ? d.severity : "note";
      return h("li", { class: kind }, tag(kind, kind), h("div", {},
        h("p", {}, sentence(d), h("code", { class: "muted" }, d.code)),
        d.hint && h("p", { class: "muted small" }, `Hint: ${d.hint}.`),
        same.length > 0 && h("details", { class: "small" }, h("summary", {}, `${count(same.length)} more of this kind`),
          same.map((other) => h("p", {}, sentence(other))))));
    };
    const rest = groups.slice(MAX_FINDINGS);
    add(body("diagnostics"),
      found.length === 0 && h("p", { class: "muted" }, "Nothing to report."),
      h("ul", { class: "findings" }, groups.slice(0, MAX_FINDINGS).map(item)),
      rest.length > 0 && h("details", { class: "after" }, h("summary", {}, `${count(rest.length)} more`),
        h("ul", { class: "findings" }, rest.map(item))));
  }

  // ---- floorplan -----------------------------------------------------------------------------------------------

  const CELL = 44, STEP = 48;
  let lens = "layer", arrows = false, tileShown = null, chipsShown = MAX_CHIPS;

  function prepareTiles() {
    // rounds are drawn like chips of their own
    tiles = report.mapping.tiles.map((t) => ({ ...t, chip: (t.round * (hierarchy.chips || 1) + t.chip) * layersOfChip() + t.layer, held: t.crossbars_used, sent: 0, received: 0 }));
    const at = new Map(tiles.map((t) => [t.tile, t]));
    for (const { source, destination, bytes: amount } of report.mapping.traffic) {
      if (at.has(source)) at.get(source).sent += amount;
      if (at.has(destination)) at.get(destination).received += amount;
    }
    tiles.forEach((t) => { t.traffic = t.sent + t.received; });
    tiles.byId = at;
    capacity = (hierarchy.counts || []).reduce((m, n) => m * n, 1) || tiles.reduce((m, t) => Math.max(m, t.held), 1);
    tileShown = tiles[0] || null;
  }

  /** Share a rectangle among [layer, crossbars] in proportion, by halving. */
  function split(parts, x, y, width, height, out = []) {
    if (parts.length === 1) {
      out.push({ layer: parts[0][0], crossbars: parts[0][1], x, y, width, height });
      return out;
    }
    const total = parts.reduce((sum, part) => sum + part[1], 0);
    let cut = 1, first = parts[0][1];
    while (cut < parts.length - 1 && Math.abs(first + parts[cut][1] - total / 2) < Math.abs(first - total / 2)) {
      first += parts[cut][1];
      cut += 1;
    }
    const share = first / total, wide = width >= height;
    split(parts.slice(0, cut), x, y, wide ? width * share : width, wide ? height : height * share, out);
    split(parts.slice(cut), wide ? x + width * share : x, wide ? y : y + height * share,
      wide ? width * (1 - share) : width, wide ? height : height * (1 - share), out);
    return out;
  }

  const holds = (tile, layer) => tile.crossbars.some(([i]) => i === layer);
  const largest = (tile) => tile.crossbars.reduce((best, part) => (part[1] > best[1] ? part : best), [null, -1])[0];

  function makeScale(low, high) {
    // Logarithmic where values span more than a factor of 30.
    const log = low > 0 && high / low > 30;
    const map = log ? Math.log : (v) => v;
    const back = log ? Math.exp : (v) => v;
    const span = map(high) - map(low);
    return { low, high, log, share: (v) => (span > 0 ? (map(v) - map(low)) / span : 1),
      middle: back((map(low) + map(high)) / 2) };
  }

  const ratios = () => report.verification.accuracy && report.verification.accuracy.snr_db_per_layer;
  // a layer without any error counts like the best of the others
  const ratioOf = (layer) => ratios()[layer] ?? Math.max(0, ...ratios().filter((v) => v !== null));

  const LENSES = {
    layer: { name: "Layer", colour: (tile, layer) => paint(layer), flat: (tile, layer) => solid(layer) },
    occupancy: {
      name: "Occupancy", whole: true, value: (tile) => tile.held / capacity, show: (v) => percent(v, 0),
      brief: (tile) => count(tile.held), scale: () => makeScale(0, 1),
      note: "Crossbars that the tile uses, of those that it has.",
    },
    adc: {
      name: "ADC bits", value: (tile, layer) => layers[layer].adc_bits, show: bits,
      brief: (tile) => `${Math.max(...tile.crossbars.map(([i]) => layers[i].adc_bits))}`,
      scale: () => makeScale(Math.min(...layers.map((l) => l.adc_bits)), Math.max(...layers.map((l) => l.adc_bits))),
      note: "Resolution that the layer's converters were given. The number is the largest of the tile.",
    },
    traffic: {
      name: "Traffic", whole: true, value: (tile) => tile.traffic, show: bytes,
      brief: (tile) => si(tile.traffic, "").replace(NBSP, ""),
      scale: () => {
        const some = tiles.map((t) => t.traffic).filter((v) => v > 0);
        const high = some.reduce((a, b) => Math.max(a, b), 0);
        const low = some.reduce((a, b) => Math.min(a, b), high);
        return some.length === tiles.length && high / low > 30 ? makeScale(low, high) : makeScale(0, high);
      },
      note: "Bytes into and out of the tile in one inference.",
    },
    snr: {
      name: "Error", there: () => ratios() !== null,
      value: (tile, layer) => ratioOf(layer), show: (v) => `${number(v)}${NBSP}dB`,
      brief: (tile) => `${Math.round(Math.min(...tile.crossbars.map(([i]) => ratioOf(i))))}`,
      scale: () => makeScale(Math.min(...layers.map((l, i) => ratioOf(i))), Math.max(...layers.map((l, i) => ratioOf(i)))),
      note: "Signal-to-noise ratio of the layer on the first die. The number is the smallest of the tile.",
    },
  };

  function colourer() {
    const view = LENSES[lens];
    if (!view.scale) return { fill: view.colour, flat: view.flat };
    const scale = view.scale();
    const colour = (tile, layer) => ramp(scale.share(view.value(tile, layer)));
    return { fill: colour, flat: colour, scale };
  }

  const describeTile = (tile, layer) => [
    `Tile ${tile.tile}, ${layersOfChip() > 1 ? `mesh ${tile.layer}, ` : ""}row ${tile.row}, column ${tile.column}`,
    `${count(tile.held)} of ${count(capacity)} crossbars used`,
    ...(layer === null ? [] : [`${layerName(layer)}: ${plural(tile.crossbars.find(([i]) => i === layer)[1], "crossbar")}`]),
    ...(tile.crossbars.length > 1 ? [`${tile.crossbars.length} layers on this tile`] : []),
    `${bytes(tile.received)} in, ${bytes(tile.sent)} out`,
  ];

  function floorplan() {
    const root = body("floorplan");
    if (tiles.length === 0) {
      root.append(h("p", { class: "muted" }, "No tile is used."));
      return;
    }
    const buttons = Object.entries(LENSES).filter(([, view]) => !view.there || view.there()).map(([key, view]) => {
      const button = h("button", { type: "button", "aria-pressed": key === lens }, view.name);
      button.addEventListener("click", () => {
        lens = key;
        buttons.forEach((b) => b.setAttribute("aria-pressed", b === button));
        drawPlan();
      });
      return button;
    });
    const inside = report.mapping.traffic.filter((t) => sameChip(t));
    arrows = inside.length > 0 && inside.length <= 40;
    const box = h("input", { type: "checkbox", checked: arrows, disabled: inside.length === 0 });
    box.addEventListener("change", () => { arrows = box.checked; drawPlan(); });
    root.append(
      h("div", { class: "tools" },
        h("span", { class: "label", id: "lens-label" }, "Colour by"),
        h("span", { class: "group", role: "group", "aria-labelledby": "lens-label" }, buttons),
        h("label", {}, box, inside.length ? "Traffic between tiles" : "Traffic between tiles (none)")),
      h("div", { class: "panel plan" },
        h("div", {}, h("div", { id: "chips", class: "chips dims" }), h("div", { id: "plan-legend" })),
        h("div", { class: "side dims", id: "details" })));
    drawPlan();
    drawDetails();
  }

  function sameChip({ source, destination }) {
    const a = tiles.byId.get(source), b = tiles.byId.get(destination);
    return a !== undefined && b !== undefined && a.chip === b.chip;
  }

  function drawPlan() {
    clearMarks("plan");
    watchers.length = 0;
    const chips = [...new Set(tiles.map((t) => t.chip))].sort((a, b) => a - b);
    const rows = hierarchy.mesh_rows || 1 + tiles.reduce((m, t) => Math.max(m, t.row), 0);
    const columns = hierarchy.mesh_columns || 1 + tiles.reduce((m, t) => Math.max(m, t.column), 0);
    const visible = chips.slice(0, chipsShown);
    const many = tiles.length > MAX_SVG_TILES || rows * columns * visible.length > MAX_SVG_SLOTS;
    const colours = colourer();
    const root = document.getElementById("chips");
    root.classList.toggle("one", chips.length === 1);
    root.replaceChildren(...visible.map((chip) => {
      const own = tiles.filter((t) => t.chip === chip);
      const title = `${chips.length > 1 ? `${chipName(chip)}: ` : ""}${plural(own.length, "tile")} of ${count(rows * columns)} used`;
      const drawn = many ? chipCanvas(own, rows, columns, colours, title) : chipSvg(own, rows, columns, colours, title, chip);
      return h("div", {}, h("h3", {}, title), drawn);
    }));
    const rest = chips.length - visible.length;
    if (rest > 0) {
      const more = h("button", { type: "button" }, `Show ${plural(rest, "more chip")}`);
      more.addEventListener("click", () => { chipsShown = Infinity; drawPlan(); });
      root.append(h("p", {}, more));
    }
    drawLegend(colours, many);
  }

  const layersOfChip = () => hierarchy.mesh_layers || 1;

  function chipName(number) {
    const each = hierarchy.chips || 1, stacked = layersOfChip();
    const chip = Math.floor(number / stacked);
    const parts = [];
    if (report.mapping.rounds > 1) parts.push(`round ${Math.floor(chip / each) + 1}`);
    if (each > 1 || (parts.length === 0 && stacked === 1)) parts.push(`chip ${chip % each}`);
    if (stacked > 1) parts.push(`mesh ${number % stacked}`);
    return parts.join(", ").replace(/^./, (first) => first.toUpperCase());
  }

  function linksOf(own) {
    const here = new Set(own.map((t) => t.tile));
    const all = report.mapping.traffic.filter((t) => here.has(t.source) && here.has(t.destination));
    return all.sort((a, b) => b.bytes - a.bytes || a.source - b.source || a.destination - b.destination).slice(0, MAX_LINKS);
  }

  function chipSvg(own, rows, columns, colours, title, chip) {
    const view = LENSES[lens];
    const scale = Math.max(1, (columns * STEP) / 700);
    const margin = 24 * scale;
    const width = margin + columns * STEP, height = margin + rows * STEP;
    const root = s("svg", { viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label":
      `Floorplan. ${title}. Arrow keys move between tiles, Enter selects a layer of a tile.` });
    root.style.maxWidth = `${Math.max(240, columns * (tiles.length <= 4 ? 36 : 64))}px`;
    const labelled = Math.max(rows, columns) > 20 ? 5 : 1;
    for (let c = 0; c < columns; c += labelled) {
      root.append(s("text", { class: "dim", x: margin + c * STEP + CELL / 2, y: 14 * scale, "text-anchor": "middle", "font-size": 12 * scale }, `${c}`));
    }
    for (let r = 0; r < rows; r += labelled) {
      root.append(s("text", { class: "dim", x: margin - 7 * scale, y: margin + r * STEP + CELL / 2 + 4 * scale, "text-anchor": "end", "font-size": 12 * scale }, `${r}`));
    }
    let d = "";
    for (let r = 0; r < rows; r += 1) {
      for (let c = 0; c < columns; c += 1) d += `M${margin + c * STEP},${margin + r * STEP}h${CELL}v${CELL}h${-CELL}z`;
    }
    root.append(s("path", { class: "slot", d }));
    const group = s("g", { class: view.scale ? "flat" : null });
    const places = new Map(own.map((t) => [`${t.row},${t.column}`, t]));
    const elements = new Map();
    for (const tile of own) {
      const x = margin + tile.column * STEP, y = margin + tile.row * STEP;
      const node = s("g", { class: "tile", role: "button", tabindex: tile === own[0] ? 0 : -1,
        "aria-label": describeTile(tile, null).join(". ") });
      for (const part of split(tile.crossbars, x, y, CELL, CELL)) {
        const { layer } = part;
        const rect = s("rect", { class: "part", x: part.x, y: part.y, width: part.width, height: part.height,
          fill: colours.fill(tile, layer) });
        const cell = s("g", {}, rect);
        const label = `${layer}`;
        if (!view.scale && part.height >= 12 && part.width >= 7 * label.length + 3) cell.append(tileText(label, part, solid(layer)));
        link("plan", layer, cell, () => describeTile(tile, layer));
        cell.addEventListener("pointerenter", () => showTile(tile));
        node.append(cell);
      }
      if (view.scale) {
        const top = largest(tile);
        const text = tileText(view.brief(tile), { x, y, width: CELL, height: CELL }, colours.flat(tile, top));
        text.setAttribute("pointer-events", "none");
        node.append(text);
      }
      node.append(s("rect", { class: "edge", x, y, width: CELL, height: CELL, "pointer-events": "none" }));
      node.addEventListener("focus", () => showTile(tile));
      elements.set(tile, node);
      group.append(node);
    }
    root.append(group);
    root.addEventListener("keydown", (event) => moveFocus(event, own, places, elements, rows, columns));
    if (arrows) root.append(arrowsOf(own, chip, margin));
    return root;
  }

  const tileText = (text, box, colour) => {
    const size = Math.min(13, (box.width - 2) / (0.58 * text.length));
    const node = s("text", { x: box.x + box.width / 2, y: box.y + box.height / 2 + size * 0.36, "text-anchor": "middle",
      "font-size": Number(size.toFixed(1)), "paint-order": "stroke", stroke: colour, "stroke-width": 2.5,
      "stroke-linejoin": "round" }, text);
    node.style.fill = inkOn(colour);
    return node;
  };

  function moveFocus(event, own, places, elements, rows, columns) {
    const from = own.find((t) => elements.get(t) === document.activeElement);
    if (!from) return;
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    if (event.key in steps) {
      event.preventDefault();
      const [dr, dc] = steps[event.key];
      let row = from.row + dr, column = from.column + dc;
      while (row >= 0 && column >= 0 && row < rows && column < columns) {
        const next = places.get(`${row},${column}`);
        if (next) {
          elements.get(from).setAttribute("tabindex", -1);
          elements.get(next).setAttribute("tabindex", 0);
          elements.get(next).focus();
          return;
        }
        row += dr;
        column += dc;
      }
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      const held = from.crossbars.map(([layer]) => layer);
      const at = held.indexOf(selected);
      const next = at + 1 < held.length ? held[at + 1] : null;
      select(next === null ? selected : next);
    }
  }

  function curve(link) {
    const a = tiles.byId.get(link.source), b = tiles.byId.get(link.destination);
    const from = [a.column + 0.5, a.row + 0.5], to = [b.column + 0.5, b.row + 0.5];
    const dx = to[0] - from[0], dy = to[1] - from[1], length = Math.hypot(dx, dy) || 1;
    const ux = dx / length, uy = dy / length, bend = Math.min(0.9, 0.13 * length);
    const start = [from[0] + ux * 0.12, from[1] + uy * 0.12], end = [to[0] - ux * 0.2, to[1] - uy * 0.2];
    return { a, b, start, end, mid: [(start[0] + end[0]) / 2 - uy * bend, (start[1] + end[1]) / 2 + ux * bend] };
  }

  function arrowsOf(own, chip, margin) {
    const links = linksOf(own);
    const most = links.reduce((m, l) => Math.max(m, l.bytes), 1);
    const id = `head-${chip}`;
    const group = s("g", { "pointer-events": "none", "aria-hidden": "true" },
      s("defs", {}, s("marker", { id, viewBox: "0 0 8 8", refX: 6, refY: 4, markerWidth: 9, markerHeight: 9,
        markerUnits: "userSpaceOnUse", orient: "auto" }, s("path", { class: "head", d: "M0,0 L8,4 L0,8 z" }))));
    for (const item of [...links].reverse()) {
      const { a, b, start, end, mid } = curve(item);
      const at = ([x, y]) => `${(margin + x * STEP - 2).toFixed(1)},${(margin + y * STEP - 2).toFixed(1)}`;
      const d = `M${at(start)} Q${at(mid)} ${at(end)}`;
      const width = 0.7 + 3.3 * Math.sqrt(item.bytes / most);
      const node = s("g", {}, s("path", { class: "halo", d, "stroke-width": (width + 2).toFixed(2) }),
        s("path", { class: "link", d, "stroke-width": width.toFixed(2), "marker-end": `url(#${id})` }));
      new Set([...a.crossbars, ...b.crossbars].map(([layer]) => layer)).forEach((layer) => register("plan", layer, node));
      group.append(node);
    }
    return group;
  }

  function chipCanvas(own, rows, columns, colours, title) {
    const room = Math.max(200, document.getElementById("chips").clientWidth || 800);
    const size = Math.max(1, Math.min(24, Math.floor(Math.min(room / columns, 900 / rows))));
    const dense = Math.max(1, window.devicePixelRatio || 1);
    const gap = size >= 5 ? 1 : 0;
    const canvas = h("canvas", { role: "img", "aria-label":
      `Floorplan. ${title}. Coloured by ${LENSES[lens].name}. The table of layers holds the same figures.` });
    canvas.width = columns * size * dense;
    canvas.height = rows * size * dense;
    canvas.style.width = `${columns * size}px`;
    const places = new Map();
    const cells = [];
    for (const tile of own) {
      const parts = split(tile.crossbars, tile.column * size, tile.row * size, size - gap, size - gap);
      places.set(tile.row * columns + tile.column, { tile, parts });
      for (const part of parts) cells.push([part, colours.flat(tile, part.layer)]);
    }
    const links = arrows ? linksOf(own) : [];
    const most = links.reduce((m, l) => Math.max(m, l.bytes), 1);
    const draw = () => {
      const pen = canvas.getContext("2d");
      const css = getComputedStyle(document.documentElement);
      pen.setTransform(dense, 0, 0, dense, 0, 0);
      pen.globalAlpha = 1;
      pen.fillStyle = css.getPropertyValue("--slot");
      pen.fillRect(0, 0, columns * size, rows * size);
      for (const [part, colour] of cells) {
        pen.globalAlpha = shown === null || shown === part.layer ? 1 : 0.18;
        pen.fillStyle = colour;
        pen.fillRect(part.x, part.y, part.width, part.height);
      }
      pen.globalAlpha = 0.8;
      pen.strokeStyle = css.getPropertyValue("--arrow");
      for (const item of links) {
        const { a, b, start, end, mid } = curve(item);
        if (shown !== null && ![...a.crossbars, ...b.crossbars].some(([layer]) => layer === shown)) continue;
        pen.lineWidth = 0.5 + 2 * Math.sqrt(item.bytes / most);
        pen.beginPath();
        pen.moveTo(start[0] * size, start[1] * size);
        pen.quadraticCurveTo(mid[0] * size, mid[1] * size, end[0] * size, end[1] * size);
        pen.stroke();
      }
    };
    let waiting = false;
    watchers.push(() => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; draw(); });
    });
    const find = (event) => {
      const box = canvas.getBoundingClientRect();
      const zoom = box.width / (columns * size);
      const x = (event.clientX - box.left) / zoom, y = (event.clientY - box.top) / zoom;
      const place = places.get(Math.floor(y / size) * columns + Math.floor(x / size));
      if (!place) return null;
      const inside = (p) => x >= p.x && y >= p.y && x <= p.x + p.width && y <= p.y + p.height;
      const part = place.parts.find(inside);
      return { tile: place.tile, layer: part ? part.layer : largest(place.tile) };
    };
    canvas.addEventListener("pointermove", (event) => {
      const hit = find(event);
      hover(hit && hit.layer);
      tip(event, hit && describeTile(hit.tile, hit.layer));
      if (hit) showTile(hit.tile);
    });
    canvas.addEventListener("pointerleave", () => { hover(null); tip(null); });
    canvas.addEventListener("click", (event) => { const hit = find(event); if (hit) select(hit.layer); });
    draw();
    return canvas;
  }

  function drawLegend(colours, many) {
    const view = LENSES[lens];
    const parts = [];
    clearMarks("legend");
    if (!view.scale) {
      const buttons = layers.slice(0, MAX_LEGEND).map((l, i) => {
        const button = h("button", { type: "button", title: l.name, "aria-pressed": i === selected }, swatch(i), layerName(i, 26));
        link("legend", i, button, () => describeLayer(i));
        return button;
      });
      parts.push(h("div", { class: "legend layers", role: "group", "aria-label": "Layers" }, buttons));
      if (layers.length > MAX_LEGEND) {
        parts.push(h("p", { class: "muted small" }, `The first ${MAX_LEGEND} of ${layers.length} layers. The table below holds all.`));
      }
      if (many && layers.length > BASES.length) {
        parts.push(h("p", { class: "muted small" }, "In large plans tiles have plain colours, so layers share them. Point at a tile to see its layer."));
      }
    } else if (lens === "adc") {
      const levels = [...new Set(layers.map((l) => l.adc_bits))].sort((a, b) => a - b);
      parts.push(h("div", { class: "legend" }, levels.map((v) =>
        h("span", { class: "item" }, s("svg", { class: "swatch", viewBox: "0 0 16 12", "aria-hidden": "true" },
          s("rect", { width: 16, height: 12, fill: ramp(colours.scale.share(v)) })), bits(v)))));
    } else {
      const { low, high, middle, log } = colours.scale;
      parts.push(h("div", { class: "legend" }, s("svg", { class: "ramp", viewBox: "0 0 260 34", role: "img",
        "aria-label": `Colour scale from ${view.show(low)} to ${view.show(high)}` },
        Array.from({ length: 52 }, (_, i) => s("rect", { x: i * 5, y: 0, width: 5.3, height: 12, fill: ramp(i / 51) })),
        [[0, "start", low], [130, "middle", middle], [260, "end", high]].map(([x, anchor, v]) =>
          s("text", { class: "dim", x, y: 28, "text-anchor": anchor, "font-size": 13 }, view.show(v)))),
        log && h("span", {}, "logarithmic")));
    }
    if (view.note) parts.push(h("p", { class: "muted small" }, view.note));
    if (arrows) {
      const inside = report.mapping.traffic.filter(sameChip).length;
      const across = report.mapping.traffic.length - inside;
      parts.push(h("p", { class: "muted small" }, inside > MAX_LINKS
        ? `Arrows: the ${MAX_LINKS} largest flows of each chip, of ${count(inside)}. Width grows with bytes.`
        : `Arrows: all ${plural(inside, "flow")} between tiles. Width grows with bytes.`,
      across > 0 && ` ${plural(across, "flow")} between ${report.mapping.rounds > 1 ? "rounds or chips" : "chips"} ${across === 1 ? "is" : "are"} not drawn.`));
    }
    document.getElementById("plan-legend").replaceChildren(...parts);
  }

  function showTile(tile) {
    if (tile === tileShown) return;
    tileShown = tile;
    drawDetails();
  }

  const describeLayer = (i) => {
    const l = layers[i];
    return [layerName(i, 120), `${l.op_type}, ${matrixOf(l)}, ${plural(l.vectors, "vector")}`,
      `${plural(l.crossbars, "crossbar")}, ${percent(l.utilization)} of their cells`,
      `${si(l.latency_s, "s")}, from ${si(l.start_s, "s")}`];
  };

  /** The tile last pointed at, enlarged, and the selected layer in full. */
  function drawDetails() {
    const root = document.getElementById("details");
    if (!root) return;
    clearMarks("zoom");
    const parts = [];
    if (tileShown !== null) {
      const free = capacity - tileShown.held;
      const boxes = split([...tileShown.crossbars, ...(free > 0 ? [[null, free]] : [])], 1, 1, 298, 198);
      const zoom = s("svg", { viewBox: "0 0 300 200", role: "img", "aria-label": describeTile(tileShown, null).join(". ") });
      for (const box of boxes) {
        const rect = s("rect", { class: box.layer === null ? "slot" : "part", x: box.x, y: box.y, width: box.width, height: box.height,
          fill: box.layer === null ? null : paint(box.layer) });
        const text = box.layer === null ? "free" : `#${box.layer}`;
        const cell = s("g", { class: box.layer === null ? null : "tile" }, rect);
        if (box.width > 8 * text.length && box.height > 14) {
          cell.append(box.layer === null
            ? s("text", { class: "dim", x: box.x + box.width / 2, y: box.y + box.height / 2 + 5, "text-anchor": "middle", "font-size": 13 }, text)
            : tileText(text, box, solid(box.layer)));
        }
        if (box.layer !== null) link("zoom", box.layer, cell, () => [layerName(box.layer), plural(box.crossbars, "crossbar")]);
        zoom.append(cell);
      }
      zoom.append(s("rect", { class: "edge", x: 0.5, y: 0.5, width: 299, height: 199 }));
      parts.push(h("h3", {}, `Tile ${tileShown.tile}, row ${tileShown.row}, column ${tileShown.column}`), zoom,
        h("p", { class: "muted small" }, `${count(tileShown.held)} of ${count(capacity)} crossbars used. `
          + `${bytes(tileShown.received)} in, ${bytes(tileShown.sent)} out. Areas are crossbars.`));
    }
    if (selected === null) {
      parts.push(h("p", { class: "muted small" }, "Select a layer to see it in full."));
    } else {
      const l = layers[selected];
      parts.push(h("h3", {}, `Layer #${selected}`), h("p", { class: "name" }, l.name), h("dl", {}, [
        ["Operator", l.op_type], ["Matrix", matrixOf(l)], ["Vectors", count(l.vectors)], ["MACs", si(l.macs, "")],
        ["Weights", `${bits(l.weight_bits)} in ${plural(l.weight_slices.length, "slice")}`],
        ["Slices", l.weight_slices.map((w) => `${w.shift}\u2013${w.shift + w.bits - 1}`).join(", ")],
        ["Inputs", `${bits(l.input_bits)} in ${plural(l.input_cycles, "cycle")}`], ["Signs", l.sign_scheme],
        ["Input signs", l.input_scheme], ["Reads a cycle", count(l.reads_per_cycle)], ["Subtraction", l.subtraction],
        ["Partitions", `${l.row_partitions} rows \u00d7 ${l.column_partitions} columns`], ["Blocks", count(l.blocks)],
        ["Crossbars", count(l.crossbars)], ["Copies", count(l.replicas)], ["Tiles", count(l.tiles.length)],
        ["Cells used", percent(l.utilization)], ["Cells written", count(l.writes)],
        ["ADC", `${bits(l.adc_bits)}${l.lossless ? ", lossless" : l.converters.keeps_signs ? ", exact signs" : ", lossy"}`],
        ["ADC, any weights", bits(l.adc_bits_required.exact)], ["ADC, paper's need", bits(l.adc_bits_required.paper)],
        ["ADC, these weights", `${bits(l.adc_bits_required.weights)}, mean ${l.adc_bits_required.weights_mean.toFixed(2)}`],
        ["Conversions", `${si(l.converters.conversions, "")} of ${l.converters.bits_mean.toFixed(2)}${NBSP}bit`],
        ["Flipped columns", count(l.flipped_columns)],
        ["Saved by flips", `${(l.adc_bits_required.weights_unflipped_mean - l.adc_bits_required.weights_mean).toFixed(2)}${NBSP}bit (mean)`],
        ["Start", si(l.start_s, "s")], ["Latency", si(l.latency_s, "s")],
        ["Partial sums", `${si(l.partial_sums.count, "")} of ${bits(l.partial_sums.bits)}, ${bytes(l.partial_sum_bytes)}`],
        ["Adder tree", `depth ${l.partial_sums.adder_tree_depth}`], ["Inputs received", bytes(l.traffic_bytes)],
        ...(l.energy_j === null ? [] : [["Energy", si(l.energy_j, "J")]]),
      ].map(([k, v]) => [h("dt", {}, k), h("dd", {}, v)])));
    }
    root.replaceChildren(...parts);
  }

  // ---- timeline and bars -----------------------------------------------------------------------------------------

  function ticks(most, wanted) {
    if (!(most > 0)) return [0];
    const raw = most / wanted, unit = 10 ** Math.floor(Math.log10(raw));
    const fine = unit * [1, 2, 5, 10].find((m) => m * unit >= raw * 0.999);
    const step = Number.isInteger(most) ? Math.max(1, fine) : fine; // of counts, whole ones
    return Array.from({ length: Math.floor(most / step + 1e-9) + 1 }, (_, i) => i * step);
  }

  /** One row per layer: label, bars and value. `segments(i)` returns {from, to, kind}. */
  function chart(root, view, options) {
    clearMarks(view);
    const { order, most, show, segments, value, describe, label } = options;
    const width = Math.max(280, root.clientWidth - 2);
    const height = order.length <= 40 ? 24 : order.length <= 120 ? 17 : 13;
    const font = order.length <= 120 ? 12 : 10;
    const longest = layers.reduce((m, l, i) => Math.max(m, l.name.length + `#${i} `.length), 0);
    const labels = Math.min(Math.min(260, Math.max(96, width * 0.27)), (longest + 3) * font * 0.6), values = width < 520 ? 78 : 110, top = 26;
    const plot = width - labels - values - 16;
    const x = (v) => labels + 8 + (most > 0 ? (v / most) * plot : 0);
    const svg = s("svg", { class: "dims", viewBox: `0 0 ${width} ${top + order.length * height + 6}`, role: "img", "aria-label": label });
    for (const v of ticks(most, Math.max(2, Math.min(6, Math.floor(plot / 110))))) {
      svg.append(s("line", { class: "grid", x1: x(v), x2: x(v), y1: top - 4, y2: top + order.length * height }),
        s("text", { class: "dim", x: x(v), y: 14, "text-anchor": "middle", "font-size": 12 }, show(v)));
    }
    order.forEach((i, at) => {
      const y = top + at * height;
      const row = s("g", { class: "row" }, s("rect", { class: "row-hit", x: 0, y, width, height }),
        s("text", { class: "label", x: labels, y: y + height / 2 + font * 0.36, "text-anchor": "end", "font-size": font },
          layerName(i, Math.floor(labels / (font * 0.6)) - 4)));
      for (const { from, to, kind } of segments(i)) {
        const left = x(from), length = Math.max(1.5, x(to) - left);
        row.append(kind === "paper"
          ? s("rect", { class: "paper", x: left, y: y + 2.5, width: length, height: height - 5 })
          : s("rect", { class: "bar-edge", x: left, y: y + height * 0.2, width: length, height: height * 0.6, fill: paint(i) }));
      }
      row.append(s("text", { x: width - 4, y: y + height / 2 + font * 0.36, "text-anchor": "end", "font-size": font }, value(i)));
      link(view, i, row, () => describe(i));
      svg.append(row);
    });
    root.replaceChildren(svg);
  }

  const inOrder = () => layers.map((_, i) => i);

  function drawTimeline() {
    const { latency_s: latency } = report.totals;
    chart(document.getElementById("timeline-chart"), "timeline", {
      order: inOrder(), most: latency, show: (v) => si(v, "s"),
      segments: (i) => [{ from: layers[i].start_s, to: layers[i].stop_s }],
      value: (i) => `${si(layers[i].latency_s, "s")} busy`,
      describe: (i) => [...describeLayer(i).slice(0, 1), `from ${si(layers[i].start_s, "s")} to ${si(layers[i].stop_s, "s")}`,
        `busy for ${si(layers[i].latency_s, "s")}, ${percent(layers[i].latency_s / report.totals.interval_s)} of the interval`],
      label: `Timeline of ${layers.length} layers over ${si(latency, "s")}. The table of layers holds the figures.`,
    });
  }

  const onDies = () => (report.mapping.faults ? `${report.device.name} cells with the faults of the die` : `${report.device.name} cells`);

  function timeline() {
    const slowest = inOrder().filter((i) => layers[i].latency_s === report.totals.interval_s);
    const limit = report.mapping.schedule.limited_by;
    const name = limit !== "crossbars" ? limit : slowest.length === 1 ? layerName(slowest[0], 48)
      : slowest.length > 0 ? `${count(slowest.length)} layers, equally slow` : null;
    add(body("timeline"),
      h("p", { class: "wrap" }, `One inference takes ${si(report.totals.latency_s, "s")}. The next can start after ${si(report.totals.interval_s, "s")}.`,
        name && ` The interval is set by ${name}.`),
      h("div", { class: "panel" }, h("div", { class: "scroll", id: "timeline-chart", tabindex: 0, role: "group", "aria-label": "Timeline" })));
    drawTimeline();
  }

  const METRICS = {
    crossbars: { name: "Crossbars", value: (l) => l.crossbars, show: count },
    utilization: { name: "Cell utilization", value: (l) => l.utilization, show: (v) => percent(v), most: 1 },
    latency: { name: "Latency", value: (l) => l.latency_s, show: (v) => si(v, "s") },
    adc: { name: "ADC bits, exact and paper", value: (l) => l.adc_bits_required.exact, paper: (l) => l.adc_bits_required.paper,
      show: (v) => (Number.isInteger(v) ? bits(v) : ""),
      note: "Filled: bits that lose nothing, computed exactly. Dashed: bits by the survey's formula." },
    partial: { name: "Partial sum bytes", value: (l) => l.partial_sum_bytes, show: bytes },
    traffic: { name: "Traffic bytes", value: (l) => l.traffic_bytes, show: bytes, note: "Bytes that the layer receives from other layers in one inference." },
    macs: { name: "MACs", value: (l) => l.macs, show: (v) => si(v, "") },
    energy: { name: "Energy", value: (l) => l.energy_j, show: (v) => si(v, "J") },
  };
  let metric = "crossbars", byValue = false;

  function drawBars() {
    const m = METRICS[metric];
    const values = layers.map((l) => m.value(l) || 0);
    const papers = m.paper ? layers.map(m.paper) : [];
    const most = m.most || Math.max(...values, ...papers);
    const order = inOrder();
    if (byValue) order.sort((a, b) => values[b] - values[a] || a - b);
    document.getElementById("bars-note").textContent = m.note || "";
    chart(document.getElementById("bars-chart"), "bars", {
      order, most, show: m.show, describe: describeLayer,
      segments: (i) => [{ from: 0, to: values[i] }, ...(m.paper ? [{ from: 0, to: papers[i], kind: "paper" }] : [])],
      value: (i) => (m.paper ? `${values[i]} / ${papers[i]}` : m.show(values[i])),
      label: `Bar chart of ${m.name.toLowerCase()} by layer. The table of layers holds the figures.`,
    });
  }

  function compare() {
    const usable = Object.entries(METRICS).filter(([, m]) => layers.every((l) => m.value(l) !== null));
    const chooser = h("select", { id: "metric" }, usable.map(([key, m]) => h("option", { value: key }, m.name)));
    chooser.addEventListener("change", () => { metric = chooser.value; drawBars(); });
    const box = h("input", { type: "checkbox" });
    box.addEventListener("change", () => { byValue = box.checked; drawBars(); });
    add(body("compare"),
      h("div", { class: "tools" }, h("label", {}, h("span", { class: "label" }, "Metric"), chooser), h("label", {}, box, "Largest first")),
      h("div", { class: "panel" }, h("p", { class: "muted small", id: "bars-note" }),
        h("div", { class: "scroll", id: "bars-chart", tabindex: 0, role: "group", "aria-label": "Bars" })));
    drawBars();
  }

  // ---- table of layers -------------------------------------------------------------------------------------------

  const COLUMNS = [
    ["Layer", "Number and name", (l, i) => i, null],
    ["Operator", "ONNX operator", (l) => l.op_type, (v) => v],
    ["Matrix", "Groups \u00d7 rows \u00d7 columns; sorted by weights", (l) => l.rows * l.columns * l.groups, (v, l) => matrixOf(l), "n"],
    ["Vectors", "Input vectors per inference", (l) => l.vectors, count, "n"],
    ["MACs", "Multiply-accumulates", (l) => l.macs, (v) => si(v, ""), "n"],
    ["W / I bits", "Bits of weights and inputs", (l) => l.weight_bits * 1000 + l.input_bits, (v, l) => `${l.weight_bits} / ${l.input_bits}`, "n"],
    ["Crossbars", "Crossbars, all copies", (l) => l.crossbars, count, "n"],
    ["Utilization", "Share of the crossbars' cells in use", (l) => l.utilization, (v) => percent(v), "n"],
    ["ADC", "Bits that the converters were given", (l) => l.adc_bits, (v, l) => { const c = l.converters; const text = c.bits_least < c.bits_most ? `${c.bits_least}\u2013${c.bits_most}` : `${v}`; return l.lossless ? text : `${text}, ${c.keeps_signs ? "sign" : "lossy"}`; }, "n"],
    ["Latency", "How long the layer is busy", (l) => l.latency_s, (v) => si(v, "s"), "n"],
    ["Energy", "Energy per inference", (l) => l.energy_j, (v) => si(v, "J"), "n"],
    ["Copies", "Copies that share the vectors", (l) => l.replicas, count, "n"],
    ["Tiles", "Tiles that hold a part", (l) => l.tiles.length, count, "n"],
    ["Partitions", "Row partitions \u00d7 column partitions", (l) => l.row_partitions * l.column_partitions,
      (v, l) => `${l.row_partitions} \u00d7 ${l.column_partitions}`, "n"],
    ["Exact", "Bits that lose nothing, computed exactly", (l) => l.adc_bits_required.exact, (v) => `${v}`, "n"],
    ["Paper", "Bits by the survey's formula", (l) => l.adc_bits_required.paper, (v) => `${v}`, "n"],
    ["Start", "When the layer starts", (l) => l.start_s, (v) => si(v, "s"), "n"],
    ["Partial sums", "Bytes of partial sums per inference", (l) => l.partial_sum_bytes, bytes, "n"],
    ["Traffic", "Bytes received from other layers per inference", (l) => l.traffic_bytes, bytes, "n"],
  ];

  function layerTable() {
    clearMarks("table");
    const columns = COLUMNS.filter(([, , get]) => layers.some((l, i) => get(l, i) !== null));
    const rows = layers.map((l, i) => {
      const name = h("button", { type: "button", "aria-pressed": "false", title: l.name }, `#${i} ${short(l.name, 30)}`);
      const row = h("tr", {}, columns.map(([, , get, show, kind], at) => at === 0
        ? h("th", { scope: "row" }, h("span", { class: "named" }, swatch(i), name)) : h("td", { class: kind }, show(get(l, i), l))));
      register("table", i, name);
      link("table", i, row, () => describeLayer(i));
      row.addEventListener("pointerenter", () => tip(null));
      name.addEventListener("focus", () => hover(i));
      name.addEventListener("blur", () => hover(null));
      return row;
    });
    const tbody = h("tbody", {}, rows);
    let key = 0, down = false;
    const heads = columns.map(([text, title, , , kind], at) => {
      const button = h("button", { type: "button", title: `${title}. Sort.` }, text);
      const head = h("th", { scope: "col", class: kind, "aria-sort": at === 0 ? "ascending" : "none" }, button);
      button.addEventListener("click", () => {
        down = at === key ? !down : kind === "n";
        key = at;
        heads.forEach((other, n) => other.setAttribute("aria-sort", n !== key ? "none" : down ? "descending" : "ascending"));
        const get = columns[key][2];
        const order = inOrder().sort((a, b) => {
          const x = get(layers[a], a), y = get(layers[b], b);
          return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1) || a - b;
        });
        tbody.append(...order.map((i) => rows[i]));
      });
      return head;
    });
    const filter = h("input", { type: "search", placeholder: "Name or operator", autocomplete: "off" });
    const found = h("span", { class: "muted small", role: "status" });
    const apply = () => {
      const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
      let hits = 0;
      layers.forEach((l, i) => {
        const text = `#${i} ${l.name} ${l.op_type}`.toLowerCase();
        rows[i].hidden = !words.every((word) => text.includes(word));
        hits += rows[i].hidden ? 0 : 1;
      });
      found.textContent = words.length ? `${hits} of ${plural(layers.length, "layer")}` : plural(layers.length, "layer");
    };
    filter.addEventListener("input", apply);
    apply();
    add(body("layers"),
      h("div", { class: "tools" }, h("label", {}, h("span", { class: "label" }, "Filter"), filter), found),
      h("div", { class: "panel framed scroll layer-table", tabindex: 0, role: "group", "aria-label": "Table of layers" },
        h("table", { "aria-label": "Layers on crossbars" }, h("thead", {}, h("tr", {}, heads)), tbody)));
  }

  // ---- operators, verification, mapping, provenance ------------------------------------------------------------------

  function cost() {
    const { components, formulas } = report.cost, t = report.totals;
    if (!components.length) {
      add(body("cost"), h("p", { class: "muted" }, `${target.name || "The target"} states no components: neither energy nor area is known.`));
      return;
    }
    const energies = components.map((c) => (c.dynamic_j || 0) + (c.static_j || 0));
    const most = Math.max(...energies, 1e-300), whole = energies.reduce((sum, v) => sum + v, 0) || 1;
    const area = components.reduce((sum, c) => sum + (c.area_m2 || 0), 0) || 1;
    const between = Object.values(report.cost.digital.energy_by_component).reduce((sum, v) => sum + v, 0);
    const order = components.map((_, i) => i).sort((a, b) => energies[b] - energies[a]);
    add(body("cost"),
      framed(table("Energy of one inference and area of the chips, component by component.",
        ["Component", "In", ">Each has", "Works per", ">Energy", ">Leakage", "Share of both", ">Area", ">Of the area"],
        order.map((i) => {
          const c = components[i];
          return [c.name, c.at, `${c.count}`, c.per.replace("_", " "), si(c.dynamic_j, "J"), si(c.static_j, "J"), [percent(energies[i] / whole), energies[i] > 0 && meter(energies[i] / most)],
            c.area_m2 === null ? MISSING : `${number(c.area_m2 * 1e6)}${NBSP}mm\u00b2`,
            c.area_m2 === null || t.area_m2 === null ? MISSING : percent(c.area_m2 / area)];
        })), true),
      h("p", { class: "muted small after" }, `${t.energy_j === null ? "No total is known" : `In all ${si(t.energy_j, "J")}`}${
        t.area_m2 === null ? "" : ` and ${number(t.area_m2 * 1e6)}${NBSP}mm\u00b2`}${
        between > 0 ? `; ${si(between, "J")} of it for the operators between layers` : ""}. Leakage counts in tiles and chips that hold something.`),
      h("details", { class: "after" }, h("summary", {}, "How each figure follows from others of report.json"),
        pairs(Object.entries(formulas).map(([name, text]) => [h("code", {}, name), text]))));
  }

  function operators() {
    const groups = new Map();
    for (const item of report.model.operators) {
      const key = JSON.stringify([item.placed, item.op_type]);
      if (!groups.has(key)) groups.set(key, { op_type: item.op_type, placed: item.placed, count: 0, macs: 0, reasons: [] });
      const group = groups.get(key);
      group.count += item.count;
      group.macs += item.macs;
      group.reasons.push(item);
    }
    const where = ["crossbar", "digital", "folded"];
    const rank = (g) => (where.includes(g.placed) ? where.indexOf(g.placed) : where.length);
    const sorted = [...groups.values()].sort((a, b) => rank(a) - rank(b) || b.macs - a.macs || b.count - a.count);
    const total = sorted.reduce((sum, g) => sum + g.count, 0);
    const sum = (place) => sorted.filter((g) => g.placed === place).reduce((n, g) => n + g.count, 0);
    const bar = h("div", { class: "stack", role: "img", "aria-label": where.map((p) => `${sum(p)} ${p}`).join(", ") },
      where.map((place) => {
        const part = h("span", { class: place, title: `${sum(place)} ${place}` });
        part.style.width = `${(100 * sum(place)) / (total || 1)}%`;
        return part;
      }));
    const nodesOf = (group) => h("details", {}, h("summary", {}, plural(group.count, "node")),
      group.reasons.map((item) => [group.reasons.length > 1 && h("div", { class: "muted small" }, `${item.reason}:`),
        h("div", { class: "nodes mono" }, item.nodes.map((node) => node || "(no name)").join("\n"))]));
    add(body("operators"),
      h("p", {}, where.map((place, i) => [i > 0 && " \u00a0 ", h("span", { class: `key ${place}` }), `${plural(sum(place), "node")} `,
        { crossbar: "on crossbars", digital: "digital", folded: "folded" }[place]])),
      bar,
      framed(table("Every node of the model is in this table once.", ["Operator", "Placed", ">Count", ">MACs", "Reason", "Nodes"],
        sorted.map((g) => [g.op_type, tag(g.placed === "crossbar" ? "crossbar" : "plain", g.placed), count(g.count),
          g.macs ? si(g.macs, "") : "0",
          g.reasons.length === 1 ? g.reasons[0].reason : `${g.reasons[0].reason}; ${plural(g.reasons.length - 1, "other reason")}`,
          nodesOf(g)])), true));
  }

  function verification() {
    const { exact, accuracy } = report.verification;
    const root = body("verification");
    if (exact.status === "skipped") {
      root.append(h("div", { class: "panel" }, h("p", { class: "wrap" }, `Skipped: ${exact.reason || "no reason given"}.`),
        h("p", { class: "muted" }, "Neither exactness nor accuracy was measured. Compile without --no-verify to measure them.")));
      return;
    }
    const unknown = "not measured";
    const exactness = h("div", { class: "panel" }, h("h3", {}, "Exactness"), pairs([
      ["Verdict", [tag(exact.status, exact.status.toUpperCase()), exact.reason && ` ${exact.reason}`]],
      ["Samples", count(exact.samples)],
      ["Layers compared", count(exact.layers.length)],
      ["Largest output difference from integer operators", exact.integer_output_max_abs_difference === null ? unknown : number(exact.integer_output_max_abs_difference)],
      ["Largest output difference from the reference", exact.output_max_abs_difference === null ? unknown : number(exact.output_max_abs_difference)],
      ["Reference", exact.reference],
    ]));
    const share = (v) => (v === null ? unknown : percent(v, 2));
    const means = { drift: "by a gain of each copy", offset: "by an offset each", affine: "by gain and offset each" };
    const corrected = (c) => `${means[c.kind]}: `
      + `${plural(c.coefficients, "coefficient")}; an inference takes ${plural(c.products, "product")}, ${plural(c.additions, "addition")}`;
    const accurate = accuracy === null ? null : h("div", { class: "panel" }, h("h3", {}, "Accuracy"), pairs([
      ["Data", `${accuracy.data}, ${plural(accuracy.samples, "sample")}`],
      ["Metric", { top1: "top-1", agreement: "agreement with onnxruntime" }[accuracy.metric] || accuracy.metric],
      ["Float model", accuracy.float === null && report.model.quantized_by === "model" ? "none: the model came quantized" : share(accuracy.float)],
      ["Quantized model", share(accuracy.quantized)],
      ["Mapped program", share(accuracy.ideal)],
      ["Same top-1 as onnxruntime", share(accuracy.agreement)],
      ["Change by quantization (relative RMS of the outputs)", share(accuracy.quantization_error)],
      ...accuracy.over_time.map((found) => [`On ${onDies()}${found.age_s > 0 ? ` after ${span(found.age_s)}` : ""}`,
        [`${percent(found.mean, 2)}, ${found.values.length === 1 ? "1 die" : `${found.values.length} dies`}`,
          found.ci95 !== null && ` (95 %: ${percent(Math.max(found.ci95[0], 0), 2)} to ${percent(Math.min(found.ci95[1], 1), 2)})`]]),
      ...(accuracy.correction === null ? [] : [["Outputs corrected", corrected(accuracy.correction)]]),
      ...(accuracy.trials.length < 2 ? [] : [["Die by die", accuracy.trials.map((t) => percent(t.value, 2)).join(", ")]]),
    ]));
    const noise = accuracy !== null && accuracy.snr_db_per_layer !== null ? accuracy.snr_db_per_layer : null;
    const units = { step: "quantization steps", range: "of the range" };
    add(root, h("div", { class: "columns" }, exactness, accurate), accuracy !== null && accuracyCurves(accuracy),
      h("h3", {}, "Layer by layer"),
      framed(table("Accumulators are compared with integer arithmetic and must be equal. Outputs are compared with the model's "
        + "own operators, which round in floating point.",
      ["Layer", "Accumulators", ">Largest difference", ">Output difference", "Unit", ...(noise ? [">SNR"] : [])],
      exact.layers.map((check, i) => [h("span", { title: check.name }, `#${i} ${short(check.name, 60)}`),
        check.max_abs_difference === 0 ? tag("pass", "equal") : tag("fail", "differ"), count(check.max_abs_difference),
        number(check.output_difference), units[check.output_unit] || check.output_unit,
        ...(noise ? [noise[i] === undefined || noise[i] === null ? MISSING : `${number(noise[i])}${NBSP}dB`] : [])])), true));
  }

  // Accuracy over settings in a row: a line for each of the series, with a band where dies differ.
  function curves(title, places, series, chosen, note) {
    const known = series.flatMap(({ points }) => points.flatMap((p) => [p.y, p.low, p.high]));
    const floor = Math.max(0, Math.floor(10 * Math.min(...known) - 1e-9) / 10);
    const left = 46, right = 428, top = 10, bottom = 190;
    const x = (i) => (places.length === 1 ? (left + right) / 2 : left + 14 + ((right - left - 28) * i) / (places.length - 1));
    const y = (v) => bottom - ((bottom - top) * (Math.min(Math.max(v, floor), 1) - floor)) / (1 - floor);
    const path = (points) => points.map(([a, b], i) => `${i ? "L" : "M"}${a.toFixed(1)} ${b.toFixed(1)}`).join("");
    const ticks = [0, 1, 2, 3, 4].map((i) => floor + ((1 - floor) * i) / 4);
    const told = series.map(({ name, points }) => `${name}: ${points.map((p, i) => `${places[i]} ${percent(p.y, 2)}`).join(", ")}`);
    return h("div", { class: "panel curves" }, h("h3", {}, title),
      s("svg", { viewBox: "0 0 440 226", role: "img", "aria-label": `${title}. ${told.join(". ")}` },
        ticks.map((v) => [s("line", { class: "grid", x1: left, x2: right, y1: y(v), y2: y(v) }),
          s("text", { x: left - 6, y: y(v) + 4, "font-size": 11, "text-anchor": "end" }, percent(v, 1))]),
        places.map((name, i) => s("text", { x: x(i), y: bottom + 18, "font-size": 11, "text-anchor": "middle" }, name)),
        chosen >= 0 && [s("line", { class: "chosen", x1: x(chosen), x2: x(chosen), y1: top, y2: bottom }),
          s("text", { x: x(chosen), y: bottom + 32, "font-size": 11, "text-anchor": "middle" }, "as compiled")],
        series.map(({ kind, name, points }) => [
          s("path", { class: `band ${kind}`, d: `${path([...points.map((p, i) => [x(i), y(p.high)]),
            ...points.map((p, i) => [x(i), y(p.low)]).reverse()])}Z` }),
          s("path", { class: `curve ${kind}`, d: path(points.map((p, i) => [x(i), y(p.y)])) }),
          points.map((p, i) => s("circle", { class: `dot ${kind}`, cx: x(i), cy: y(p.y), r: 3.5 },
            s("title", {}, `${name}, ${places[i]}: ${percent(p.y, 2)}${p.high > p.low ? ` (${percent(p.low, 2)} to ${percent(p.high, 2)})` : ""}`)))])),
      h("p", { class: "muted small" }, series.map(({ kind, name }, i) => [i > 0 && " \u00a0 ", h("span", { class: `key ${kind}` }), name]),
        note && `. ${note}`));
  }

  function accuracyCurves(accuracy) {
    const spread = (p, y) => ({ y, low: p.ci95 ? Math.max(p.ci95[0], 0) : y, high: p.ci95 ? Math.min(p.ci95[1], 1) : y });
    const flat = (y) => ({ y, low: y, high: y });
    const found = [];
    const measured = accuracy.metric === "top1" ? "Accuracy" : "Agreement with onnxruntime";
    const at = accuracy.over_adc_bits.filter((p) => p.ideal !== null);
    const band = "Bands: where the mean of all dies lies, with 95 % confidence.";
    if (at.length > 0) {
      const dies = at.every((p) => p.mean !== null);
      const most = Math.max(...layers.map((l) => l.adc_bits));
      found.push(curves(`${measured} against converter bits`, at.map((p) => `${p.adc_bits}`), [
        { kind: "ideal", name: "ideal cells", points: at.map((p) => flat(p.ideal)) },
        ...(dies ? [{ kind: "dies", name: report.device.name, points: at.map((p) => spread(p, p.mean)) }] : []),
      ], at.findIndex((p) => p.adc_bits === most), dies && band));
    }
    if (accuracy.over_time.length > 1) {
      found.push(curves(`${measured} after writing`, accuracy.over_time.map((p) => (p.age_s > 0 ? span(p.age_s) : "at once")), [
        ...(accuracy.ideal === null ? [] : [{ kind: "ideal", name: "ideal cells", points: accuracy.over_time.map(() => flat(accuracy.ideal)) }]),
        { kind: "dies", name: report.device.name, points: accuracy.over_time.map((p) => spread(p, p.mean)) },
      ], -1, band));
    }
    return found.length > 0 && h("div", { class: "columns after" }, found);
  }

  const SHARING = {
    layer: "Only the groups of a layer share crossbars.",
    concurrent: "Layers share crossbars, on rows and columns of their own.",
    exclusive: "Layers share crossbars and are read one at a time.",
  };
  const OBJECTIVES = { crossbars: "fewest crossbars", throughput: "shortest interval", latency: "shortest latency" };

  function mapping() {
    const { packing, placement, replication, rounds, faults, deterministic_hash: hash } = report.mapping;
    const times = report.mapping.schedule;
    const schedule = { ...times, slowest: Math.max(times.crossbars_s, times.digital_units_s, times.links_s, times.chip_links_s) };
    const above = (value, bound) => (bound > 0 ? `${Number((100 * (value / bound - 1)).toFixed(1))}${NBSP}% above the bound` : "no positive bound");
    const bars = (rows, show, label) => {
      const most = Math.max(...rows.map(([, v]) => v), 1e-30);
      return s("svg", { viewBox: `0 0 440 ${rows.length * 26}`, role: "img", "aria-label": `${label}: ${rows.map(([n, v]) => `${n} ${show(v)}`).join(", ")}` },
        rows.map(([name, v, kind], i) => [
          s("text", { x: 0, y: i * 26 + 17, "font-size": 13 }, name),
          s("rect", { class: kind, x: 108, y: i * 26 + 5, width: Math.max(1.5, (230 * v) / most), height: 16 }),
          s("text", { x: 116 + Math.max(1.5, (230 * v) / most), y: i * 26 + 17, "font-size": 13 }, show(v))]));
    };
    const moved = placement.byte_hops > 0 || placement.snake_byte_hops > 0;
    const saved = placement.snake_byte_hops > 0 ? 1 - placement.byte_hops / placement.snake_byte_hops : 0;
    add(body("mapping"), h("div", { class: "columns" },
      h("div", { class: "panel" }, h("h3", {}, "Packing"),
        bars([["Used", packing.crossbars, "plain-bar"], ["Lower bound", packing.lower_bound, "bound-bar"],
          ["Cells alone", packing.cells_bound, "bound-bar"]], count, "Crossbars"),
        h("p", { class: "after" }, tag(packing.crossbars === packing.lower_bound ? "pass" : "plain",
          packing.crossbars === packing.lower_bound ? "proven optimal" : "not proven optimal"),
          packing.crossbars !== packing.lower_bound && ` ${above(packing.crossbars, packing.lower_bound)}.`,
          ` ${SHARING[packing.sharing]}`)),
      h("div", { class: "panel" }, h("h3", {}, "Placement"),
        moved ? bars([["Snake order", placement.snake_byte_hops, "bound-bar"], ["This placement", placement.byte_hops, "plain-bar"],
          ["Lower bound", placement.lower_bound, "bound-bar"]], (v) => si(v, "B\u00b7hop"), "Byte hops")
          : h("p", {}, "No data travels between tiles."),
        h("p", { class: "after" }, tag(placement.proven ? "pass" : "plain", placement.proven ? "proven optimal" : "not proven optimal"),
          moved && !placement.proven && ` ${above(placement.byte_hops, placement.lower_bound)}.`,
          moved && ` ${saved >= 0 ? `${percent(saved)} less` : `${percent(-saved)} more`} than the snake order.`),
        moved && h("p", { class: "muted small" }, `The busiest link carries ${bytes(placement.max_link_bytes)} per inference.`
          + (placement.chip_bytes > 0 ? ` ${bytes(placement.chip_bytes)} pass from chip to chip.` : ""))),
      h("div", { class: "panel" }, h("h3", {}, "Replication"), pairs([
        ["Objective", OBJECTIVES[replication.objective]],
        ["Interval", si(replication.interval_s, "s")], ["Latency", si(report.totals.latency_s, "s")],
        ...(replication.bound_s === null ? [] : [[`Lower bound of the ${replication.objective === "latency" ? "latency" : "interval"}`, `${si(replication.bound_s, "s")} ${replication.optimal ? "(met: proven optimal)" : "(not met: not proven)"}`]]),
        ["Copies", layers.some((l) => l.replicas > 1) ? `up to ${count(Math.max(...layers.map((l) => l.replicas)))} of a layer` : "one of each layer"],
        ...(rounds > 1 ? [["Rounds", `${count(rounds)}, with ${bytes(placement.round_bytes)} kept in between per inference`]] : [])])),
      h("div", { class: "panel" }, h("h3", {}, "Schedule"),
        bars([["Crossbars", schedule.crossbars_s], ["Digital units", schedule.digital_units_s], ["Links", schedule.links_s],
          ["Chip links", schedule.chip_links_s]].filter(([, v]) => v !== null)
          .map(([n, v]) => [n, v, v === schedule.slowest ? "plain-bar" : "bound-bar"]), (v) => si(v, "s"), "Busy with one inference"),
        h("p", { class: "after" }, tag("plain", `limited by ${schedule.limited_by}`)),
        h("p", { class: "muted small" }, `Up to ${bytes(schedule.waiting_bytes)} wait in a tile`
          + (schedule.buffer_bytes === null ? "; what its buffers hold is not known." : `, which holds ${bytes(schedule.buffer_bytes)}: `
            + (schedule.deadlock_free ? "the schedule can be kept, and no deadlock can occur." : "the schedule cannot be kept.")))),
      faults && h("div", { class: "panel" }, h("h3", {}, "Faults of the die"), pairs([
        ["Fault map", faults.file], ["Stuck cells in the crossbars used", count(faults.stuck_cells)],
        ["Error of the weights (RMS)", percent(faults.weight_error, 2)],
        ["With lines in the order of their numbers", percent(faults.in_order_error, 2)]])),
      h("div", { class: "panel" }, h("h3", {}, "Program"), pairs([["Deterministic hash", h("code", {}, hash)]]))));
  }

  function provenance() {
    const { model, tool, command, seed, started, elapsed_s: elapsed, peak_memory_bytes: memory, phases, device } = report;
    const quote = (word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
    const tensor = (t) => `${t.name}: ${t.dtype}${t.shape === null ? "" : `[${t.shape.map((d) => (d === null ? "?" : d)).join(", ")}]`}`;
    const lines = (items) => items.map((text) => h("div", {}, text));
    const plain = (v) => (v === null ? MISSING : Array.isArray(v) ? v.join(", ") : typeof v === "object" ? JSON.stringify(v) : String(v));
    const value = (name, v) => (name.endsWith("_s") && typeof v === "number" ? si(v, "s") : plain(v));
    const assumed = new Set(target.assumed_fields || []), sources = target.sources || {}, reasons = target.assumptions || {};
    const fields = [];
    for (const [section, content] of Object.entries(target)) {
      if (["sources", "assumptions"].includes(section) || content === null || typeof content !== "object" || Array.isArray(content)) continue;
      for (const [name, v] of Object.entries(content)) fields.push([section, `${section}.${name}`, v]);
    }
    const own = (object, key) => (Object.hasOwn(object, key) ? plain(object[key]) : null);
    const deviceRows = Object.entries(device).filter(([name]) => name !== "assumed_fields");
    const longest = phases.reduce((m, p) => Math.max(m, p.elapsed_s), 0) || 1;
    add(body("provenance"),
      h("h3", {}, "Command"), h("pre", {}, h("code", {}, command.map(quote).join(" "))),
      h("div", { class: "columns after" },
        h("div", { class: "panel" }, h("h3", {}, "Model"), pairs([
          ["File", h("code", {}, model.file)], ["SHA-256", h("code", {}, model.sha256)], ["Opset", `${model.opset}`],
          ["Inputs", lines(model.inputs.map(tensor))], ["Outputs", lines(model.outputs.map(tensor))],
          ["Quantized by", { model: "the model's author; it came quantized", rcompile: "rcompile, after training" }[model.quantized_by] || model.quantized_by],
          ["Activation ranges", { model: "from the model", calibration: "from calibration samples", data: "from the data set", random: "from random inputs" }[model.ranges_from]
            || model.ranges_from]])),
        h("div", { class: "panel" }, h("h3", {}, "Run"), pairs([
          ["Tool", `${tool.name} ${tool.version}`], ["Report schema", `version ${report.schema_version}`], ["Seed", `${seed}`], ["Started", started],
          ["Elapsed", si(elapsed, "s")], ["Peak memory", bytes(memory)]]),
        h("h3", {}, "Device model"), pairs(deviceRows.map(([name, v]) => [name, value(name, v)])),
        (device.assumed_fields || []).length > 0 && h("p", { class: "muted small after wrap" }, `Assumed: ${device.assumed_fields.join(", ")}.`))),
      h("h3", {}, "Target"),
      framed(table(`${target.name || "Target"}, as resolved, with the source of each value.`, ["Field", ">Value", "Source"],
        fields.map(([section, name, v]) => [h("code", {}, name), value(name, v),
          assumed.has(name) ? [tag("warning", "assumed"), ` ${own(reasons, name) || own(reasons, section) || "default"}`]
            : own(sources, name) || own(sources, section) || "not stated"]))),
      h("h3", {}, "Time by phase"),
      framed(table("Wall-clock time of the compiler, not of the chip.", ["Phase", ">Time", "Share of the longest"],
        phases.map((p) => [p.name, si(p.elapsed_s, "s"), meter(p.elapsed_s / longest)]))));
  }

  // ---- start -------------------------------------------------------------------------------------------------------

  function themes() {
    const button = document.getElementById("theme");
    const system = window.matchMedia("(prefers-color-scheme: dark)");
    const choices = ["system", "light", "dark"];
    let choice = "system";
    try { choice = localStorage.getItem("rcompile-theme") || choice; } catch { /* storage is switched off */ }
    if (!choices.includes(choice)) choice = "system";
    const apply = () => {
      document.documentElement.dataset.theme = choice === "system" ? (system.matches ? "dark" : "light") : choice;
      button.textContent = `Theme: ${choice}`;
      watchers.forEach((redraw) => redraw());
    };
    button.addEventListener("click", () => {
      choice = choices[(choices.indexOf(choice) + 1) % choices.length];
      try { localStorage.setItem("rcompile-theme", choice); } catch { /* kept for this page only */ }
      apply();
    });
    system.addEventListener("change", apply);
    apply();
  }

  async function read() {
    const holder = document.getElementById("report");
    if (!holder.dataset.encoding) return JSON.parse(holder.textContent);
    const packed = Uint8Array.from(atob(holder.textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return JSON.parse(await new Response(stream).text());
  }

  async function start() {
    themes();
    report = await read();
    ({ layers, target } = report);
    hierarchy = target.hierarchy || {};
    prepareTiles();
    for (const draw of [headline, figures, diagnostics, floorplan, timeline, compare, cost, layerTable, operators, verification, mapping, provenance]) draw();
    document.addEventListener("keydown", (event) => { if (event.key === "Escape" && selected !== null) select(selected); });
    let width = document.getElementById("main").clientWidth;
    new ResizeObserver(() => {
      const now = document.getElementById("main").clientWidth;
      if (Math.abs(now - width) < 8) return;
      width = now;
      requestAnimationFrame(() => { drawTimeline(); drawBars(); });
    }).observe(document.getElementById("main"));
  }

  start().catch((error) => {
    const box = document.getElementById("failure");
    box.textContent = `This page could not be drawn: ${error.message}. The same data is in report.json, beside this page.`;
    box.hidden = false;
    console.error(error);
  });
})();
