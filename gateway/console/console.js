'use strict';

// -- asking the door

const byId = (id) => document.getElementById(id);
let token = sessionStorage.getItem('penstock-token') || '';

class Refused extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function ask(path, options = {}) {
  const headers = new Headers(options.headers);
  if (token) headers.set('Authorization', `Bearer ${token}`);
  const reply = await fetch(path, { ...options, headers, cache: 'no-store', credentials: 'omit', redirect: 'error' });
  if (reply.ok) return reply;
  let message = `${reply.status} ${reply.statusText}`;
  try { message = (await reply.json()).error.message; } catch { /* not one of ours */ }
  if (reply.status === 401) askForToken(token ? 'That token was refused.' : undefined);
  throw new Refused(reply.status, message);
}

function askForToken(why) {
  const dialog = byId('token-dialog');
  if (why) byId('token-why').textContent = why;
  if (!dialog.open) { byId('token').value = ''; dialog.showModal(); }
}

byId('token-button').addEventListener('click', () => askForToken());
byId('token-dialog').addEventListener('close', () => {
  const given = byId('token').value.trim();
  byId('token').value = '';
  if (!given) return;
  token = given;
  sessionStorage.setItem('penstock-token', token);
  for (const card of cards.values()) card.stop();
  refreshState();
  refreshJobs();
  readEvents();
});

// -- making elements; text is only ever set as text

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value; else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const cell = (text, numeric) => make('td', { className: numeric ? 'n' : '' }, text);
const number = (value, digits = 0) => value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });
const percent = (share) => `${Math.round(share * 100)} %`;

function fillTable(id, rows, columns) {
  byId(id).replaceChildren(...(rows.length ? rows
    : [make('tr', {}, make('td', { colSpan: columns, className: 'empty' }, 'None.'))]));
}

