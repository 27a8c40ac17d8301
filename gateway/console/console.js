'use strict';

const byId = (id) => document.getElementById(id);

// -- asking the door

let token = sessionStorage.getItem('penstock-token') || '';

class Refused extends Error {
  constructor(status, message, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter; // seconds
  }
}

async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  const used = token;
  if (used) headers.set('Authorization', `Bearer ${used}`);
  const reply = await fetch(path, { ...options, headers, cache: 'no-store', credentials: 'omit', redirect: 'error' });
  if (reply.ok) return reply;
  let message = `${reply.status} ${reply.statusText}`;
  try { message = (await reply.json()).error.message; } catch { /* not one of ours */ }
  if (reply.status === 401 && used === token) askForToken(used ? 'That token was refused.' : undefined);
  throw new Refused(reply.status, message, Number(reply.headers.get('Retry-After')) || 0);
}

const reasonOf = (error) => (error.status === 401 ? 'Waits for a token' : error.message);

// How long to wait after a failure, in ms; 0: until there is a token.
function pauseAfter(error) {
  if (error.status === 401) return 0;
  if (error.status === 403 || error.status === 501) return 60000; // needs another token, or another topology
  return Math.max(3000, 1000 * (error.retryAfter || 0));
}

// Asks the door again and again while somebody sees the page. `work` returns the pause in ms.
class Poll {
  constructor(work, failed) {
    this.work = work;
    this.failed = failed;
  }

  async now() {
    this.stop();
    const running = this.running = new AbortController();
    const patience = setTimeout(() => running.abort(new Error('no answer within 10 s')), 10000);
    let pause;
    try {
      pause = await this.work(running.signal);
    } catch (e) {
      if (this.running === running) this.failed(e);
      pause = pauseAfter(e);
    }
    clearTimeout(patience);
    if (this.running === running && pause) this.timer = setTimeout(() => this.now(), pause);
  }

  stop() {
    clearTimeout(this.timer);
    if (this.running) this.running.abort();
    this.running = null;
  }
}

// -- the token

function askForToken(why = 'This Penstock asks for a token.') {
  const dialog = byId('token-dialog');
  say('token-why', `${why} It stays in this tab.`);
  if (dialog.open) return;
  dialog.returnValue = '';
  byId('token').value = '';
  dialog.showModal();
}

byId('token-button').addEventListener('click', () => askForToken('Whoever asks with a token may do what it allows.'));
byId('token-dialog').addEventListener('close', (e) => {
  const given = byId('token').value.trim();
  byId('token').value = '';
  const wish = e.target.returnValue;
  if (wish === 'use' && /[^\x21-\x7e]/.test(given)) return askForToken('That cannot be a token.');
  if (wish !== 'forget' && !(wish === 'use' && given)) return;
  token = wish === 'use' ? given : '';
  if (token) sessionStorage.setItem('penstock-token', token); else sessionStorage.removeItem('penstock-token');
  pauseAll();
  goOn();
});

// -- making elements; what comes from outside is only ever set as text

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value; else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// Only where it changes, so that selections stay and nothing is read out again.
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function say(id, text, className) {
  setText(byId(id), text);
  if (className !== undefined) byId(id).className = className;
}

