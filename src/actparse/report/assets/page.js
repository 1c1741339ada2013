'use strict';
(() => {
  // ---- data: tracks are matrices of integers, stored as differences from row to row ----
  const data = JSON.parse(document.getElementById('data').textContent);
  const { drawing, parts: PARTS, columns: COLUMNS } = data;
  const { start: START, end: END } = data.video;
  const isAsserted = data.verdict === 'known'; // the action
  const SPAN = Math.max(END - START, 1e-3);
  const QUIET = 'none';
  const NUM_COLORS = 12; // of states; further states repeat them with stripes
  const ROWS_AT_ONCE = 25; // of a table
  const OPEN_PERSONS = 3; // whose lanes are open at first
  const FIRST_ACTIONS = 6; // that are listed
  const FIRST_REASONS = { for: 6, against: 2 }; // that are listed at first

  const offsets = {};
  let WIDTH = 0;
  for (const [name, width] of Object.entries(COLUMNS)) {
    offsets[name] = WIDTH;
    WIDTH += width;
  }

  function matrix(steps, width) {
    const values = Int32Array.from(steps);
    for (let i = width; i < values.length; i++) values[i] += values[i - width];
    return values;
  }

  const seconds = (ticks) => Float64Array.from(matrix(ticks, 1), (tick) => tick / drawing.ticks);
  const times = seconds(data.times); // of the sampled frames, in the source
  const indices = matrix(data.indices, 1);
  const STEP = median(times.slice(1).map((time, i) => time - times[i])); // from sample to sample

  function median(values) {
    const sorted = values.slice().sort();
    return sorted.length ? sorted[sorted.length >> 1] : SPAN;
  }

  /** Count the ascending values that are at most `limit`. */
  function countUpTo(values, limit) {
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] <= limit) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  class Track {
    constructor({ id, rows, sure }) {
      this.id = id;
      this.matrix = matrix(rows, WIDTH);
      this.length = this.matrix.length / WIDTH;
      this.times = Float64Array.from({ length: this.length }, (_, row) => times[this.get(row, 'frame')]);
      this.isSure = sure;
      this.show(false);
    }

    /** Draw the person if it is sure, or if unsure ones are to be drawn too. */
    show(withUnsure) {
      this.sure = this.isSure || withUnsure ? [...this.times.keys()] : [];
      this.sureTimes = Float64Array.from(this.sure, (row) => this.times[row]);
    }

    get(row, column, k = 0) {
      return this.matrix[row * WIDTH + offsets[column] + k];
    }

    /** Return the end of a row's validity: the next sample's time, or one step later if there is none. */
    until(row) {
      const next = this.times[row + 1];
      return next - this.times[row] <= 2.2 * STEP ? next : Math.min(this.times[row] + STEP, END);
    }

    /** Return the row that is valid at a time, or -1. */
    rowAt(time) {
      const row = countUpTo(this.times, time) - 1;
      return row >= 0 && time < this.until(row) ? row : -1;
    }

    /** Return the two rows of the track to interpolate at a time; null if the person is absent. Gaps are not filled. */
    place(time) {
      const after = countUpTo(this.sureTimes, time);
      if (!after) return null;
      const [a, b] = [this.sureTimes[after - 1], this.sureTimes[after]];
      const before = this.sure[after - 1];
      if (after === this.sure.length || b - a > 2.2 * STEP) {
        return time - a < STEP * 0.999 || time === a ? { before, after: before, share: 0 } : null;
      }
      return { before, after: this.sure[after], share: (time - a) / (b - a) };
    }

    between({ before, after, share }, column, k) {
      return this.get(before, column, k) * (1 - share) + this.get(after, column, k) * share;
    }

    has({ before, after }, column, k) {
      return Boolean((this.get(before, column) & this.get(after, column)) >> k & 1);
    }

    state(row, k) {
      const number = this.get(row, 'states', k);
      return number ? data.states[number - 1] : null;
    }

    /** Return the intervals of one state of a part: {state, from, to, score}. */
    runs(k) {
      return stretches(this.length, (row) => this.state(row, k), this).map((run) => ({
        state: run.value, from: this.times[run.first], to: this.until(run.last),
        score: mean(run.first, run.last, (row) => this.get(row, 'state_scores', k)),
      }));
    }

    presence() {
      return stretches(this.length, () => 'seen', this).map((run) => ({ from: this.times[run.first], to: this.until(run.last) }));
    }
  }

  /** Return the runs of rows with equal value and no gap: {value, first, last}; null values form no run. */
  function stretches(length, valueOf, track) {
    const found = [];
    for (let row = 0; row < length; row++) {
      const value = valueOf(row);
      const open = found.at(-1);
      if (value === null) continue;
      if (open && open.value === value && open.last === row - 1 && track.until(row - 1) === track.times[row]) open.last = row;
      else found.push({ value, first: row, last: row });
    }
    return found;
  }

  function mean(first, last, valueOf) {
    let sum = 0;
    for (let row = first; row <= last; row++) sum += valueOf(row);
    return sum / (last - first + 1);
  }

  const tracks = data.tracks.map((raw) => new Track(raw));
  const trackOf = new Map(tracks.map((track) => [track.id, track]));

  // ---- words ----
  const $ = (id) => document.getElementById(id);
  const words = (name) => name.replaceAll('_', ' ');
  const title = (name) => words(name).replace(/^./, (letter) => letter.toUpperCase());
  const short = (part) => part.replace('left_', 'L ').replace('right_', 'R ');
  const percent = (value) => `${Math.round(value)} %`;
  const plural = (group) => (group === 'foot' ? 'feet' : `${group}s`);

  function timeText(time, digits = 2) {
    if (END < 60) return `${time.toFixed(digits)} s`;
    const minutes = Math.floor(time / 60);
    return `${minutes}:${(time - 60 * minutes).toFixed(digits).padStart(digits ? digits + 3 : 2, '0')}`;
  }

  function element(tag, properties = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(properties)) {
      if (name.startsWith('--')) node.style.setProperty(name, value);
      else if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
      else if (name in node) node[name] = value;
      else node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  function vector(tag, attributes) {
    const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  }

  /** Return a person's states as text, both sides in one where they agree: [text, part index]. */
  function stateLines(stateOf) {
    const lines = [];
    PARTS.forEach((part, k) => {
      const state = stateOf(k);
      const right = part.startsWith('left_') ? PARTS.indexOf(part.replace('left_', 'right_')) : -1;
      const left = part.startsWith('right_') ? PARTS.indexOf(part.replace('right_', 'left_')) : -1;
      if (!state || state === QUIET || (left >= 0 && stateOf(left) === state)) return;
      const name = right >= 0 && stateOf(right) === state ? plural(part.slice(5)) : short(part);
      lines.push([`${name}: ${words(state)}`, name === short(part) ? k : -1]);
    });
    return lines;
  }

  const objectsAt = new Map(); // frame row -> [[row, name, ...box]]
  for (const object of data.objects) objectsAt.set(object[0], [...(objectsAt.get(object[0]) ?? []), object]);

  // ---- mistakes, if the truth is known ----
  const VERDICTS = { state: 'wrong state', box: 'wrong box', both: 'wrong box and state', missed: 'not found' };
  const mistakes = data.mistakes;
  const wrongAt = new Map(); // frame row -> {missed: [box], false: [track id], parts: [[id, part, verdict, state, box]]}
  if (mistakes) {
    for (const row of mistakes.frames) wrongAt.set(row, { missed: [], false: [], parts: [] });
    for (const [row, ...box] of mistakes.missed_persons) wrongAt.get(row).missed.push(box);
    for (const [row, id] of mistakes.false_persons) wrongAt.get(row).false.push(id);
    for (const [row, id, k, verdict, state, ...box] of mistakes.parts) wrongAt.get(row).parts.push({ id, k, verdict, state, box });
  }
  const wrongNow = () => wrongAt.get(countUpTo(times, now) - 1) ?? { missed: [], false: [], parts: [] };

  // ---- the clock: the video's frames, or a substitute if it cannot be played ----
  class StandIn extends EventTarget {
    paused = true;
    playbackRate = 1;
    seeking = false;
    duration = SPAN;
    #time = 0;

    get currentTime() { return this.#time; }
    set currentTime(time) {
      this.#time = Math.min(Math.max(time, 0), SPAN);
      this.dispatchEvent(new Event('seeked'));
    }

    play() {
      if (this.#time >= SPAN - 1e-3) this.#time = 0;
      this.paused = false;
      this.dispatchEvent(new Event('play'));
      let last = performance.now();
      const tick = (moment) => {
        if (this.paused) return;
        this.currentTime += (moment - last) / 1000 * this.playbackRate;
        last = moment;
        if (this.#time >= SPAN) this.pause();
        else requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
      return Promise.resolve();
    }

    pause() {
      this.paused = true;
      this.dispatchEvent(new Event('pause'));
    }
  }

  let player = $('video');
  let frameTimes = seconds(data.video.times); // of the page's video, from 0 on
  let frame = 0; // shown
  let now = START; // its presentation time in the source

  function connect() {
    player.addEventListener('play', () => { document.body.classList.add('playing'); follow(); nameButton(); });
    player.addEventListener('pause', () => { document.body.classList.remove('playing'); nameButton(); });
    player.addEventListener('seeked', () => show(player.currentTime));
  }

  function nameButton() {
    $('play').setAttribute('aria-label', player.paused ? 'Play' : 'Pause');
  }

  /** Draw every frame when it is displayed. */
  function follow() {
    if (!player.requestVideoFrameCallback) {
      const tick = () => {
        if (player.paused) return;
        show(player.currentTime);
        requestAnimationFrame(tick);
      };
      requestAnimationFrame(tick);
    }
  }

  function followFrames() {
    player.requestVideoFrameCallback((_, shown) => {
      if (!player.seeking) show(shown.mediaTime);
      followFrames();
    });
  }

  function withoutVideo(reason) {
    player = new StandIn();
    if (!frameTimes.length) frameTimes = times.map((time) => time - START);
    $('stage').classList.add('empty');
    $('video').hidden = true;
    if (reason) warn(reason);
    connect();
    show(0);
  }

  /** Show the frame at `seconds` of the page's video. */
  function show(seconds) {
    frame = Math.max(0, countUpTo(frameTimes, seconds + 1e-3) - 1);
    now = START + (frameTimes[frame] ?? 0);
    draw();
    move();
  }

  function seekFrame(number) {
    const target = Math.min(Math.max(number, 0), frameTimes.length - 1);
    if (target < 0) return;
    const next = frameTimes[target + 1] ?? frameTimes[target] + STEP / 5;
    player.currentTime = frameTimes[target] + Math.min(0.02, (next - frameTimes[target]) / 2); // safely inside the frame
    show(frameTimes[target]);
  }

  function seek(time) {
    seekFrame(countUpTo(frameTimes, time - START + 1e-3) - 1);
  }

  function step(by) {
    player.pause();
    seekFrame(frame + by);
    $('said').textContent = `Frame ${frame + 1}, ${timeText(now)}`;
  }

  function toggle() {
    if (player.paused) player.play().catch(() => {}); // an interrupted start is no error
    else player.pause();
  }

  // ---- the canvas over the video ----
  const canvas = $('canvas');
  const context = canvas.getContext('2d');
  const LAYERS = { boxes: 'Persons', parts: 'Parts', skeleton: 'Skeleton', dots: 'Dots', labels: 'States', objects: 'Objects', mistakes: 'Mistakes' };
  const layers = { boxes: true, parts: true, skeleton: true, dots: false, labels: window.innerWidth >= 600, objects: true, mistakes: true };
  const hiddenPersons = new Set();
  const css = ([r, g, b], alpha = 1) => `rgb(${r} ${g} ${b} / ${alpha})`;
  const PAPER = 'rgb(245 245 240)';
  const INK = 'rgb(20 20 24)';
  const ERROR = 'rgb(255 80 90)';
  let pixel = 1; // units of the grid in one CSS pixel

  function resize() {
    const { clientWidth, clientHeight } = $('stage');
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.round(clientWidth * ratio);
    canvas.height = Math.round(clientHeight * ratio);
    const columns = data.video.width / drawing.unit;
    context.setTransform(canvas.width / columns, 0, 0, canvas.height / (data.video.height / drawing.unit), 0, 0);
    pixel = columns / Math.max(clientWidth, 1);
    draw();
  }

  function draw() {
    context.clearRect(0, 0, 1e5, 1e5);
    const shown = tracks.filter((track) => !hiddenPersons.has(track.id)).map((track) => [track, track.place(now)]).filter(([, place]) => place);
    for (const [track, place] of shown) drawPerson(track, place);
    if (layers.objects) drawObjects();
    if (layers.mistakes) drawMistakes();
    if (layers.labels) drawLabels(shown);
  }

  const boxOf = (track, place, column, k = 0) => [0, 1, 2, 3].map((i) => track.between(place, column, 4 * k + i));

  function drawPerson(track, place) {
    const box = boxOf(track, place, 'box');
    if (layers.parts) PARTS.forEach((_, k) => track.has(place, 'found', k) && drawBox(boxOf(track, place, 'parts', k), css(drawing.part_colors[k]), 1.25));
    if (layers.boxes) drawBox(box, PAPER, 2);
    if (layers.dots) drawDots(track, place, Math.max(box[2] - box[0], box[3] - box[1]));
    if (layers.skeleton) drawSkeleton(track, place);
  }

  /** Draw the objects of the last parsed frame with their names. */
  function drawObjects() {
    for (const [, name, ...box] of objectsAt.get(countUpTo(times, now) - 1) ?? []) {
      drawBox(box, PAPER, 1.25);
      drawLabel([[words(name), PAPER]], box[0], box[1] - 21 * pixel);
    }
  }

  function drawBox([x1, y1, x2, y2], color, width, dash = []) {
    context.setLineDash(dash.map((length) => length * pixel));
    context.strokeStyle = color;
    context.lineWidth = width * pixel;
    context.strokeRect(x1, y1, x2 - x1, y2 - y1);
    context.setLineDash([]);
  }

  function disc(x, y, radius, color) {
    context.fillStyle = color;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    context.fill();
  }

  const joint = (track, place, k) => [track.between(place, 'keypoints', 2 * k), track.between(place, 'keypoints', 2 * k + 1)];

  function drawDots(track, place, side) {
    drawing.dot_colors.forEach((color, k) => track.has(place, 'seen', k) && disc(...joint(track, place, k), drawing.dot_radii[k] * side, css(color)));
  }

  function drawSkeleton(track, place) {
    const limbs = drawing.skeleton.filter(([a, b]) => track.has(place, 'seen', a) && track.has(place, 'seen', b));
    context.lineCap = 'round';
    for (const rim of [true, false]) {
      for (const [a, b] of limbs) {
        const [one, other] = [drawing.keypoint_colors[a], drawing.keypoint_colors[b]];
        context.strokeStyle = rim ? INK : css(String(one) === String(other) ? one : drawing.middle);
        context.lineWidth = (rim ? 5 : 3) * pixel;
        context.beginPath();
        context.moveTo(...joint(track, place, a));
        context.lineTo(...joint(track, place, b));
        context.stroke();
      }
    }
    drawing.keypoint_colors.forEach((color, k) => track.has(place, 'seen', k) && disc(...joint(track, place, k), 3 * pixel, css(color)));
  }

  function drawMistakes() {
    const wrong = wrongNow();
    const pixels = (box) => box.map((value) => value / drawing.unit);
    for (const box of wrong.missed) {
      drawBox(pixels(box), ERROR, 2.5, [7, 5]);
      drawLabel([['missed person', ERROR]], pixels(box)[0], pixels(box)[1]);
    }
    for (const { id, verdict, box } of wrong.parts) {
      if (verdict !== 'state' && !hiddenPersons.has(id)) drawBox(pixels(box), ERROR, 1.5, [4, 3]);
    }
    for (const id of wrong.false) {
      const place = hiddenPersons.has(id) ? null : trackOf.get(id).place(now);
      if (!place) continue;
      const [x1, y1, x2, y2] = boxOf(trackOf.get(id), place, 'box');
      drawBox([x1, y1, x2, y2], ERROR, 2.5);
      drawLabel([['false person', ERROR]], x1, y2 - 20 * pixel);
    }
  }

  function labelLines(track, place) {
    const wrong = layers.mistakes ? wrongNow().parts.filter((mark) => mark.id === track.id) : [];
    const lines = stateLines((k) => track.state(place.before, k)).map(([text, k]) => [text, css(k < 0 ? drawing.middle : drawing.part_colors[k])]);
    const corrections = wrong.map((mark) => [`✗ ${short(PARTS[mark.k])}: ${mark.verdict === 'box' ? VERDICTS.box : `is ${words(mark.state)}`}`, ERROR]);
    return [[`person ${track.id}`, PAPER], ...lines, ...corrections];
  }

  function labelSize(lines) {
    context.font = `${12 * pixel}px system-ui, sans-serif`;
    return [Math.max(...lines.map(([text]) => context.measureText(text).width)) + 12 * pixel, (lines.length * 16 + 5) * pixel];
  }

  function drawLabel(lines, x, y) {
    const [width, height] = labelSize(lines);
    context.fillStyle = 'rgb(20 20 24 / 0.78)';
    context.beginPath();
    context.roundRect(x, y, width, height, 4 * pixel);
    context.fill();
    lines.forEach(([text, color], n) => {
      context.fillStyle = color;
      context.fillText(text, x + 6 * pixel, y + (16 * n + 14) * pixel);
    });
  }

  /** Draw a column of text beside each person, where it covers least. */
  function drawLabels(shown) {
    const [right, bottom] = [data.video.width / drawing.unit, data.video.height / drawing.unit];
    const boxes = new Map(shown.map(([track, place]) => [track, boxOf(track, place, 'box')]));
    const taken = [];
    for (const [track, place] of shown) {
      const lines = labelLines(track, place);
      const [width, height] = labelSize(lines);
      const [x1, y1, x2, y2] = boxes.get(track);
      const gap = 5 * pixel;
      const others = [...boxes].filter(([other]) => other !== track).map(([, box]) => box);
      const spots = [[x2 + gap, y1], [x1 - gap - width, y1], [x2 + gap, y2 - height], [x1 - gap - width, y2 - height], [x1, y1 - gap - height], [x1, y2 + gap]]
        .map(([x, y]) => [Math.min(Math.max(x, 0), Math.max(right - width, 0)), Math.min(Math.max(y, 0), Math.max(bottom - height, 0))]);
      const cost = ([x, y], n) => {
        const spot = [x, y, x + width, y + height];
        return 4 * covered(spot, taken) + covered(spot, others) + 0.6 * covered(spot, [boxes.get(track)]) + 0.01 * n;
      };
      const costs = spots.map(cost);
      const best = spots[costs.indexOf(Math.min(...costs))];
      taken.push([best[0], best[1], best[0] + width, best[1] + height]);
      drawLabel(lines, ...best);
    }
  }

  function covered([x1, y1, x2, y2], boxes) {
    const shared = (box) => Math.max(0, Math.min(x2, box[2]) - Math.max(x1, box[0])) * Math.max(0, Math.min(y2, box[3]) - Math.max(y1, box[1]));
    return boxes.reduce((sum, box) => sum + shared(box), 0) / ((x2 - x1) * (y2 - y1));
  }

  function switchFor(label, name, on, change) {
    const box = element('input', { type: 'checkbox', checked: on, name, onchange: () => change(box.checked) });
    return element('label', { className: 'chip' }, box, element('span', {}, label));
  }

  function buildSwitches() {
    for (const [name, label] of Object.entries(LAYERS)) {
      if ((name === 'mistakes' && !mistakes) || (name === 'objects' && !data.objects.length)) continue;
      $('layers').append(switchFor(label, name, layers[name], (on) => { layers[name] = on; draw(); }));
    }
    for (const { id, isSure } of tracks) {
      const box = switchFor(String(id), `person-${id}`, true, (on) => {
        hiddenPersons[on ? 'delete' : 'add'](id);
        document.querySelector(`.person[data-id="${id}"]`).hidden = !on;
        draw();
      });
      box.querySelector('span').prepend(element('span', { className: 'hidden' }, 'Person '));
      box.classList.toggle('unsure', !isSure);
      $('persons').append(box);
    }
    $('persons').hidden = !tracks.length;
    const numUnsure = tracks.filter((track) => !track.isSure).length;
    $('unsure-label').hidden = !numUnsure;
    $('unsure-count').textContent = `${numUnsure} unsure ${numUnsure === 1 ? 'person' : 'persons'}`;
  }

  // ---- lanes ----
  const durations = new Map(); // of each state, seconds over all parts and persons
  for (const track of tracks) PARTS.forEach((_, k) => track.runs(k).forEach(({ state, from, to }) => durations.set(state, (durations.get(state) ?? 0) + to - from)));
  const ranked = [...durations.keys()].filter((state) => state !== QUIET).sort((a, b) => durations.get(b) - durations.get(a));
  const lanes = []; // {node, track, part, runs, say(time)}
  const laneOf = new WeakMap(); // by its element
  const where = (time) => `${(100 * (time - START) / SPAN).toFixed(3)}%`;

  function stateClass(state) {
    if (state === QUIET) return 'quiet-state';
    const rank = ranked.indexOf(state);
    return `s${rank % NUM_COLORS}${rank >= NUM_COLORS ? ' striped' : ''}`;
  }

  function piece(className, from, to, text = '') {
    return element('div', { className, '--from': where(from), '--to': `${(100 * (to - from) / SPAN).toFixed(3)}%` }, text);
  }

  function lane(head, content, options) {
    const node = element('div', { className: 'lane', tabIndex: -1, role: 'slider', 'aria-label': options.name, 'aria-valuemin': START.toFixed(2), 'aria-valuemax': END.toFixed(2), 'aria-valuenow': now.toFixed(2) }, ...content);
    const entry = { node, head, stops: [], say: () => '', ...options };
    laneOf.set(node, entry);
    lanes.push(entry);
    return element('div', { className: `row ${options.className ?? ''}` }, head, node);
  }

  function buildLanes() {
    const board = $('lanes');
    board.append(ruler());
    if (mistakes?.missed_persons.length) board.append(missedLane());
    const openAtFirst = new Set([...tracks].sort((a, b) => b.length - a.length).slice(0, OPEN_PERSONS));
    for (const track of tracks) board.append(personLanes(track, openAtFirst.has(track)));
    if (!tracks.length) board.append(element('p', { className: 'muted' }, 'Nobody was found.'));
    board.append(element('div', { id: 'playhead', className: 'playhead' }));
    if (lanes.length) lanes[0].node.tabIndex = 0;
  }

  function ruler() {
    return element('div', { className: 'row ruler', 'aria-hidden': 'true' }, element('span', { className: 'head' }), element('div', { className: 'marks' }));
  }

  function markRuler() {
    const marks = $('lanes').querySelector('.marks');
    const room = Math.max(2, marks.clientWidth / 64); // texts side by side
    const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600];
    const every = steps.find((size) => SPAN / size <= room) ?? 7200;
    marks.replaceChildren();
    for (let n = Math.ceil(START / every); n * every < END - every / 3; n++) {
      marks.append(element('span', { '--from': where(n * every) }, timeText(n * every, every < 1 ? 1 : 0)));
    }
  }

  function missedLane() {
    const runs = mistakes.frames.map((row) => ({ from: times[row], to: times[row + 1] ?? END, count: wrongAt.get(row).missed.length })).filter((run) => run.count);
    const pieces = runs.map((run) => piece('mark missed', run.from, run.to));
    const say = (time) => `${runs.find((run) => run.from <= time && time < run.to)?.count ?? 0} missed`;
    return lane(element('span', { className: 'head' }, 'Missed persons'), pieces, { name: 'Missed persons', say, stops: runs.map((run) => run.from), className: 'thin' });
  }

  function personLanes(track, open) {
    const rows = element('div', { className: 'rows', hidden: !open });
    const fill = () => {
      if (!rows.childElementCount) rows.append(...PARTS.map((part, k) => partLane(track, part, k)), element('div', { className: 'angles' }));
      if (document.body.classList.contains('with-angles')) fillAngles();
    };
    const button = element('button', { type: 'button', className: 'head', 'aria-expanded': String(open), onclick: () => {
      rows.hidden = !rows.hidden;
      button.setAttribute('aria-expanded', String(!rows.hidden));
      fill();
      move();
    } }, `Person ${track.id}`);
    const seen = track.presence();
    const wrong = mistakes ? mistakes.false_persons.filter(([, id]) => id === track.id).map(([row]) => row) : [];
    const falseMarks = wrong.map((row) => piece('mark both', times[row], times[row + 1] ?? END));
    const say = (time) => (track.rowAt(time) < 0 ? 'not seen' : `seen, score ${percent(track.get(track.rowAt(time), 'score'))}${wrong.includes(countUpTo(times, time) - 1) ? ', false person' : ''}`);
    const head = lane(button, [...seen.map((run) => piece('presence', run.from, run.to)), ...falseMarks], { name: `Person ${track.id}`, say, stops: seen.map((run) => run.from), className: 'person-row' });
    if (open) fill();
    return element('section', { className: track.isSure ? 'person' : 'person unsure', 'aria-label': `Person ${track.id}`, 'data-id': track.id }, head, rows);
  }

  function partLane(track, part, k) {
    const runs = track.runs(k);
    const pieces = runs.map((run) => piece(`run ${stateClass(run.state)}`, run.from, run.to, run.state === QUIET ? '' : words(run.state)));
    const marks = mistakes ? markPieces(track, k) : [];
    const say = (time) => {
      const run = runs.find(({ from, to }) => from <= time && time < to);
      if (!run) return 'not known';
      const row = track.rowAt(time);
      return `${words(run.state)}, score ${percent(track.get(row, 'state_scores', k))} (mean ${percent(run.score)}), ${timeText(run.from)} to ${timeText(run.to)}${wrongText(track, k, time)}`;
    };
    const head = element('span', { className: 'head' }, element('span', {}, title(part)), element('span', { className: 'state-now' }));
    const nowText = () => { const row = track.rowAt(now); return row < 0 ? '' : words(track.state(row, k) ?? ''); };
    return lane(head, [...pieces, foot(track, k), ...marks], { name: `Person ${track.id}, ${words(part)}`, say, nowText, stops: runs.map((run) => run.from) });
  }

  function markPieces(track, k) {
    const found = [];
    for (const row of mistakes.frames) {
      const mark = wrongAt.get(row).parts.find((one) => one.id === track.id && one.k === k);
      const last = found.at(-1);
      if (!mark) continue;
      if (last && last.to === times[row] && last.verdict === mark.verdict) last.to = times[row + 1] ?? END;
      else found.push({ verdict: mark.verdict, from: times[row], to: times[row + 1] ?? END });
    }
    return found.map((mark) => piece(`mark ${mark.verdict}`, mark.from, mark.to));
  }

  function wrongText(track, k, time) {
    const mark = wrongAt.get(countUpTo(times, time) - 1)?.parts.find((one) => one.id === track.id && one.k === k);
    return mark ? `. ${VERDICTS[mark.verdict]}, the truth is ${words(mark.state)}` : '';
  }

  /** Draw the score of a part's state over time, at the bottom of its lane. */
  function foot(track, k) {
    const x = (time) => (1000 * (time - START) / SPAN).toFixed(1);
    let path = '';
    for (let row = 0; row < track.length; row++) {
      if (track.state(row, k) === null) continue;
      const y = 100 - track.get(row, 'state_scores', k);
      path += `M${x(track.times[row])} 100V${y}H${x(track.until(row))}V100z`;
    }
    const drawn = vector('svg', { class: 'foot', viewBox: '0 0 1000 100', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    drawn.append(vector('path', { d: path }));
    return drawn;
  }

  // ---- joint angles ----
  const JOINTS = [...new Set(data.angles.map((name) => name.replace(/^(left|right)_/, '')))];

  const REPETITIONS = data.repetitions;

  /** Draw an area for each repetition, and a line at its turning point. */
  function repetitionMarks() {
    const x = (time) => 1000 * (time - START) / SPAN;
    return REPETITIONS.times.flatMap(([start, turn, end]) => [
      vector('rect', { class: 'repetition', x: x(start), width: x(end) - x(start), y: 0, height: 180 }),
      vector('path', { class: 'turn', d: `M${x(turn)} 0V180` }),
    ]);
  }

  /** Draw the angles of the persons whose lanes are open and not drawn yet. */
  function fillAngles() {
    for (const box of document.querySelectorAll('.rows:not([hidden]) > .angles:empty')) {
      const track = trackOf.get(Number(box.closest('.person').dataset.id));
      box.append(...JOINTS.map((name) => angleLane(track, name)));
    }
  }

  function angleLane(track, joint) {
    const signed = !data.angles.includes(`left_${joint}`);
    const sides = signed ? [['', joint]] : [['left', `left_${joint}`], ['right', `right_${joint}`]];
    const svg = vector('svg', { class: 'plot', viewBox: '0 0 1000 180', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
    svg.append(vector('path', { class: 'grid', d: 'M0 90H1000' }));
    if (REPETITIONS && REPETITIONS.track === track.id && REPETITIONS.joint.endsWith(joint)) svg.append(...repetitionMarks());
    for (const [side, name] of sides) svg.append(vector('path', { class: `line ${side}`, d: anglePath(track, data.angles.indexOf(name), signed) }));
    const valueAt = (time, name) => {
      const [row, a] = [track.rowAt(time), data.angles.indexOf(name)];
      return row >= 0 && track.get(row, 'known') >> a & 1 ? `${track.get(row, 'angles', a)}°` : '–';
    };
    const say = (time) => sides.map(([side, name]) => `${side} ${valueAt(time, name)}`.trim()).join(', ');
    const nowText = () => sides.map(([side, name]) => `${side ? `${side[0].toUpperCase()} ` : ''}${valueAt(now, name)}`).join('  ');
    const head = element('span', { className: 'head' }, element('span', {}, signed ? title(joint) : title(plural(joint))), element('span', { className: 'state-now' }));
    const axis = signed ? ['90°', '−90°'] : ['180°', '0°'];
    const labels = axis.map((text) => element('span', { className: 'axis' }, text));
    return lane(head, [svg, ...labels], { name: `Person ${track.id}, angle of the ${words(joint)}`, say, nowText, stops: [...track.times], className: 'angle' });
  }

  function anglePath(track, a, signed) {
    let path = '';
    let open = false;
    for (let row = 0; row < track.length; row++) {
      const known = track.get(row, 'known') >> a & 1;
      const y = signed ? 90 - Math.max(-90, Math.min(90, track.get(row, 'angles', a))) : 180 - track.get(row, 'angles', a);
      if (known) path += `${open ? 'L' : 'M'}${(1000 * (track.times[row] - START) / SPAN).toFixed(1)} ${y}`;
      open = Boolean(known) && track.until(row) === track.times[row + 1];
    }
    return path;
  }

  function buildLegend() {
    for (const state of ranked) $('legend').append(element('li', {}, element('i', { className: stateClass(state) }), words(state)));
    if (durations.has(QUIET)) $('legend').append(element('li', {}, element('i', { className: 'quiet-state' }), QUIET));
    if (mistakes) for (const [verdict, text] of Object.entries(VERDICTS)) $('legend').append(element('li', {}, element('i', { className: `mark ${verdict}` }), text));
    $('legend').append(
      ...[['left', 'left side'], ['right', 'right side']].map(([side, text]) => element('li', { className: 'angle-key' }, element('i', { className: `key ${side}` }), text)));
  }

  /** Update the playhead, the clock and the texts beside the lanes for the displayed frame. */
  function move() {
    $('lanes').style.setProperty('--at', ((now - START) / SPAN).toFixed(5));
    $('clock').textContent = `${timeText(now)} / ${timeText(END)}`;
    $('frame').textContent = `frame ${frame + 1} of ${frameTimes.length}`;
    for (const entry of lanes) {
      if (entry.nowText && isOpen(entry)) setText(entry.head.lastChild, entry.nowText());
      if (entry.node === document.activeElement) tellLane(entry);
    }
    if (zoom > 1 && !player.paused) keepInView();
  }

  /** Tell whether a lane is unfolded; reading its position instead would force a new layout. */
  function isOpen({ node, className }) {
    return !node.closest('[hidden]') && (className !== 'angle' || document.body.classList.contains('with-angles'));
  }

  function setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  function tellLane(entry) {
    entry.node.setAttribute('aria-valuenow', now.toFixed(2));
    entry.node.setAttribute('aria-valuetext', `${timeText(now)}: ${entry.say(now)}`);
  }

  let zoom = 1;
  function setZoom(value) {
    zoom = Math.min(Math.max(value, 1), 64);
    $('lanes').style.setProperty('width', `${100 * zoom}%`);
    $('out').disabled = zoom === 1;
    markRuler();
    keepInView();
  }

  function keepInView() {
    const [box, head] = [$('scroll'), $('playhead')];
    const at = head.offsetLeft - box.scrollLeft;
    if (at < box.clientWidth * 0.2 || at > box.clientWidth * 0.95) box.scrollLeft = head.offsetLeft - box.clientWidth * 0.4;
  }

  function timeUnder(event) {
    const box = $('lanes').querySelector('.marks').getBoundingClientRect();
    return START + SPAN * Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  }

  function watchLanes() {
    const board = $('lanes');
    const inside = (event) => event.target.closest('.lane, .marks');
    board.addEventListener('pointerdown', (event) => {
      if (event.button !== 0 || !inside(event)) return;
      seek(timeUnder(event));
      focusLane(laneOf.get(event.target.closest('.lane')));
      const drag = (moved) => seek(timeUnder(moved));
      const leave = () => { window.removeEventListener('pointermove', drag); };
      window.addEventListener('pointermove', drag);
      window.addEventListener('pointerup', leave, { once: true });
      window.addEventListener('pointercancel', leave, { once: true });
    });
    board.addEventListener('pointermove', (event) => tell(event, laneOf.get(event.target.closest('.lane'))));
    board.addEventListener('pointerleave', () => { $('tip').hidden = true; });
    board.addEventListener('keydown', laneKey);
    board.addEventListener('focusin', (event) => { const entry = laneOf.get(event.target); if (entry) tellLane(entry); });
  }

  function tell(event, entry) {
    const tip = $('tip');
    tip.hidden = !entry;
    if (!entry) return;
    const time = timeUnder(event);
    tip.replaceChildren(element('b', {}, entry.name), element('span', {}, entry.say(time)), element('span', { className: 'muted' }, timeText(time)));
    const { offsetWidth, offsetHeight } = tip;
    tip.style.left = `${Math.max(8, Math.min(event.clientX + 14, window.innerWidth - offsetWidth - 8))}px`;
    tip.style.top = `${event.clientY + 18 + offsetHeight > window.innerHeight ? event.clientY - offsetHeight - 10 : event.clientY + 18}px`;
  }

  function focusLane(entry) {
    if (!entry) return;
    for (const other of lanes) other.node.tabIndex = -1;
    entry.node.tabIndex = 0;
    entry.node.focus({ preventScroll: true });
    tellLane(entry);
  }

  function laneKey(event) {
    const entry = laneOf.get(event.target);
    if (!entry || event.ctrlKey || event.altKey || event.metaKey) return;
    const visible = lanes.filter((one) => one.node.offsetParent).sort((a, b) => (a.node.compareDocumentPosition(b.node) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1));
    const at = visible.indexOf(entry);
    const moves = {
      ArrowLeft: () => seek(entry.stops.filter((stop) => stop < now - 1e-3).at(-1) ?? START),
      ArrowRight: () => seek(entry.stops.find((stop) => stop > now + 1e-3) ?? END),
      ArrowUp: () => focusLane(visible[at - 1]),
      ArrowDown: () => focusLane(visible[at + 1]),
      Home: () => seek(START),
      End: () => seek(END),
    };
    if (!moves[event.key]) return;
    event.preventDefault();
    event.stopPropagation();
    moves[event.key]();
    document.activeElement.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }

  // ---- beside the video: action, why, truth, warnings ----
  function warn(text) {
    $('warnings').hidden = false;
    $('warning-list').append(element('li', {}, text));
  }

  function bar(label, share, value, className = '') {
    return element('li', { className }, element('span', { className: 'label' }, label), element('span', { className: 'bar', '--share': `${(100 * share).toFixed(1)}%` }), element('span', { className: 'value' }, value));
  }

  function buildSide() {
    const numSure = tracks.filter((track) => track.isSure).length;
    $('name').textContent = data.name;
    $('facts').textContent = [timeText(END - START, 1), `${data.video.width} × ${data.video.height}`, `${numSure} ${numSure === 1 ? 'person' : 'persons'}`, `${times.length} parsed frames`].join(' · ');
    $('action').textContent = title(data.verdict_text);
    for (const [name, score] of data.actions.slice(0, FIRST_ACTIONS)) {
      if (name === data.action || score >= 0.005) $('actions').append(bar(words(name), score, percent(100 * score), isAsserted && name === data.action ? 'chosen' : ''));
    }
    buildWhy();
    if (mistakes) buildTruth();
    data.warnings.forEach(warn);
    for (const [label, value] of Object.entries(data.model)) $('model').append(element('div', {}, element('dt', {}, words(label)), element('dd', {}, value)));
  }

  function buildWhy() {
    const reasons = data.reasons.filter((reason) => Math.abs(reason.weight) >= 0.005); // less would read 0.00
    $('why').hidden = !reasons.length && !data.explanation;
    $('explanation').textContent = data.explanation;
    if (!isAsserted) $('why-title').textContent = reasons.length ? `What supports ${words(data.action)}, the closest` : 'Why no action';
    const most = Math.max(...reasons.map((reason) => Math.abs(reason.weight)), 1e-9);
    const listed = { for: 0, against: 0 };
    for (const reason of reasons) {
      const side = reason.weight < 0 ? 'against' : 'for';
      const who = reason.track_id === null ? '' : `Person ${reason.track_id}, `;
      const label = element('button', { type: 'button', className: 'link', title: `${timeText(reason.start_seconds)} to ${timeText(reason.end_seconds)}`, onclick: () => seek(reason.start_seconds) }, `${who}${words(reason.part)}: ${words(reason.state)}`);
      const row = bar(label, Math.abs(reason.weight) / most, `${reason.weight < 0 ? '−' : '+'}${Math.abs(reason.weight).toFixed(2)}`, side);
      row.hidden = ++listed[side] > FIRST_REASONS[side];
      $('reasons').append(row);
    }
    $('why').querySelector('.small').hidden = !reasons.length;
    $('all-reasons').hidden = !$('reasons').querySelector('[hidden]');
    $('all-reasons').textContent = `Show all ${reasons.length}`;
    $('all-reasons').addEventListener('click', () => {
      for (const row of $('reasons').children) row.hidden = false;
      $('all-reasons').hidden = true;
    });
  }

  function buildTruth() {
    const { counts, action } = mistakes;
    const right = isAsserted && action === data.action;
    $('action-truth').append(element('span', { className: `badge ${right ? 'good' : 'bad'}` }, right ? '✓ right' : `✗ the truth is ${words(action)}`));
    const all = counts.right + counts.missed + counts.box + counts.state + counts.both;
    const rows = [['Persons missed', counts.missed_persons], ['Persons false', counts.false_persons], ['Parts right', `${counts.right} of ${all}`],
      ['Parts not found', counts.missed], ['Wrong box', counts.box], ['Wrong state', counts.state], ['Wrong box and state', counts.both]];
    for (const [label, value] of rows) $('counts').append(element('div', {}, element('dt', {}, label), element('dd', {}, String(value))));
    $('rule').textContent = `${mistakes.frames.length} annotated frames; a person is found above an IoU of 0.5, a part at 0.3. Parts of missed persons are not counted.`;
    $('truth').hidden = false;
  }

  // ---- tables ----
  const number = (value, digits = 2) => ({ text: value.toFixed(digits), value });
  const moment = (time) => ({ text: time.toFixed(2), value: time, time });
  const name = (text) => ({ text, value: text });

  const TABLES = {
    Segments: { columns: ['Person', 'Part', 'State', 'Start (s)', 'End (s)', 'Score'], rows: () => tracks.flatMap((track) => PARTS.flatMap((part, k) => track.runs(k).map((run) =>
      [number(track.id, 0), name(words(part)), name(words(run.state)), moment(run.from), moment(run.to), number(run.score / 100)]))) },
    Persons: { columns: ['Person', 'First seen (s)', 'Last seen (s)', 'Frames', 'Mean score'], rows: () => tracks.map((track) =>
      [number(track.id, 0), moment(track.times[0]), moment(track.times[track.length - 1]), number(track.length, 0), number(mean(0, track.length - 1, (row) => track.get(row, 'score')) / 100)]) },
    Frames: { columns: ['Frame', 'Time (s)', 'Person', 'Score', 'Parts', 'States'], rows: () => tracks.flatMap((track) => [...track.times.keys()].map((row) =>
      [number(indices[track.get(row, 'frame')] + 1, 0), moment(track.times[row]), number(track.id, 0), number(track.get(row, 'score') / 100), number(bits(track.get(row, 'found')), 0),
        name(stateLines((k) => track.state(row, k)).map(([text]) => text).join(', '))])) },
  };
  const table = { name: 'Segments', rows: [], sort: 3, down: false, limit: ROWS_AT_ONCE };

  function bits(value) {
    let count = 0;
    for (let rest = value; rest; rest &= rest - 1) count++;
    return count;
  }

  function buildTabs() {
    for (const label of Object.keys(TABLES)) {
      $('tabs').append(element('button', { type: 'button', role: 'tab', id: `tab-${label}`, 'aria-controls': 'panel', onclick: () => openTable(label) }, label));
    }
    $('tabs').addEventListener('keydown', (event) => {
      const labels = Object.keys(TABLES);
      const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (!by) return;
      event.preventDefault();
      event.stopPropagation();
      openTable(labels[(labels.indexOf(table.name) + by + labels.length) % labels.length]);
      $(`tab-${table.name}`).focus();
    });
    openTable('Segments');
  }

  function openTable(label) {
    Object.assign(table, { name: label, rows: TABLES[label].rows(), sort: { Segments: 3, Persons: 0, Frames: 0 }[label], down: false });
    for (const tab of $('tabs').children) {
      const chosen = tab.id === `tab-${label}`;
      tab.setAttribute('aria-selected', String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    $('panel').setAttribute('aria-labelledby', `tab-${label}`);
    fillTable();
  }

  function sortBy(column) {
    table.down = table.sort === column && !table.down;
    table.sort = column;
    fillTable();
    $('table').querySelectorAll('th button')[column].focus();
  }

  function fillTable(limit = ROWS_AT_ONCE) {
    const wanted = $('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = table.rows.filter((row) => {
      const text = row.map((cell) => cell.text).join(' ').toLowerCase();
      return wanted.every((word) => text.includes(word));
    });
    const order = (a, b) => (typeof a === 'number' ? a - b : a.localeCompare(b));
    rows.sort((a, b) => (table.down ? -1 : 1) * order(a[table.sort].value, b[table.sort].value));
    $('table').replaceChildren(element('caption', { className: 'hidden' }, table.name), tableHead(), element('tbody', {}, ...rows.slice(0, limit).map(tableRow)));
    $('found').textContent = `${Math.min(limit, rows.length)} of ${rows.length} rows`;
    table.limit = limit;
    $('more').hidden = limit >= rows.length;
  }

  function tableHead() {
    return element('thead', {}, element('tr', {}, ...TABLES[table.name].columns.map((label, column) => {
      const sorted = column !== table.sort ? 'none' : table.down ? 'descending' : 'ascending';
      return element('th', { scope: 'col', 'aria-sort': sorted }, element('button', { type: 'button', onclick: () => sortBy(column) }, label));
    })));
  }

  function tableRow(cells) {
    return element('tr', {}, ...cells.map((cell) => element('td', { className: typeof cell.value === 'number' ? 'number' : '' },
      cell.time === undefined ? cell.text : element('button', { type: 'button', className: 'link', 'aria-label': `Go to ${cell.text} seconds`, onclick: () => seek(cell.time) }, cell.text))));
  }

  // ---- keys, theme, start ----
  function pageKey(event) {
    const { target, key } = event;
    if (event.ctrlKey || event.altKey || event.metaKey || target.matches('input[type=search], select')) return;
    if (key === ' ' && !target.matches('button, input')) toggle();
    else if (key === 'ArrowLeft') step(-1);
    else if (key === 'ArrowRight') step(1);
    else return;
    event.preventDefault();
  }

  function switchTheme() {
    const dark = $('theme').textContent === 'Dark';
    document.documentElement.style.colorScheme = dark ? 'dark' : 'light';
    $('theme').textContent = dark ? 'Light' : 'Dark';
  }

  function startVideo() {
    const video = $('video');
    $('stage').style.setProperty('--ratio', `${data.video.width} / ${data.video.height}`);
    if (!data.video.source) return withoutVideo('The page has no video: persons are drawn on an empty stage.');
    connect();
    if (video.requestVideoFrameCallback) followFrames();
    video.addEventListener('error', () => withoutVideo('The video cannot be played: it must lie beside this page as video.mp4. Persons are drawn on an empty stage.'), { once: true });
    video.src = data.video.source;
    return show(0);
  }

  buildSide();
  buildSwitches();
  buildLegend();
  buildLanes();
  buildTabs();
  watchLanes();
  startVideo();
  setZoom(1);
  new ResizeObserver(() => { resize(); markRuler(); }).observe($('stage'));
  if (window.matchMedia('(prefers-color-scheme: dark)').matches) $('theme').textContent = 'Light';
  $('theme').addEventListener('click', switchTheme);
  $('play').addEventListener('click', toggle);
  $('back').addEventListener('click', () => step(-1));
  $('forth').addEventListener('click', () => step(1));
  $('speed').addEventListener('change', () => { player.playbackRate = Number($('speed').value); });
  $('sound').hidden = !data.video.sound;
  $('sound').addEventListener('click', () => {
    $('video').muted = !$('video').muted;
    $('sound').setAttribute('aria-pressed', String(!$('video').muted));
  });
  $('show-angles').addEventListener('change', () => { document.body.classList.toggle('with-angles', $('show-angles').checked); fillAngles(); move(); });
  if (REPETITIONS) {
    $('show-angles').checked = true;
    $('show-angles').dispatchEvent(new Event('change'));
  }
  $('show-unsure').addEventListener('change', () => {
    document.body.classList.toggle('with-unsure', $('show-unsure').checked);
    for (const track of tracks) track.show($('show-unsure').checked);
    show(frameTimes[frame] ?? 0);
  });
  $('in').addEventListener('click', () => setZoom(zoom * 2));
  $('out').addEventListener('click', () => setZoom(zoom / 2));
  $('filter').addEventListener('input', () => fillTable());
  $('more').addEventListener('click', () => fillTable(table.limit + ROWS_AT_ONCE));
  document.addEventListener('keydown', pageKey);
})();
