// The page: asks the server, keeps what it hears, and shows what has changed once a frame.

import * as model from './model.js';

const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const PAGE = 500;
/** With more nodes than this everything is smaller. */
const DENSE = 60;
/** How many rows a story has at most. */
const ROWS = 40;
/** How far back the account of changes is read at first. */
const REMEMBERED = 5000;
/** How many changes of one resource a story is made of at most: its first. */
const REPLAYED = 3000;

const nodes = new Map();
const pods = new Map();
const boxes = new Map();
const cells = new Map();
const dirty = { nodes: new Set(), pods: new Set() };
const order = new Intl.Collator('en', { numeric: true });
const $ = id => document.getElementById(id);

async function ask(path, accept) {
  const answer = await fetch(path, { headers: { Accept: accept } });
  if (!answer.ok) throw Object.assign(new Error(`${path}: ${answer.status}`), { status: answer.status });
  return answer;
}

/** The lines of an answer that goes on, as they come. */
async function* lines(answer) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const all = (rest + value).split('\n');
      rest = all.pop();
      yield* all;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Keeps `known` as the server has it, for ever. */
async function follow(path, known, changed) {
  for (;;) {
    try {
      const seen = new Set();
      let revision = '', token = '', places = {};
      do {
        const page = await (await ask(`${path}?limit=${PAGE}&continue=${encodeURIComponent(token)}`, TABLE)).json();
        places = page.columnDefinitions ? model.columns(page) : places;
        for (const row of page.rows ?? []) seen.add(take(row, places, known, changed));
        ({ resourceVersion: revision, continue: token = '' } = page.metadata);
      } while (token);
      for (const uid of [...known.keys()].filter(uid => !seen.has(uid))) drop(uid, known, changed);
      trouble('');
      for await (const line of lines(await ask(`${path}?watch=true&resourceVersion=${revision}`, TABLE))) {
        const event = JSON.parse(line);
        if (event.type === 'ERROR') break;
        for (const row of event.object.rows ?? []) {
          if (event.type === 'DELETED') drop(row.object.metadata.uid, known, changed);
          else take(row, places, known, changed);
        }
      }
    } catch (error) {
      trouble(`The API server does not answer (${error.message}); it is asked again.`);
    }
    await new Promise(done => setTimeout(done, 1000));
  }
}

function take(row, places, known, changed) {
  const record = model.record(row, places);
  known.set(record.uid, record);
  changed.add(record.uid);
  show();
  return record.uid;
}

function drop(uid, known, changed) {
  known.delete(uid);
  changed.add(uid);
  show();
}

function trouble(text) {
  $('trouble').textContent = text;
  $('trouble').hidden = !text;
}

let waiting = false;
function show() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    dirty.nodes.forEach(showNode);
    dirty.pods.forEach(showPod);
    dirty.nodes.clear();
    dirty.pods.clear();
    $('summary').textContent = model.summary([...nodes.values()], [...pods.values()]);
    document.body.classList.toggle('dense', nodes.size > DENSE);
    tell();
  });
}

/** The box of a node by name, made if it is not there: a pod may be heard of before its node. */
function box(name) {
  let found = boxes.get(name);
  if (!found) {
    found = document.createElement('section');
    const title = document.createElement('button');
    const cells = document.createElement('div');
    title.type = 'button';
    cells.className = 'pods';
    found.append(title, cells);
    found.className = name ? 'node' : 'node none';
    found.dataset.name = name;
    if (name) Object.assign(title.dataset, { path: model.path('v1', 'nodes', '', name), about: name });
    title.textContent = name || 'no node yet';
    boxes.set(name, found);
    const next = [...$('nodes').children].find(other => order.compare(other.dataset.name, name) > 0);
    $('nodes').insertBefore(found, next ?? null);
  }
  return found;
}

function showNode(uid) {
  const node = nodes.get(uid);
  if (!node) {
    const names = new Set([...nodes.values()].map(node => node.name));
    for (const [name, box] of boxes) if (name && !names.has(name)) tidy(name, box);
    return;
  }
  const found = box(node.name);
  found.className = `node ${model.mood(node)}`;
  const [title] = found.children;
  title.dataset.uid = node.uid;
  title.title = `${node.name}: ${node.status}`;
  title.textContent = `${node.name} `;
  const status = document.createElement('small');
  status.textContent = node.status;
  title.append(status);
}

