"use strict";
(async () => {
  const $ = (id) => document.getElementById(id);
  const say = (text) => { $("status").textContent = text; };
  const problems = [];
  window.addEventListener("error", (event) => problems.push(String(event.message)));
  window.addEventListener("unhandledrejection", (event) => problems.push(String(event.reason)));

  async function unpacked(id) {
    const element = $("data-" + id);
    if (!element) return null;
    const text = atob(element.textContent);
    element.remove();
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).arrayBuffer();
  }
  const unpackedJson = async (id) => {
    const data = await unpacked(id);
    return data && JSON.parse(new TextDecoder().decode(data));
  };

  const times = { begin: performance.now() };
  const facts = await unpackedJson("facts");
  const count = facts.count;
  for (const [key, value] of Object.entries(facts.theme)) document.documentElement.style.setProperty("--" + key, value);
  document.documentElement.style.colorScheme = facts.dark ? "dark" : "light";
  $("title").textContent = facts.title;
  $("count").textContent = count.toLocaleString("en") + (count === 1 ? " point" : " points");

  const quantised = new Uint16Array(await unpacked("places"));
  const x = new Float32Array(count), y = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    x[i] = (quantised[i] / 65535) * 2 - 1;
    y[i] = (quantised[count + i] / 65535) * 2 - 1;
  }
  const names = await unpackedJson("names");
  const nameOf = (i) => (names ? names[i] : String(i));
  let classes = null;
  if (facts.classes) {
    const data = await unpacked("classes");
    classes = facts.classes.bytes === 2 ? new Uint16Array(data) : new Uint32Array(data);
  }
  const numbers = [];
  for (let place = 0; place < facts.numbers.length; place++)
    numbers.push(new Uint16Array(await unpacked("number" + place)));
  const numberAt = (place, unit) => {
    const { log, low, high } = facts.numbers[place];
    return log ? Math.expm1(Math.log1p(low) + unit * (Math.log1p(high) - Math.log1p(low))) : low + unit * (high - low);
  };
  const shown = (value) => value.toLocaleString("en", { maximumSignificantDigits: 4 });
  const classOf = (i) => (classes && classes[i] ? facts.classes.names[classes[i] - 1] : "");

  // Edges of a point: its part of `ends`, from begin[i] to begin[i + 1].
  let begin = null, ends = null;
  const edges = await unpacked("edges");
  if (edges) {
    const pairs = new Uint32Array(edges);
    begin = new Uint32Array(count + 2);
    for (const end of pairs) begin[end + 2]++;
    for (let i = 2; i < count + 2; i++) begin[i] += begin[i - 1];
    ends = new Uint32Array(pairs.length);
    for (let e = 0; e < pairs.length; e += 2) {
      ends[begin[pairs[e] + 1]++] = pairs[e + 1];
      ends[begin[pairs[e + 1] + 1]++] = pairs[e];
    }
  }

  times.unpacked = performance.now();
  const narrow = Math.max(0.55, Math.min(1, $("map").clientWidth / 700, $("map").clientHeight / 700));
  const size = Math.max(1.5, narrow * Math.min(7, 14 - 2 * Math.log10(count + 1)));
  let plot;
  try {
    plot = createScatterplot({
      canvas: $("canvas"),
      backgroundColor: facts.theme.background,
      pointSize: size,
      pointSizeSelected: 1,
      opacity: Math.max(0.35, Math.min(0.9, 1.35 - 0.16 * Math.log10(count + 1))),
      lassoColor: "#4477aa",
      lassoMinDelay: 5,
      pointColorHover: facts.theme.text,
    });
  } catch (error) {
    say("This browser shows no WebGL: " + error.message);
    return;
  }

  // The library draws no further than the screen that the page began on; a window may be larger than it.
  const wide = () => plot.get("renderer").resize(window.innerWidth, window.innerHeight);
  window.addEventListener("resize", wide);
  wide();

  const hidden = new Set(); // numbers of classes, 0 is unknown
  let chosen = facts.color;
  const numberChosen = () => facts.numbers.findIndex((number) => number.name === chosen);

  async function draw() {
    const points = { x, y };
    if (chosen === "class") {
      // A list of one colour is taken for a single one, by which nothing is chosen.
      const colors = [facts.unknown, ...facts.classes.colors, facts.unknown];
      points.valueA = Float32Array.from(classes);
      plot.set({ colorBy: "valueA", pointColor: colors });
      await plot.draw(points, { zDataType: "categorical" });
    } else if (numberChosen() >= 0) {
      points.valueA = Float32Array.from(numbers[numberChosen()], (value) => value / 65535);
      plot.set({ colorBy: "valueA", pointColor: facts.ramp });
      await plot.draw(points, { zDataType: "continuous" });
    } else {
      plot.set({ colorBy: null, pointColor: facts.plain });
      await plot.draw(points);
    }
    await filter();
  }

  async function filter() {
    if (!classes || !hidden.size) {
      if (plot.get("isPointsFiltered")) await plot.unfilter();
    } else {
      const kept = [];
      for (let i = 0; i < count; i++) if (!hidden.has(classes[i])) kept.push(i);
      await plot.filter(kept);
      say(kept.length.toLocaleString("en") + " points shown");
    }
    if (!hidden.size) say("");
    over();
  }

  // Labels and edges lie above the points.
  const labels = facts.classes ? facts.classes.labels : [];
  const spans = labels.map(([text]) => {
    const span = document.createElement("span");
    span.textContent = text;
    $("labels").append(span);
    return span;
  });
  const widths = spans.map((span) => [span.offsetWidth, span.offsetHeight]);
  let hovered = -1;
  function over() {
    const width = $("map").clientWidth, height = $("map").clientHeight, ratio = window.devicePixelRatio || 1;
    const taken = [];
    labels.forEach(([, point], place) => {
      const span = spans[place], [w, h] = widths[place];
      const position = chosen === "class" && !hidden.has(classes[point]) ? plot.getScreenPosition(point) : undefined;
      const left = position ? position[0] - w / 2 : -1, top = position ? position[1] - h / 2 : -1;
      const box = [left, top, left + w, top + h];
      const free = left >= 0 && top >= 0 && box[2] <= width && box[3] <= height &&
        !taken.some((o) => box[0] < o[2] && o[0] < box[2] && box[1] < o[3] && o[1] < box[3]);
      span.style.visibility = free ? "visible" : "hidden";
      if (!free) return;
      taken.push(box);
      span.style.transform = "translate(" + left + "px," + top + "px)";
    });
    const canvas = $("over");
    canvas.width = width * ratio;
    canvas.height = height * ratio;
    if (hovered < 0 || !begin) return;
    const context = canvas.getContext("2d"), from = plot.getScreenPosition(hovered);
    if (!from) return;
    context.scale(ratio, ratio);
    context.strokeStyle = facts.theme.text;
    context.globalAlpha = 0.45;
    context.beginPath();
    for (let e = begin[hovered]; e < begin[hovered + 1]; e++) {
      const to = plot.getScreenPosition(ends[e]);
      if (!to || (classes && hidden.has(classes[ends[e]]))) continue;
      context.moveTo(from[0], from[1]);
      context.lineTo(to[0], to[1]);
    }
    context.stroke();
  }
  plot.subscribe("view", over);
  window.addEventListener("resize", () => requestAnimationFrame(over));

  plot.subscribe("pointOver", (i) => {
    hovered = i;
    const lines = [nameOf(i)];
    if (classOf(i)) lines.push(classOf(i));
    facts.numbers.forEach((number, place) => lines.push(number.name + ": " + shown(numberAt(place, numbers[place][i] / 65535))));
    if (begin) lines.push((begin[i + 1] - begin[i]).toLocaleString("en") + " edges");
    const tip = $("tip"), position = plot.getScreenPosition(i) || [0, 0];
    tip.textContent = lines.join("\n");
    tip.hidden = false;
    const right = position[0] + 14 + tip.offsetWidth > $("map").clientWidth;
    tip.style.left = Math.max(4, right ? position[0] - 14 - tip.offsetWidth : position[0] + 14) + "px";
    tip.style.top = Math.max(4, Math.min(position[1] + 12, $("map").clientHeight - tip.offsetHeight - 6)) + "px";
    over();
  });
  plot.subscribe("pointOut", () => { hovered = -1; $("tip").hidden = true; over(); });

  let selected = [];
  plot.subscribe("select", ({ points }) => {
    selected = Array.from(points).filter((i) => !classes || !hidden.has(classes[i]));
    $("save").disabled = !selected.length;
    say(selected.length.toLocaleString("en") + " selected");
    lasso(false);
  });
  plot.subscribe("deselect", () => { selected = []; $("save").disabled = true; say(""); });
  function lasso(on) {
    plot.set({ mouseMode: on ? "lasso" : "panZoom" });
    $("lasso").setAttribute("aria-pressed", String(on));
  }
  $("lasso").addEventListener("click", () => lasso($("lasso").getAttribute("aria-pressed") !== "true"));
  $("home").addEventListener("click", () => plot.zoomToOrigin({ transition: count < 300000 }));

  // A cell that a spreadsheet would take for a formula gets an apostrophe before it.
  const cell = (value) => {
    let text = String(value);
    if (typeof value === "string" && /^[=+\-@\t\r]/.test(text) && isNaN(Number(text))) text = "'" + text;
    return /[",\n\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
  };
  function csv() {
    const head = ["name", "x", "y", ...(classes ? ["label"] : []), ...facts.numbers.map((number) => number.name)];
    const rows = selected.map((i) => [nameOf(i), x[i], y[i], ...(classes ? [classOf(i)] : []),
      ...numbers.map((values, place) => Number(numberAt(place, values[i] / 65535).toPrecision(5)))]);
    return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  }
  $("save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
    link.download = "selection.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });

  if (names) {
    $("searching").hidden = false;
    let lower = null;
    $("search").addEventListener("input", () => {
      const text = $("search").value.trim().toLowerCase();
      lower = lower || names.map((name) => name.toLowerCase());
      const first = [], later = [];
      if (text) for (let i = 0; i < count && first.length < 30; i++) {
        const place = lower[i].indexOf(text);
        if (place === 0) first.push(i); else if (place > 0 && later.length < 30) later.push(i);
      }
      first.sort((a, b) => lower[a].length - lower[b].length);
      $("found").replaceChildren(...[...first, ...later].slice(0, 30).map((i) => {
        const item = document.createElement("li"), button = document.createElement("button");
        button.textContent = nameOf(i);
        button.addEventListener("click", () => go(i));
        item.append(button);
        return item;
      }));
    });
    $("search").addEventListener("keydown", (event) => {
      if (event.key === "Enter") $("found").querySelector("button")?.click();
    });
  }
  async function go(i) {
    if (classes && hidden.delete(classes[i])) { legend(); await filter(); }
    plot.select([i]);
    await plot.zoomToLocation([x[i], y[i]], 0.15, { transition: true, transitionDuration: 400 });
    plot.hover(i);
  }

  const options = [...(classes ? [["class", "class"]] : []), ...facts.numbers.map((number) => [number.name, number.name])];
  if (options.length > 1) {
    $("choosing").hidden = false;
    for (const [value, text] of options) $("color").append(new Option(text, value, value === chosen, value === chosen));
    $("color").addEventListener("change", async () => {
      chosen = $("color").value;
      if (chosen !== "class") hidden.clear();
      legend();
      await draw();
    });
  }
  function legend() {
    const box = $("legend");
    box.replaceChildren();
    if (numberChosen() >= 0) {
      const { low, high, log } = facts.numbers[numberChosen()];
      const bar = document.createElement("div"), row = document.createElement("div");
      bar.className = "bar";
      bar.style.background = "linear-gradient(to right," + facts.ramp.join(",") + ")";
      row.className = "ends";
      for (const text of [shown(low), log ? "logarithmic" : "", shown(high)]) {
        const span = document.createElement("span");
        span.textContent = text;
        row.append(span);
      }
      box.append(bar, row);
    } else if (chosen === "class") {
      const both = document.createElement("div");
      both.className = "both";
      const all = facts.classes.names.map((_, i) => i + 1);
      const without = count - facts.classes.counts.reduce((a, b) => a + b, 0);
      if (without) all.push(0);
      for (const [text, none] of [["All", false], ["None", true]]) {
        const button = document.createElement("button");
        button.textContent = text;
        button.addEventListener("click", () => { hidden.clear(); if (none) all.forEach((i) => hidden.add(i)); legend(); filter(); });
        both.append(button);
      }
      box.append(both);
      for (const i of all.slice(0, 2000)) {
        const label = document.createElement("label"), input = document.createElement("input");
        input.type = "checkbox";
        input.checked = !hidden.has(i);
        input.addEventListener("change", () => { if (input.checked) hidden.delete(i); else hidden.add(i); filter(); });
        const dot = document.createElement("i"), name = document.createElement("b"), number = document.createElement("small");
        dot.style.background = i ? facts.classes.colors[i - 1] : facts.unknown;
        name.textContent = i ? facts.classes.names[i - 1] : "none of these";
        name.title = name.textContent;
        number.textContent = (i ? facts.classes.counts[i - 1] : without).toLocaleString("en");
        label.append(input, dot, name, number);
        box.append(label);
      }
    }
  }

  legend();
  plot.subscribe("draw", () => { times.frame = times.frame || performance.now(); });
  if (count) await draw();
  // For tests that drive the page.
  times.ready = performance.now();
  window.nodeloom = { plot, facts, csv, problems, times, selected: () => selected };
})();