function number(value, digits = 0) {
  return value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

const percent = (share) => `${Math.round(share * 100)} %`;
const sum = (counts) => Object.values(counts).reduce((a, b) => a + b, 0);

function byReason(counts) {
  return Object.entries(counts).filter(([, n]) => n).map(([why, n]) => `${why} ${number(n)}`).join(', ');
}

function seconds(s) {
  if (s >= 3600) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  if (s >= 60) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  return `${number(s, s < 10 ? 1 : 0)} s`;
}

const milliseconds = (ms) => (ms < 10000 ? `${number(ms)} ms` : seconds(ms / 1000));

const moods = {
  running: 'good', working: 'good', done: 'good', failed: 'bad', dead: 'bad', silent: 'bad', connecting: 'warn', warming: 'warn',
  draining: 'warn',
};

function setState(element, state) {
  setText(element, state);
  element.className = `state ${moods[state] || ''}`;
}

// Terms and values that are kept from one state to the next.
function fillTerms(list, facts) {
  const wanted = facts.map(([name]) => name);
  if (wanted.join('\n') !== [...list.querySelectorAll('dt')].map((t) => t.textContent).join('\n')) {
    list.replaceChildren(...wanted.map((name) =>
      make('div', {}, make('dt', {}, name), make('dd', { 'data-fact': name }))));
  }
  const values = list.querySelectorAll('dd');
  facts.forEach(([, value, className], i) => {
    setText(values[i], value);
    values[i].className = className || '';
  });
}

// Rows are kept, too: who stands on a button with the keyboard still does after the next answer. A column has a title
// and says what a cell shows: `text(item)`, or `draw(cell, item)` for more than text. Roles are stated, since narrow
// screens show rows as blocks, which for assistive technology would be no table any more.
class Table {
  constructor(id, key, columns) {
    this.key = key;
    this.columns = columns;
    this.rows = new Map();
    this.body = make('tbody', { role: 'rowgroup' });
    this.none = make('tr', { role: 'row' },
      make('td', { role: 'cell', colSpan: columns.length, className: 'empty' }, 'None.'));
    const titles = columns.map((c) =>
      make('th', { role: 'columnheader', scope: 'col', className: c.numeric ? 'n' : '' }, c.title));
    byId(id).setAttribute('role', 'table');
    byId(id).append(make('thead', { role: 'rowgroup' }, make('tr', { role: 'row' }, ...titles)), this.body);
  }

  show(items) {
    const present = new Set(items.map(this.key));
    for (const [key, row] of this.rows) {
      if (present.has(key)) continue;
      row.remove();
      this.rows.delete(key);
    }
    items.forEach((item, i) => {
      const row = this.rowOf(item);
      if (this.body.children[i] !== row) this.body.insertBefore(row, this.body.children[i] || null);
      this.columns.forEach((c, n) => {
        const cell = row.children[n];
        if (c.draw) c.draw(cell, item); else setText(cell, c.text(item));
      });
    });
    if (items.length) this.none.remove(); else this.body.append(this.none);
  }

  rowOf(item) {
    const key = this.key(item);
    if (!this.rows.has(key)) {
      const cells = this.columns.map((c, i) => make(i ? 'td' : 'th', {
        role: i ? 'cell' : 'rowheader',
        className: `${c.numeric ? 'n' : ''} ${c.className || ''}`,
        'data-title': c.title,
      }));
      this.rows.set(key, make('tr', { role: 'row', 'data-key': key }, ...cells));
    }
    return this.rows.get(key);
  }
}

function drawState(cell, item) {
  if (!cell.firstChild) cell.append(make('span'));
  setState(cell.firstChild, item.state);
}

function drawBar(cell, value, max, text) {
  if (!cell.firstChild) cell.append(make('progress', { 'aria-hidden': 'true' }), make('span'));
  const [bar, words] = cell.children;
  bar.hidden = !max;
  bar.max = max || 1;
  bar.value = Math.min(value, bar.max);
  setText(words, text);
}

// -- streams

function indexOf(bytes, wanted) {
  outer: for (let i = 0; i + wanted.length <= bytes.length; ++i) {
    for (let j = 0; j < wanted.length; ++j) if (bytes[i + j] !== wanted[j]) continue outer;
    return i;
  }
  return -1;
}

const endOfHead = [13, 10, 13, 10];

// The pictures of a multipart body. An <img> could show them, but could not send a token.
async function* picturesOf(reply) {
  const reader = reply.body.getReader();
  let bytes = new Uint8Array(0);
  for (;;) {
    const head = indexOf(bytes, endOfHead);
    const length = head < 0 ? null : /content-length: *(\d+)/i.exec(new TextDecoder().decode(bytes.subarray(0, head)));
    const begin = head + 4;
    if (length && bytes.length >= begin + Number(length[1])) {
      const end = begin + Number(length[1]);
      yield new Blob([bytes.slice(begin, end)], { type: 'image/jpeg' });
      bytes = bytes.slice(end);
      continue;
    }
    const { done, value } = await reader.read();
    if (done) return;
    const joined = new Uint8Array(bytes.length + value.length);
    joined.set(bytes);
    joined.set(value, bytes.length);
    bytes = joined;
  }
}

// The frames/s of the last minute or so.
class Curve {
  constructor() {
    this.values = [];
    this.element = byId('curve').content.firstElementChild.cloneNode(true);
    this.line = this.element.firstElementChild;
  }

  add(value) {
    this.values = [...this.values.slice(-60), value];
    const top = Math.max(...this.values) || 1;
    const first = 61 - this.values.length;
    const points = this.values.map((v, i) => `${first + i},${20 - 18 * v / top}`);
    this.line.setAttribute('points', [`${first},21`, ...points, '61,21'].join(' '));
  }
}

// Browsers open six connections to a server. Events take one, and others must stay free for all else.
const mostWatched = 3;
const watching = [];
const hasEnded = (state) => state === 'ended' || state === 'failed';

class StreamCard {
  constructor(id) {
    this.id = id;
    this.path = `/v1/streams/${encodeURIComponent(id)}`;
    this.watched = false; // somebody wants to see it
    this.controller = null; // of the pictures that come
    this.retryAt = 0;
    this.state = make('span');
    this.policy = make('span', { className: 'dim' });
    this.image = make('img', { alt: `Live preview of ${id} with boxes`, hidden: true });
    this.hint = make('p', { className: 'hint' });
    this.screen = make('div', { className: 'screen' }, this.image, this.hint);
    this.facts = make('dl', { className: 'facts' });
    this.drops = make('p', { className: 'drops' });
    this.curve = new Curve();
    this.button = make('button', { type: 'button' });
    this.button.addEventListener('click', () => (this.watched ? this.leave() : this.watch()));
    this.remove = make('button', { type: 'button', hidden: true, 'aria-label': `Remove ${id}` }, 'Remove');
    this.remove.addEventListener('click', () => {
      if (confirm(`Remove the stream ${id}?`)) change(this.path, 'DELETE', 'streams-note');
    });
    this.element = make('article', { className: 'card', 'aria-label': `Stream ${id}`, 'data-stream': id },
      make('h3', {}, make('span', {}, id), this.state, this.policy), this.screen,
      make('div', {}, this.facts, this.curve.element, this.drops,
        make('p', { className: 'actions' }, this.button, this.remove)));
    this.showWatched();
  }

  show(s) {
    this.ended = hasEnded(s.state);
    setState(this.state, s.state);
    setText(this.policy, s.policy);
    this.remove.hidden = !s.removable;
    this.button.disabled = this.ended;
    fillTerms(this.facts, [
      ['Frames/s', number(s.frames_per_s, 1)],
      ['Latency p50', milliseconds(s.latency_p50_ms)],
      ['Latency p99', milliseconds(s.latency_p99_ms)],
      ['Delivered', number(s.delivered)],
      ['In flight', number(s.in_flight)],
      ['Dropped', number(sum(s.dropped)), sum(s.dropped) ? 'warn' : ''],
    ]);
    setText(this.drops, sum(s.dropped) ? `Dropped: ${byReason(s.dropped)}` : '');
    this.curve.add(s.frames_per_s);
    if (this.ended && !this.controller) {
      if (this.watched) this.leave();
      setText(this.hint, s.state === 'failed' ? 'It has failed' : 'It has ended');
    } else if (this.watched && performance.now() >= this.retryAt) {
      this.play();
    }
  }

  watch() {
    this.watched = true;
    watching.push(this);
    if (watching.length > mostWatched) watching[0].leave();
    this.play();
  }

  leave() {
    this.watched = false;
    watching.splice(watching.indexOf(this), 1);
    this.pause();
  }

  pause() {
    if (this.controller) this.controller.abort();
    this.controller = null;
    this.showWatched();
  }

  showWatched() {
    const wish = this.watched ? 'Stop watching' : 'Watch';
    setText(this.button, wish);
    this.button.setAttribute('aria-label', `${wish} ${this.id}`);
    this.screen.classList.toggle('moving', Boolean(this.controller) && !this.image.hidden);
    setText(this.hint, this.ended ? 'It has ended' : this.watched ? 'Waiting for a frame …' : 'Not watched');
  }

  async play() {
    if (this.controller || this.ended) return;
    const controller = this.controller = new AbortController();
    this.showWatched();
    let trouble = '';
    try {
      const reply = await ask(`${this.path}/preview.mjpeg`, { signal: controller.signal });
      for await (const picture of picturesOf(reply)) {
        if (this.controller !== controller) return;
        this.showPicture(picture);
      }
    } catch (e) {
      trouble = e.message;
      this.retryAt = performance.now() + (pauseAfter(e) || Infinity);
    }
    if (this.controller !== controller) return;
    if (!trouble) this.retryAt = performance.now() + 1000;
    this.pause();
    if (trouble) setText(this.hint, trouble);
  }

  showPicture(picture) {
    const before = this.image.src;
    this.image.src = URL.createObjectURL(picture);
    this.image.hidden = false;
    this.screen.classList.add('moving');
    if (before) URL.revokeObjectURL(before);
  }
}

const cards = new Map();

const ledgerTable = new Table('ledger-table', (s) => s.id, [
  { title: 'Stream', text: (s) => s.id },
  { title: 'Received', numeric: true, text: (s) => number(s.received) },
  { title: 'Delivered', numeric: true, text: (s) => number(s.delivered) },
  { title: 'Dropped', numeric: true, text: (s) => number(sum(s.dropped)) },
  { title: 'In flight', numeric: true, text: (s) => number(s.in_flight) },
  { title: 'Dropped for', className: 'long', text: (s) => byReason(s.dropped) },
  {
    title: 'Balance',
    draw: (cell, s) => {
      const balances = s.received === s.delivered + sum(s.dropped) + s.in_flight;
      setText(cell, balances ? '✓ balances' : '✗ does not balance');
      cell.className = balances ? 'good' : 'bad';
    },
  },
]);

function showStreams(streams) {
  byId('streams-empty').hidden = streams.length > 0;
  const present = new Set(streams.map((s) => s.id));
  for (const [id, card] of cards) {
    if (present.has(id)) continue;
    if (card.watched) card.leave();
    card.element.remove();
    cards.delete(id);
  }
  for (const s of streams) {
    if (!cards.has(s.id)) {
      const card = new StreamCard(s.id);
      cards.set(s.id, card);
      byId('stream-cards').append(card.element);
      // The first ones move without being asked to; each costs the server an encoder.
      if (watching.length < mostWatched && !hasEnded(s.state)) card.watch();
    }
    cards.get(s.id).show(s);
  }
}

// -- state

const workerTable = new Table('worker-table', (w) => w.name, [
  { title: 'Worker', text: (w) => w.name },
  { title: 'State', draw: drawState },
  { title: 'Load', draw: (cell, w) => drawBar(cell, w.load, 1, percent(w.load)) },
  { title: 'Leases', numeric: true, text: (w) => number(w.leases) },
  { title: 'Credit', numeric: true, text: (w) => number(w.credit) },
  { title: 'Heard', numeric: true, text: (w) => (w.heard_s ? `${seconds(w.heard_s)} ago` : 'now') },
  { title: 'Stages', className: 'long', text: (w) => w.stages.join(', ') },
  { title: 'Device', className: 'long', text: (w) => w.device },
]);

const stageTable = new Table('stage-table', (g) => g.name, [
  { title: 'Stage', text: (g) => g.name },
  { title: 'Frames/s', numeric: true, text: (g) => number(g.items_per_s, 1) },
  { title: 'Busy', draw: (cell, g) => drawBar(cell, g.utilisation, 1, percent(g.utilisation)) },
  { title: 'Waiting', numeric: true, text: (g) => number(g.queue) },
]);

function showSummary(s) {
  const total = (of) => s.streams.reduce((all, stream) => all + of(stream), 0);
  const share = (some, all) => (some === all ? number(all) : `${number(some)} of ${number(all)}`);
  const open = s.streams.filter((stream) => !hasEnded(stream.state)).length;
  const failed = s.streams.some((stream) => stream.state === 'failed');
  const working = s.workers.filter((w) => w.state === 'working').length;
  fillTerms(byId('summary'), [
    ['Streams', share(open, s.streams.length), failed ? 'bad' : ''],
    ['Frames/s', number(total((stream) => stream.frames_per_s), 1)],
    ['In flight', number(total((stream) => stream.in_flight))],
    ['Delivered', number(total((stream) => stream.delivered))],
    ['Dropped', number(total((stream) => sum(stream.dropped)))],
    ['Workers', share(working, s.workers.length), working < s.workers.length ? 'warn' : ''],
  ]);
}

function showState(s) {
  setText(byId('pipeline'), s.pipeline);
  document.title = `Penstock ${s.pipeline}`;
  say('about', [s.version && `version ${s.version}`, s.model, s.engine, s.device, `up ${seconds(s.uptime_s)}`]
    .filter(Boolean).join(' · '));
  say('status', s.draining ? 'Drains: takes no more work' : 'Takes work', s.draining ? 'warn' : 'good');
  document.body.classList.remove('stale');
  showSummary(s);
  showStreams(s.streams);
  ledgerTable.show([...s.streams, ...(s.others || [])]);
  workerTable.show(s.workers);
  stageTable.show(s.stages);
}

const statePoll = new Poll(async (signal) => {
  showState(await (await ask('/v1/state', { signal })).json());
  return 1000;
}, (e) => {
  document.body.classList.add('stale');
  say('status', e instanceof Refused ? reasonOf(e) : `Not reached: ${e.message}`, 'bad');
});

// -- jobs

async function change(path, method, note) {
  try {
    await ask(path, { method });
    say(note, '');
  } catch (e) {
    say(note, e.message, 'bad');
  }
  jobsPoll.now();
  statePoll.now();
}

function drawAction(cell, j) {
  const path = `/v1/jobs/${encodeURIComponent(j.id)}`;
  const name = j.name || j.id;
  const open = j.state === 'queued' || j.state === 'running';
  const action = open ? 'Cancel' : j.state === 'dead' ? 'Queue again' : '';
  if (cell.textContent === action) return;
  cell.replaceChildren();
  if (!action) return;
  const button = make('button', { type: 'button', 'aria-label': `${action}: ${name}` }, action);
  button.addEventListener('click', () => {
    if (!open) change(`${path}/requeue`, 'POST', 'jobs-note');
    else if (confirm(`Cancel the job ${name}?`)) change(path, 'DELETE', 'jobs-note');
  });
  cell.append(button);
}

function drawJob(cell, j) {
  setText(cell, j.name || j.id);
  cell.title = j.id;
}

const attempts = { title: 'Attempts', numeric: true, text: (j) => `${j.attempts} of ${j.max_attempts}` };
const jobTable = new Table('job-table', (j) => j.id, [
  { title: 'Job', className: 'long', draw: drawJob },
  { title: 'State', draw: drawState },
  {
    title: 'Progress',
    draw: (cell, j) => drawBar(cell, j.frames_done, j.frames_total,
      j.frames_total ? `${number(j.frames_done)} of ${number(j.frames_total)}` : `${number(j.frames_done)} frames`),
  },
  { title: 'Left', numeric: true, text: (j) => (j.eta_s === null ? '' : seconds(j.eta_s)) },
  { title: 'Dropped for', className: 'long', text: (j) => byReason(j.dropped) },
  attempts,
  { title: 'Worker', text: (j) => j.worker },
  { title: 'Error', className: 'long bad', text: (j) => j.error },
  { title: 'Do', draw: drawAction },
]);

const deadTable = new Table('dead-table', (j) => j.id, [
  { title: 'Job', className: 'long', draw: drawJob },
  { title: 'Since', text: (j) => (j.finished ? new Date(j.finished).toLocaleString() : '') },
  attempts,
  { title: 'Error', className: 'long bad', text: (j) => j.error },
  { title: 'Do', draw: drawAction },
]);

const jobsPoll = new Poll(async (signal) => {
  const list = async (filter) => (await (await ask(`/v1/jobs?limit=20${filter}`, { signal })).json()).jobs;
  const recent = await list('');
  const dead = await list('&state=dead');
  byId('jobs-there').hidden = false;
  if (byId('jobs-note').dataset.from === 'list') say('jobs-note', '');
  byId('jobs-note').dataset.from = '';
  jobTable.show(recent);
  deadTable.show(dead);
  return 2000;
}, (e) => {
  const noJobs = e.status === 501;
  byId('jobs-there').hidden = noJobs;
  byId('jobs-note').dataset.from = 'list';
  say('jobs-note', reasonOf(e), noJobs ? 'dim' : 'bad');
});

// -- events

let eventsReader = null;
let eventsTimer = 0;

async function readEvents() {
  stopEvents();
  const controller = eventsReader = new AbortController();
  let pause = 3000;
  try {
    const reply = await ask('/v1/events?kind=stream,worker,job', { signal: controller.signal });
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    byId('events-note').hidden = byId('event-list').children.length > 0;
    say('events-note', 'None yet.');
    let text = '';
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
      const blocks = text.split('\n\n');
      text = blocks.pop();
      for (const block of blocks) showEvent(block);
    }
  } catch (e) {
    if (eventsReader !== controller) return;
    byId('events-note').hidden = false;
    say('events-note', reasonOf(e));
    pause = pauseAfter(e);
  }
  if (eventsReader === controller && pause) eventsTimer = setTimeout(readEvents, pause);
}

