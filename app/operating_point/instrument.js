// The operating-point slider, drawn wholly in the browser from the figures of all prefixes (payload.py says what they are).
//
// receive()  takes what the server sends, as often as it likes; decides who wins, server or thumb
// layout()   draws what depends on the data and the width
// draw()     draws what depends on the thumb: runs at every input event, touches no layout
// settle()   tells the server and the address once the thumb rests
//
// Titles and class names are users' text: they enter by textContent and setAttribute only.

const TOLD_AFTER_CHANGE = 60; // ms after a release or a key
const TOLD_AFTER_INPUT = 160; // ms after the last movement of a drag that is held
const MOST_WHISKERS = 12;

const instruments = new WeakMap(); // one per root: Streamlit calls again with new data and keeps the nodes

export default function ({ data, parentElement, setStateValue }) {
  let instrument = instruments.get(parentElement);
  if (!instrument) {
    instrument = new Instrument(parentElement);
    instruments.set(parentElement, instrument);
  }
  instrument.receive(data, setStateValue);
  return () => {
    instrument.leave();
    instruments.delete(parentElement);
  };
}

class Instrument {
  constructor(root) {
    this.find = (selector) => root.querySelector(selector);
    this.box = this.find(".instrument");
    this.stage = this.find(".stage");
    this.plot = this.find(".plot");
    this.thumb = this.find(".thumb");
    this.data = null;
    this.scene = "";
    this.drawn = 0; // prefixes drawn so far: later ones fade in
    this.thumb.oninput = () => this.move(this.thumb.valueAsNumber, TOLD_AFTER_INPUT);
    this.thumb.onchange = () => this.move(this.thumb.valueAsNumber, TOLD_AFTER_CHANGE);
    this.stage.onclick = (event) => this.click(event);
    this.observer = new ResizeObserver(() => this.layout());
    this.observer.observe(this.box);
    // Measures of text are only right once the page's fonts are there.
    this.refit = () => {
      this.scene = "";
      this.layout();
    };
    document.fonts.addEventListener("loadingdone", this.refit);
  }

  leave() {
    this.observer.disconnect();
    document.fonts.removeEventListener("loadingdone", this.refit);
    clearTimeout(this.timer);
    this.data = null;
  }

  // -- server and thumb ----------------------------------------------------------------------------------------------

  receive(data, tell) {
    const before = this.data;
    this.data = data;
    this.tell = tell;
    this.box.hidden = data.points.length === 0;
    if (this.box.hidden) return clearTimeout(this.timer);
    // The thumb obeys on mount, on another run, or when the server pushes; an echo of what was told never moves it.
    const mounted = !before || before.points.length === 0;
    if (mounted || before.run !== data.run || before.push !== data.push) {
      clearTimeout(this.timer);
      this.prefix = this.told = data.prefix;
      if (mounted || before.run !== data.run) this.drawn = data.points.length;
    }
    if (this.prefix > data.points.length) this.prefix = this.told = data.points.length; // a replay steps back
    this.layout();
    this.writeAddress();
  }