/** A box without a node and without pods goes. */
function tidy(name, box) {
  if (box.children[1].children.length === 0) {
    box.remove();
    boxes.delete(name);
  }
}

function showPod(uid) {
  const pod = pods.get(uid);
  let cell = cells.get(uid);
  const from = cell?.parentElement?.parentElement;
  if (!pod) {
    cell?.remove();
    cells.delete(uid);
  } else {
    if (!cell) {
      cell = document.createElement('button');
      cell.type = 'button';
      cells.set(uid, cell);
      Object.assign(cell.dataset, { path: model.path('v1', 'pods', pod.namespace, pod.name), about: pod.name, uid });
    }
    const about = `${pod.namespace}/${pod.name}: ${pod.status}, ready ${pod.ready}, restarts ${pod.restarts}`;
    cell.className = `pod ${model.tone(pod)}`;
    cell.title = about;
    cell.setAttribute('aria-label', about);
    const home = box(model.place(pod)).children[1];
    if (cell.parentElement !== home) home.append(cell);
  }
  if (from && from.dataset.name === '') tidy('', from);
}

// --- One object, whole ---------------------------------------------------------------------------------------------------------

async function open(target) {
  const { path, about, uid } = target.dataset;
  document.querySelectorAll('.chosen').forEach(other => other.classList.remove('chosen'));
  target.classList.add('chosen');
  $('detail').hidden = false;
  $('detail-title').textContent = about;
  const text = ask(path, 'application/yaml').then(answer => answer.text());
  const events = ask(`/api/v1/events?fieldSelector=${encodeURIComponent(`involvedObject.uid=${uid}`)}`, 'application/json').then(answer => answer.json());
  $('detail-yaml').textContent = await text.then(model.shown, error => error.message);
  $('detail-events').textContent = await events.then(told, error => error.message);
}

function told(list) {
  const when = event => event.lastTimestamp ?? event.eventTime ?? event.metadata.creationTimestamp;
  const all = list.items.sort((a, b) => when(a).localeCompare(when(b)));
  const rows = all.map(event => [event.type ?? '', event.reason ?? '', `x${event.count ?? 1}`, event.source?.component ?? event.reportingComponent ?? '', event.message ?? '']);
  return rows.length ? model.layout([['TYPE', 'REASON', 'COUNT', 'FROM', 'MESSAGE'], ...rows]) : 'None.';
}

function close() {
  $('detail').hidden = true;
  document.querySelectorAll('.chosen').forEach(other => other.classList.remove('chosen'));
}

// --- The last apply ------------------------------------------------------------------------------------------------------------

const account = { changes: [], after: -1, told: -1, busy: false, again: false, roots: new Map(), replays: new Map() };

/** Tells the story of the last apply anew, if anything has happened; one telling at a time. */
async function tell() {
  if (account.busy) {
    account.again = true;
    return;
  }
  account.busy = true;
  try {
    do {
      account.again = false;
      await update();
      await new Promise(done => setTimeout(done, 500));
    } while (account.again);
  } catch (error) {
    console.warn(error);
  } finally {
    account.busy = false;
  }
}

async function update() {
  if (account.after < 0) {
    const now = await (await ask('/api/v1/namespaces?limit=1', 'application/json')).json();
    account.after = Math.max(0, Number(now.metadata.resourceVersion) - REMEMBERED);
  }
  const { items } = await (await ask(`/components/apiserver/changes?after=${account.after}`, 'application/json')).json();
  account.after = items.at(-1)?.revision ?? account.after;
  account.changes = [...account.changes, ...items.filter(change => !model.NOISE.includes(change.resource))].slice(-REMEMBERED);
  const root = await lastApplied();
  const since = root ? account.changes.filter(change => change.revision >= root.revision && change.namespace === root.namespace) : [];
  const newest = since.at(-1)?.revision ?? -1;
  if (!root || newest === account.told) return;
  account.told = newest;
  const kinds = new Map();
  for (const change of since) kinds.set(`${change.apiVersion} ${change.resource}`, [...(kinds.get(`${change.apiVersion} ${change.resource}`) ?? []), change]);
  const replays = [...kinds].map(([kind, changes]) => replayed(kind, changes.slice(0, REPLAYED), root.revision));
  const frames = (await Promise.all(replays)).flat().sort((a, b) => a.revision - b.revision);
  draw(root, model.story(frames, root.uid));
}