function stopEvents() {
  clearTimeout(eventsTimer);
  if (eventsReader) eventsReader.abort();
  eventsReader = null;
}

function wordsOf(data) {
  const { stream, worker, job, ...rest } = data;
  const values = Object.entries(rest).map(([name, value]) => {
    const text = value !== null && typeof value === 'object' ? byReason(value) || 'none' : String(value);
    return name === 'state' || name === 'news' ? text : `${name} ${text}`;
  });
  return `${stream ?? worker ?? job ?? ''} ${values.join(', ')}`;
}

function showEvent(block) {
  const kind = /^event: (.*)$/m.exec(block);
  const data = /^data: (.*)$/m.exec(block);
  if (!kind || !data) return;
  const list = byId('event-list');
  list.prepend(make('li', {}, make('time', {}, new Date().toLocaleTimeString()), make('b', {}, kind[1]),
    make('span', {}, wordsOf(JSON.parse(data[1])))));
  while (list.children.length > 30) list.lastChild.remove();
  byId('events-note').hidden = true;
  if (kind[1] === 'job') jobsPoll.now();
}

// -- a picture

const colours = ['#ff7a59', '#19c3b2', '#ffb000', '#a99bff', '#5fd068', '#ff8fb8'];

// A JPEG's pixels as they are coded, for the boxes are in those: browsers turn them as the camera wishes, whatever they
// are asked for, so its wishes (APP1) are renamed to something that nobody reads (APP12).
async function decode(file) {
  const bytes = new Uint8Array(await file.arrayBuffer());
  const wordAt = (i) => bytes[i] * 256 + bytes[i + 1];
  const [jpeg, app1, scan] = [0xffd8, 0xffe1, 0xffda];
  if (wordAt(0) !== jpeg) return createImageBitmap(file);
  for (let at = 2; at + 4 < bytes.length && bytes[at] === 0xff && wordAt(at) !== scan; at += 2 + wordAt(at + 2)) {
    if (wordAt(at) === app1) bytes[at + 1] = 0xec;
  }
  return createImageBitmap(new Blob([bytes], { type: 'image/jpeg' }));
}