  move(prefix, delay) {
    this.prefix = prefix;
    this.draw();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.settle(), delay);
  }

  settle() {
    this.writeAddress();
    if (this.prefix === this.told) return;
    this.told = this.prefix;
    // Run and push say what the thumb was showing, so that a late message cannot be taken for another run's.
    this.tell("prefix", { prefix: this.prefix, run: this.data.run, push: this.data.push });
  }

  click(event) {
    if (event.target === this.thumb || this.thumb.disabled) return;
    const first = this.stage.getBoundingClientRect().left + this.x(1);
    const nearest = Math.round((event.clientX - first) / this.spacing) + 1;
    this.thumb.focus();
    this.move(Math.min(Math.max(nearest, 1), this.data.points.length), TOLD_AFTER_CHANGE);
  }

  writeAddress() {
    if (!this.data.address) return;
    const url = new URL(window.location.href);
    for (const [name, value] of Object.entries(this.data.address)) url.searchParams.set(name, value);
    url.searchParams.set("prefix", this.prefix);
    if (url.href !== window.location.href) window.history.replaceState(window.history.state, "", url);
  }

  // -- what depends on data and width --------------------------------------------------------------------------------

  layout() {
    const width = this.stage.clientWidth;
    if (!this.data || this.box.hidden || width === 0) return;
    const { points, mode, progress, ...rest } = this.data;
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    // Neither the thumb nor the training's progress moves anything that stands still.
    const scene = JSON.stringify({ ...rest, points, prefix: 0, push: 0, round: progress?.round, mode, width, rem });
    if (scene !== this.scene) {
      this.scene = scene;
      this.box.className = `instrument ${mode}`;
      this.box.setAttribute("aria-label", this.data.label);
      this.measure(width, rem);
      this.drawPlot();
      this.drawFigures();
      this.drawBar();
      this.thumb.max = points.length;
      this.thumb.min = 1;
      this.thumb.disabled = points.length < 2;
      this.drawn = points.length;
    }
    this.fillColumn();
    this.draw();
  }

  measure(width, rem) {
    const { y, points, rounds } = this.data;
    const family = getComputedStyle(this.box).fontFamily;
    const canvas = document.createElement("canvas").getContext("2d");
    canvas.font = `${0.875 * rem}px ${family}`;
    this.textWidth = (text) => canvas.measureText(text).width;
    this.rem = rem;
    this.margin = 0.875 * rem; // of the axis beyond its first and last prefix
    // Room for the last tick's cost, reserved before it is there.
    const costs = ["88.8 M", ...points.map((point) => point.cost)];
    const right = Math.max(this.margin, ...costs.map((cost) => this.textWidth(cost) / 2));
    const labels = Math.max(...y.ticks.map((tick) => this.textWidth(tick.text)));
    const first = labels + 0.75 * rem + this.margin;
    this.spacing = rounds > 1 ? (width - right - first) / (rounds - 1) : 0;
    const origin = rounds > 1 ? first : (first + width - right) / 2;
    this.x = (prefix) => origin + (prefix - 1) * this.spacing;
    this.left = first - this.margin;
    this.right = width - right + this.margin;
    this.top = 2.25 * rem;
    this.bottom = this.top + (this.data.mode === "compact" ? 10.5 : 12.25) * rem;
    this.y = (accuracy) => this.bottom - ((accuracy - y.low) / (y.high - y.low)) * (this.bottom - this.top);
    this.axis = this.bottom + 1.9 * rem;
  }

  drawPlot() {
    const { points, y, teacher, rounds } = this.data;
    const { left, right, top, bottom, axis, rem } = this;
    this.plot.replaceChildren();
    this.plot.setAttribute("height", axis + 3.75 * rem);
    for (const tick of y.ticks) {
      this.shape("line", { class: "grid", x1: left, x2: right, y1: this.y(tick.at), y2: this.y(tick.at) });
      this.text(tick.text, { x: left - 0.5 * rem, y: this.y(tick.at) + 0.3 * rem, "text-anchor": "end" });
    }
    this.drawColumn();
    const level = this.y(teacher.accuracy);
    this.shape("line", { class: "teacher-line", x1: left, x2: right, y1: level, y2: level });
    this.drawTrack(rounds);
    this.beyond = this.shape("polyline", { class: "curve beyond" });
    this.curve = this.shape("polyline", { class: "curve" });
    this.drop = this.shape("line", { class: "drop", y2: axis });
    this.drawIntervals();
    const radius = Math.min(0.36 * rem, Math.max(this.spacing / 4, 2.5) || rem);
    for (const point of points) {
      const where = { cx: this.x(point.prefix), cy: this.y(point.accuracy), r: radius };
      this.shape("circle", { ...where, class: `marker${this.arriving(point)}` });
    }
    this.whisker = this.shape("path", { class: "chosen whisker" });
    this.marker = this.shape("circle", { class: "chosen marker", r: 0.56 * rem });
    this.dimension = this.shape("path", { class: "dimension" });
    this.difference = this.text("", { class: "strong", y: 0.95 * rem });
    this.teacherName = this.text(teacher.text, { class: "strong", y: 0.95 * rem });
    this.drawTicks(rounds);
  }

  drawTrack(rounds) {
    const [{ points }, { left, right, axis }] = [this.data, this];
    const done = points.length < rounds ? this.x(points.length) : right;
    const line = { x1: left, y1: axis, y2: axis };
    this.shape("line", { ...line, class: "track", x2: done });
    if (done < right) this.shape("line", { ...line, class: "track unfinished", x1: done, x2: right });
    this.filled = this.shape("line", { ...line, class: "track filled", x1: left + 3 });
    const half = 14; // of the thumb, whose centre the browser keeps that far inside the range's ends
    const length = (points.length - 1) * this.spacing;
    const style = { left: this.x(1) - half, width: length + 2 * half, top: axis - 22 };
    for (const [name, pixels] of Object.entries(style)) this.thumb.style[name] = `${pixels}px`;
  }

  drawIntervals() {
    const { points } = this.data;
    if (points.length <= MOST_WHISKERS) {
      const draw = (point) => this.shape("path", { class: `whisker${this.arriving(point)}`, d: this.whiskerPath(point) });
      points.forEach(draw);
      return;
    }
    const edge = (side) => points.map((point) => `${this.x(point.prefix)},${this.y(point[side])}`);
    const [upper, lower] = [edge("high"), edge("low").reverse()];
    this.shape("polygon", { class: "band", points: [...upper, ...lower].join(" ") });
  }

  arriving(point) {
    return point.prefix > this.drawn ? " arriving" : "";
  }

  whiskerPath(point) {
    const x = this.x(point.prefix);
    const cap = 0.3 * this.rem;
    const [low, high] = [this.y(point.low), this.y(point.high)];
    return `M${x - cap},${high}h${2 * cap}M${x},${high}V${low}M${x - cap},${low}h${2 * cap}`;
  }

  drawTicks(rounds) {
    const { points, progress } = this.data;
    this.ticks = [];
    for (let prefix = 1; prefix <= rounds; prefix++) {
      const price = points[prefix - 1]?.cost ?? (progress?.round === prefix ? "training" : "");
      const group = this.shape("g", { class: "tick" });
      const where = { x: this.x(prefix), "text-anchor": "middle" };
      group.append(
        this.text(prefix, { ...where, class: "number", y: this.axis + 2.25 * this.rem }),
        this.text(price, { ...where, class: "price", y: this.axis + 3.4 * this.rem }),
      );
      this.ticks.push(group);
    }
  }

  drawColumn() {
    this.progress = null;
    const round = this.data.progress?.round;
    if (!round || this.data.points.length >= round) return;
    const wide = Math.min(1.75 * this.rem, Math.max(0.6 * this.spacing, 6) || this.rem);
    const where = { x: this.x(round) - wide / 2, width: wide, rx: 4 };
    this.progress = this.shape("rect", { ...where, class: "progress" });
    this.full = this.bottom - this.top + 0.5 * this.rem;
    this.shape("rect", { ...where, class: "column", y: this.bottom - this.full, height: this.full });
  }

  fillColumn() {
    if (!this.progress) return;
    const height = this.full * this.data.progress.fraction;
    place(this.progress, { y: this.bottom - height, height });
  }

  drawFigures() {
    const { heading_level: level, labels, note, points } = this.data;
    this.sentence = document.createElement(`h${level}`);
    this.find(".headline").replaceChildren(this.sentence);
    this.reserve(points);
    this.find(".note").textContent = note;
    const [big, small] = [this.find(".big"), this.find(".small")];
    for (const list of [big, small]) list.replaceChildren();
    this.figures = labels.map((label, index) => {
      const group = document.createElement("div");
      const [term, value, aside] = ["dt", "dd", "dd"].map((name) => document.createElement(name));
      const unit = document.createElement("span");
      term.textContent = label;
      for (const [node, name] of [[value, "value"], [aside, "aside"], [unit, "unit"]]) node.className = name;
      aside.hidden = points.every((point) => point.figures[index].aside === "");
      value.append(document.createTextNode(""), unit);
      group.append(term, value, aside);
      (index < 2 ? big : small).append(group);
      return { number: value.firstChild, unit, aside };
    });
  }

  reserve(points) {
    // The tallest sentence's height, so that nothing below jumps while dragging.
    const heights = points.map((point) => {
      this.sentence.textContent = point.sentence;
      return this.sentence.offsetHeight;
    });
    this.sentence.style.minHeight = `${Math.max(...heights)}px`;
  }

  drawBar() {
    const { points, ramp, teacher } = this.data;
    const known = points.every((point) => point.share !== null);
    this.find(".cost").hidden = !known;
    this.find(".whole").textContent = teacher.cost;
    if (!known) return;
    const scale = Math.max(1, points.at(-1).share);
    const length = (name, share) => {
      const node = document.createElement("div");
      node.className = name;
      node.style.width = `${(100 * Math.max(share, 0)) / scale}%`;
      return node;
    };
    const frame = length("teacher", 1);
    this.blocks = points.map((point, index) => {
      const block = length("block", point.share - (points[index - 1]?.share ?? 0));
      block.style.background = `light-dark(${ramp[index].join(", ")})`;
      return block;
    });
    this.find(".bar").replaceChildren(...this.blocks, frame);
  }

  // -- what depends on the thumb -------------------------------------------------------------------------------------

  draw() {
    const { points } = this.data;
    const point = points[this.prefix - 1];
    if (this.thumb.valueAsNumber !== this.prefix) this.thumb.value = this.prefix;
    this.thumb.setAttribute("aria-valuetext", point.value_text);
    this.sentence.textContent = point.sentence;
    this.figures.forEach((figure, index) => {
      const { value, unit, aside } = point.figures[index];
      figure.number.data = value;
      figure.unit.textContent = unit && `\u00a0${unit}`;
      figure.aside.textContent = aside || "\u00a0";
    });
    this.drawPoint(point);
    this.drawLabels(point);
    this.thinTicks();
    if (point.share === null) return;
    this.blocks.forEach((block, index) => (block.hidden = index >= this.prefix));
    this.find(".bar").setAttribute("aria-label", point.bar);
    this.find(".spent").textContent = point.spent;
  }

  drawPoint(point) {
    const { points, teacher } = this.data;
    const [x, y, level] = [this.x(point.prefix), this.y(point.accuracy), this.y(teacher.accuracy)];
    const path = (part) => part.map((each) => `${this.x(each.prefix)},${this.y(each.accuracy)}`).join(" ");
    this.curve.setAttribute("points", path(points.slice(0, point.prefix)));
    this.beyond.setAttribute("points", path(points.slice(point.prefix - 1)));
    place(this.marker, { cx: x, cy: y });
    this.whisker.setAttribute("d", this.whiskerPath(point));
    place(this.drop, { x1: x, x2: x, y1: y });
    place(this.filled, { x2: x });
    const cap = 0.25 * this.rem;
    // Beside the marker, on the side where there is room.
    this.rule = x + 0.85 * this.rem + cap > this.right ? x - 0.85 * this.rem : x + 0.85 * this.rem;
    const ends = `M${this.rule - cap},${y}h${2 * cap}M${this.rule - cap},${level}h${2 * cap}`;
    this.dimension.setAttribute("d", `${ends}M${this.rule},${y}V${level}`);
  }

  drawLabels(point) {
    // The difference grows from its dimension line towards the middle of the plot, the teacher's name takes the other end.
    const { teacher } = this.data;
    const early = this.rule < (this.left + this.right) / 2;
    const cap = 0.25 * this.rem;
    this.difference.textContent = point.difference;
    place(this.difference, { x: early ? this.rule - cap : this.rule + cap, "text-anchor": early ? "start" : "end" });
    place(this.teacherName, { x: early ? this.right : this.left, "text-anchor": early ? "end" : "start" });
    const reach = this.textWidth(point.difference) + this.textWidth(teacher.text) + 0.75 * this.rem;
    const room = early ? this.right - this.rule + cap : this.rule + cap - this.left;
    this.difference.setAttribute("visibility", reach > room ? "hidden" : "visible");
  }

  thinTicks() {
    const { rounds, progress } = this.data;
    const [room, tight] = [3.3 * this.rem, 1.5 * this.rem];
    const every = Math.max(1, Math.ceil(room / (this.spacing || room)));
    const gap = (prefix, shown) => Math.min(...shown.map((other) => Math.abs(other - prefix) * this.spacing));
    const [shown, cramped] = [[this.prefix], []];
    for (const prefix of new Set([progress?.round ?? 1, 1, rounds])) {
      if (prefix === this.prefix) continue;
      const free = gap(prefix, shown);
      if (free >= tight) shown.push(prefix);
      if (free >= tight && free < room) cramped.push(prefix);
    }
    for (let prefix = 1; prefix <= rounds; prefix += every) if (gap(prefix, shown) >= room) shown.push(prefix);
    this.ticks.forEach((tick, index) => {
      const prefix = index + 1;
      tick.classList.toggle("chosen", prefix === this.prefix);
      tick.classList.toggle("away", !shown.includes(prefix));
      tick.classList.toggle("cramped", cramped.includes(prefix));
    });
  }

  shape(name, attributes) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", name);
    place(node, attributes);
    this.plot.append(node);
    return node;
  }

  text(content, attributes) {
    return Object.assign(this.shape("text", attributes), { textContent: content });
  }
}

function place(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}