/** The last thing that was applied: the newest workload that no other owns. */
async function lastApplied() {
  for (const change of model.candidates(account.changes)) {
    const key = `${change.resource}/${change.namespace}/${change.name}/${change.revision}`;
    if (!account.roots.has(key)) {
      const path = model.path(change.apiVersion, change.resource, change.namespace, change.name);
      const object = await ask(path, 'application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io').then(answer => answer.json(), () => null);
      const owned = !object || (object.metadata.ownerReferences ?? []).length > 0;
      account.roots.set(key, owned ? null : { ...change, uid: object.metadata.uid });
    }
    const root = account.roots.get(key);
    if (root) return root;
  }
  return null;
}

/** As `replay`, but only once for the same changes. */
async function replayed(kind, changes, begin) {
  const known = account.replays.get(kind);
  const last = changes.at(-1).revision;
  if (known?.begin === begin && known.last === last) return known.frames;
  const frames = await replay(changes, begin - 1);
  account.replays.set(kind, { begin, last, frames });
  return frames;
}

/** These changes of one resource with what the objects looked like, from a watch that begins in the past. */
async function replay(changes, after) {
  const { apiVersion, resource, namespace } = changes[0];
  const times = new Map(changes.map(change => [change.revision, change.at]));
  const last = changes.at(-1).revision;
  const frames = [];
  let places = {}, telling = [];
  const answer = await ask(`${model.path(apiVersion, resource, namespace)}?watch=true&resourceVersion=${after}&timeoutSeconds=5`, TABLE);
  for await (const line of lines(answer)) {
    const event = JSON.parse(line);
    if (event.type === 'ERROR') break;
    if (event.object.columnDefinitions) [places, telling] = [model.columns(event.object), model.telling(event.object)];
    for (const row of event.object.rows ?? []) {
      const { name, uid, owners, revision, ...cells } = model.record(row, places);
      const isPod = resource === 'pods';
      const where = isPod ? model.place(cells) : '';
      const label = isPod ? `${cells.status}${where ? ` on ${where}` : ''}` : telling.map(column => `${column} ${cells[column]}`).join(', ');
      frames.push({ revision, at: times.get(revision) ?? 0, type: event.type, resource, name, uid, owners, label, tone: isPod ? model.tone(cells) : '' });
      if (revision >= last) return frames;
    }
  }
  return frames;
}

function draw(root, story) {
  $('story').hidden = story.rows.length === 0;
  $('story-title').textContent = `${root.resource}/${root.name}`;
  const rows = story.rows.slice(0, ROWS).map(({ title, marks }) => {
    const [row, name, bar, time] = ['li', 'span', 'div', 'span'].map(tag => document.createElement(tag));
    [name.className, bar.className, time.className] = ['name', 'bar', 'time'];
    name.textContent = name.title = title;
    time.textContent = model.time(marks.at(-1).at);
    marks.forEach((mark, at) => {
      const part = document.createElement('i');
      const end = marks[at + 1]?.at ?? story.length;
      part.className = mark.tone;
      part.title = `${model.time(mark.at)}: ${mark.label}`;
      part.style.left = `${(100 * mark.at) / story.length}%`;
      if (mark.tone) part.style.width = `${(100 * (end - mark.at)) / story.length}%`;
      bar.append(part);
    });
    row.append(name, bar, time);
    return row;
  });
  $('story-rows').replaceChildren(...rows);
}

// --- Begin ---------------------------------------------------------------------------------------------------------------------

for (const [name, text] of Object.entries(model.TONES)) {
  const entry = document.createElement('li');
  entry.className = name;
  entry.textContent = text;
  $('legend').append(entry);
}
document.addEventListener('click', event => {
  const target = event.target.closest('[data-path]');
  if (target) open(target);
});
$('close').addEventListener('click', close);
document.addEventListener('keydown', event => event.key === 'Escape' && close());
follow('/api/v1/nodes', nodes, dirty.nodes);
follow('/api/v1/pods', pods, dirty.pods);