function draw(bitmap, found) {
  const canvas = byId('canvas');
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.hidden = false;
  const pixel = bitmap.width / (canvas.clientWidth || bitmap.width); // of the screen, in pixels of the picture
  const pen = canvas.getContext('2d');
  pen.drawImage(bitmap, 0, 0);
  pen.lineWidth = 2 * pixel;
  pen.font = `${13 * pixel}px system-ui, sans-serif`;
  pen.textBaseline = 'middle';
  for (const o of found.objects) {
    const [x, y, w, h] = o.box;
    const text = `${o.label} ${percent(o.score)}`;
    const width = pen.measureText(text).width + 8 * pixel;
    const height = 18 * pixel;
    const left = Math.max(0, Math.min(x, bitmap.width - width));
    const top = y >= height ? y - height : y;
    pen.strokeStyle = pen.fillStyle = colours[Math.abs(o.class) % colours.length];
    pen.strokeRect(x, y, w, h);
    pen.fillRect(left, top, width, height);
    pen.fillStyle = '#000';
    pen.fillText(text, left + 4 * pixel, top + height / 2);
  }
}

let looks = 0;

async function detect(file) {
  const look = ++looks;
  say('picture-status', `Looking at ${file.name || 'the picture'} …`, '');
  byId('objects').replaceChildren();
  byId('canvas').hidden = true;
  try {
    const began = performance.now();
    const reply = await ask('/v1/detect', { method: 'POST', body: file, headers: { Accept: 'application/json' } });
    const found = await reply.json();
    const took = performance.now() - began;
    const bitmap = await decode(file);
    if (look !== looks) return; // there is a newer one
    draw(bitmap, found);
    const count = found.objects.length;
    say('picture-status', `${number(count)} ${count === 1 ? 'object' : 'objects'} in ${milliseconds(took)}`);
    byId('objects').replaceChildren(...found.objects.map((o) =>
      make('li', {}, `${o.label}, ${percent(o.score)}, at ${o.box.map((v) => Math.round(v)).join(', ')}`)));
  } catch (e) {
    if (look === looks) say('picture-status', e.message, 'bad');
  }
}