function seconds(s) {
  if (s >= 3600) return `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
  if (s >= 60) return `${Math.floor(s / 60)} min ${Math.floor(s % 60)} s`;
  return `${number(s, s < 10 ? 1 : 0)} s`;
}

// -- streams

function indexOf(bytes, wanted, from = 0) {
  outer: for (let i = from; i + wanted.length <= bytes.length; ++i) {
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

class StreamCard {
  constructor(id) {
    this.id = id;
    this.state = make('span', { className: 'dim' });
    this.image = make('img', { alt: `Live preview of ${id} with boxes`, hidden: true });
    this.facts = make('dl');
    this.button = make('button', { type: 'button', 'aria-pressed': 'false' }, 'Watch');
    this.button.addEventListener('click', () => { if (this.watching) this.stop(); else this.watch(); });
    this.remove = make('button', { type: 'button', hidden: true }, 'Remove');
    this.remove.addEventListener('click', () => change(`/v1/streams/${encodeURIComponent(id)}`, 'DELETE'));
    this.note = make('p', { role: 'status', className: 'bad' });
    this.element = make('article', { className: 'card', 'aria-label': `Stream ${id}`, 'data-stream': id },
      make('h3', {}, `${id} `, this.state), this.image, this.facts, this.button, ' ', this.remove, this.note);
    this.watching = null;
  }

  show(s) {
    this.state.textContent = `${s.policy}, ${s.state}`;
    this.remove.hidden = !s.removable;
    const facts = [['Frames/s', number(s.frames_per_s, 1)], ['Latency p50', `${number(s.latency_p50_ms)} ms`],
      ['Latency p99', `${number(s.latency_p99_ms)} ms`], ['Delivered', number(s.delivered)], ['In flight', number(s.in_flight)]];
    for (const [reason, count] of Object.entries(s.dropped)) if (count) facts.push([`Dropped: ${reason}`, number(count)]);
    this.facts.replaceChildren(...facts.flatMap(([name, value]) =>
      [make('dt', {}, name), make('dd', { 'data-fact': name }, value)]));
  }

  async watch() {
    const controller = new AbortController();
    this.watching = controller;
    this.button.setAttribute('aria-pressed', 'true');
    this.note.textContent = '';
    try {
      const reply = await ask(`/v1/streams/${encodeURIComponent(this.id)}/preview.mjpeg`, { signal: controller.signal });
      for await (const picture of picturesOf(reply)) {
        if (this.watching !== controller) break;
        const before = this.image.src;
        this.image.src = URL.createObjectURL(picture);
        this.image.hidden = false;
        if (before) URL.revokeObjectURL(before);
      }
    } catch (e) {
      if (this.watching === controller) this.note.textContent = e.message;
    }
    if (this.watching === controller) this.stop();
  }

  stop() {
    if (this.watching) this.watching.abort();
    this.watching = null;
    this.button.setAttribute('aria-pressed', 'false');
  }
}

const cards = new Map();
let watchedOnce = false;

function showStreams(streams) {
  byId('streams-empty').hidden = streams.length > 0;
  const present = new Set(streams.map((s) => s.id));
  for (const [id, card] of cards) {
    if (present.has(id)) continue;
    card.stop();
    card.element.remove();
    cards.delete(id);
  }
  for (const s of streams) {
    if (!cards.has(s.id)) {
      const card = new StreamCard(s.id);
      cards.set(s.id, card);
      byId('stream-cards').append(card.element);
    }
    cards.get(s.id).show(s);
  }
  // The first one moves without being asked to; others cost the server an encoder each.
  if (!watchedOnce && streams.length) {
    watchedOnce = true;
    cards.get(streams[0].id).watch();
  }
  fillTable('ledger-rows', streams.map((s) => {
    const dropped = Object.values(s.dropped).reduce((a, b) => a + b, 0);
    const balanced = s.received === s.delivered + dropped + s.in_flight;
    return make('tr', { 'data-stream': s.id }, cell(s.id), cell(number(s.received), true), cell(number(s.delivered), true),
      cell(number(dropped), true), cell(number(s.in_flight), true),
      make('td', { className: balanced ? 'good' : 'bad' }, balanced ? '✓ balances' : '✗ does not balance'));
  }), 6);
}

// -- state

function showState(s) {
  byId('pipeline').textContent = s.pipeline;
  byId('about').textContent = [s.version && `version ${s.version}`, s.model, s.engine, s.device, `up ${seconds(s.uptime_s)}`]
    .filter(Boolean).join(' · ');
  byId('status').textContent = s.draining ? 'Drains: takes no more work' : 'Takes work';
  byId('status').className = s.draining ? 'bad' : 'good';
  showStreams(s.streams);
  fillTable('worker-rows', s.workers.map((w) => make('tr', { 'data-worker': w.name }, cell(w.name), cell(w.state),
    cell(w.stages.join(', ')), cell(w.device), make('td', { className: 'n' },
      make('meter', { min: 0, max: 1, value: w.load, 'aria-hidden': 'true' }), ` ${percent(w.load)}`),
    cell(number(w.leases), true), cell(number(w.credit), true), cell(seconds(w.heard_s), true))), 8);
  fillTable('stage-rows', s.stages.map((g) => make('tr', {}, cell(g.name), cell(number(g.items_per_s, 1), true),
    cell(percent(g.utilisation), true), cell(number(g.queue), true))), 4);
}

let stateTimer = 0;
async function refreshState() {
  clearTimeout(stateTimer);
  try {
    showState(await (await ask('/v1/state')).json());
  } catch (e) {
    byId('status').textContent = e instanceof Refused ? e.message : `Not reached: ${e.message}`;
    byId('status').className = 'bad';
    if (e.status === 401) return; // goes on with the next token
  }
  stateTimer = setTimeout(refreshState, document.hidden ? 10000 : 1000);
}
document.addEventListener('visibilitychange', () => { if (!document.hidden) refreshState(); });

// -- jobs

async function change(path, method) {
  try {
    await ask(path, { method });
    byId('jobs-note').textContent = '';
  } catch (e) {
    byId('jobs-note').textContent = e.message;
  }
  refreshJobs();
  refreshState();
}

function jobRow(j) {
  const path = `/v1/jobs/${encodeURIComponent(j.id)}`;
  const button = (text, go) => {
    const b = make('button', { type: 'button', 'aria-label': `${text} job ${j.id}` }, text);
    b.addEventListener('click', go);
    return b;
  };
  const progress = j.frames_total
    ? [make('progress', { max: j.frames_total, value: j.frames_done, 'aria-hidden': 'true' }), ` ${number(j.frames_done)} of ${number(j.frames_total)}`]
    : [`${number(j.frames_done)} frames`];
  const actions = make('td');
  if (j.state === 'queued' || j.state === 'running') actions.append(button('Cancel', () => change(path, 'DELETE')));
  if (j.state === 'dead') actions.append(button('Queue again', () => change(`${path}/requeue`, 'POST')));
  return make('tr', { 'data-job': j.id }, cell(j.name || j.id), cell(j.state), make('td', {}, ...progress),
    cell(`${j.attempts}/${j.max_attempts}`, true), cell(j.eta_s === null ? '' : seconds(j.eta_s), true),
    make('td', { className: 'bad' }, j.error), actions);
}

let jobsTimer = 0;
async function refreshJobs() {
  clearTimeout(jobsTimer);
  let pause = 3000;
  try {
    const [recent, dead] = await Promise.all(['/v1/jobs?limit=20', '/v1/jobs?state=dead&limit=20']
      .map(async (path) => (await (await ask(path)).json()).jobs));
    fillTable('job-rows', recent.map(jobRow), 7);
    fillTable('dead-rows', dead.map(jobRow), 7);
  } catch (e) {
    byId('jobs-note').textContent = e.message;
    if (e.status === 401) return;
    if (e.status === 501) pause = 60000;
  }
  jobsTimer = setTimeout(refreshJobs, pause);
}

// -- events

let eventsReader = null;
async function readEvents() {
  if (eventsReader) eventsReader.abort();
  const controller = new AbortController();
  eventsReader = controller;
  const note = byId('events-note');
  try {
    const reply = await ask('/v1/events?kind=stream,worker,job', { signal: controller.signal });
    note.textContent = '';
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
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
    note.textContent = e.message;
    if (e.status === 501 || e.status === 401) return;
  }
  if (eventsReader === controller) setTimeout(() => { if (eventsReader === controller) readEvents(); }, 3000);
}

function showEvent(block) {
  const kind = /^event: (.*)$/m.exec(block);
  const data = /^data: (.*)$/m.exec(block);
  if (!kind || !data) return;
  const list = byId('event-list');
  list.prepend(make('li', {}, `${new Date().toLocaleTimeString()} ${kind[1]} ${data[1]}`));
  while (list.children.length > 30) list.lastChild.remove();
  if (kind[1] === 'job') refreshJobs();
}

// -- a picture

const colours = ['#ff5a36', '#00b3a4', '#ffb000', '#7a5cff', '#2f9e44', '#e64980'];

function draw(bitmap, found) {
  const canvas = byId('canvas');
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  canvas.hidden = false;
  const pen = canvas.getContext('2d');
  pen.drawImage(bitmap, 0, 0);
  const width = Math.max(2, bitmap.width / 300);
  pen.lineWidth = width;
  pen.font = `${Math.max(12, bitmap.width / 50)}px system-ui, sans-serif`;
  pen.textBaseline = 'top';
  for (const o of found.objects) {
    const colour = colours[Math.abs(o.class) % colours.length];
    const [x, y, w, h] = o.box;
    const text = `${o.label} ${percent(o.score)}`;
    pen.strokeStyle = pen.fillStyle = colour;
    pen.strokeRect(x, y, w, h);
    pen.fillRect(x, y, pen.measureText(text).width + 4 * width, Math.max(12, bitmap.width / 50) * 1.3);
    pen.fillStyle = '#000';
    pen.fillText(text, x + 2 * width, y + width);
  }
}

async function detect(file) {
  const status = byId('picture-status');
  status.className = '';
  status.textContent = `Looking at ${file.name || 'the picture'} …`;
  byId('objects').replaceChildren();
  try {
    const began = performance.now();
    const reply = await ask('/v1/detect', { method: 'POST', body: file, headers: { Accept: 'application/json' } });
    const found = await reply.json();
    // As it is coded, for the boxes are in those pixels.
    draw(await createImageBitmap(file, { imageOrientation: 'none' }).catch(() => createImageBitmap(file)), found);
    status.textContent = `${found.objects.length} ${found.objects.length === 1 ? 'object' : 'objects'} in ${number(performance.now() - began)} ms`;
    byId('objects').replaceChildren(...found.objects.map((o) =>
      make('li', {}, `${o.label}, ${percent(o.score)}, at ${o.box.map((v) => Math.round(v)).join(', ')}`)));
  } catch (e) {
    status.className = 'bad';
    status.textContent = e.message;
  }
}

const drop = byId('drop');
byId('file').addEventListener('change', (e) => { if (e.target.files[0]) detect(e.target.files[0]); });
for (const kind of ['dragenter', 'dragover']) {
  document.addEventListener(kind, (e) => { e.preventDefault(); drop.classList.add('over'); });
}
document.addEventListener('dragleave', (e) => { if (!e.relatedTarget) drop.classList.remove('over'); });
document.addEventListener('drop', (e) => {
  e.preventDefault();
  drop.classList.remove('over');
  if (e.dataTransfer.files[0]) detect(e.dataTransfer.files[0]);
});
document.addEventListener('paste', (e) => { if (e.clipboardData.files[0]) detect(e.clipboardData.files[0]); });

refreshState();
refreshJobs();
readEvents();