const drop = byId('drop');
const hasFiles = (e) => e.dataTransfer.types.includes('Files');
byId('file').addEventListener('change', (e) => { if (e.target.files[0]) detect(e.target.files[0]); });
for (const kind of ['dragenter', 'dragover']) {
  document.addEventListener(kind, (e) => {
    if (!hasFiles(e)) return;
    e.preventDefault();
    drop.classList.add('over');
  });
}
document.addEventListener('dragleave', (e) => { if (!e.relatedTarget) drop.classList.remove('over'); });
document.addEventListener('drop', (e) => {
  if (!hasFiles(e)) return;
  e.preventDefault();
  drop.classList.remove('over');
  if (!e.dataTransfer.files[0]) return;
  byId('picture').scrollIntoView();
  detect(e.dataTransfer.files[0]);
});
document.addEventListener('paste', (e) => { if (e.clipboardData.files[0]) detect(e.clipboardData.files[0]); });

// -- while somebody sees it

function goOn() {
  statePoll.now();
  jobsPoll.now();
  readEvents();
  for (const card of watching) card.play();
}

function pauseAll() {
  statePoll.stop();
  jobsPoll.stop();
  stopEvents();
  for (const card of cards.values()) {
    card.pause();
    card.retryAt = 0;
  }
}

document.addEventListener('visibilitychange', () => { if (document.hidden) pauseAll(); else goOn(); });
if (!document.hidden) goOn();
