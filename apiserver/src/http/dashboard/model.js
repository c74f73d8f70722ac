// What there is, and what it means, as far as it can be said without a page and without a network.

/** How each kind of pod is called in the legend, in this order. */
export const TONES = {
  running: 'running and ready', unready: 'not ready', pending: 'on its way', done: 'completed',
  failed: 'in trouble', ending: 'terminating', unknown: 'unknown',
};

/** The colour of a pod, from what `kubectl get pods` shows of it. */
export function tone(pod) {
  const [ready, all] = pod.ready.split('/');
  if (pod.status === 'Running') return ready === all ? 'running' : 'unready';
  if (pod.status === 'Completed' || pod.status === 'Succeeded') return 'done';
  if (pod.status === 'Terminating') return 'ending';
  if (pod.status === 'Unknown' || pod.status === 'NodeLost') return 'unknown';
  const waits = ['Pending', 'ContainerCreating', 'PodInitializing', 'SchedulingGated', 'NotReady'];
  return waits.includes(pod.status) || /^Init:\d+\/\d+$/.test(pod.status) ? 'pending' : 'failed';
}

/** How a node looks: it is lost, takes no new pods, or is well. */
export function mood(node) {
  const states = node.status.split(',');
  return states.includes('NotReady') || states.includes('Unknown') ? 'lost' : states.includes('SchedulingDisabled') ? 'closed' : 'well';
}

/** The places of columns, by their names in small letters. */
export function columns(table) {
  return Object.fromEntries((table.columnDefinitions ?? []).map((column, at) => [column.name.toLowerCase(), at]));
}

/** The columns that say what an object is like, as far as a narrow table shows them. */
export function telling(table) {
  const names = (table.columnDefinitions ?? []).filter(column => column.priority === 0).map(column => column.name.toLowerCase());
  return names.filter(name => !['name', 'age', 'created at'].includes(name));
}

/** A row of a Table: its cells by the names of their columns, and who it is. */
export function record(row, places) {
  const metadata = row.object?.metadata ?? {};
  const cells = Object.fromEntries(Object.entries(places).map(([name, at]) => [name, String(row.cells[at] ?? '')]));
  return {
    ...cells, name: metadata.name ?? cells.name, namespace: metadata.namespace ?? '', uid: metadata.uid ?? '',
    revision: Number(metadata.resourceVersion ?? 0), owners: (metadata.ownerReferences ?? []).map(owner => owner.uid),
  };
}

/** The node of a pod; none if it has none. */
export function place(pod) {
  return pod.node && pod.node !== '<none>' ? pod.node : '';
}

/** How many pods there are of each colour, in one line. */
export function summary(nodes, pods) {
  const lost = nodes.filter(node => mood(node) === 'lost').length;
  const count = pods.reduce((sum, pod) => sum.set(tone(pod), (sum.get(tone(pod)) ?? 0) + 1), new Map());
  const tones = Object.keys(TONES).filter(name => count.get(name)).map(name => `${count.get(name)} ${TONES[name]}`);
  const what = tones.length ? `: ${tones.join(', ')}` : '';
  return `${nodes.length} nodes${lost ? `, ${lost} of them lost` : ''}; ${pods.length} pods${what}`;
}

/** What tells a reader nothing about an apply. */
export const NOISE = ['leases', 'events', 'endpoints', 'configmaps', 'serviceaccounts', 'controllerrevisions'];
/** What is applied, and makes or is pods. */
export const WORKLOADS = ['deployments', 'statefulsets', 'daemonsets', 'replicasets', 'replicationcontrollers', 'jobs', 'cronjobs', 'pods'];
/** For how long the story of an apply is told, in microseconds. */
export const STORY = 60e6;

/**
 * The story of an apply: a row for the object and for each that was made for it, with the moments at which it changed.
 * `frames` are changes in the order of revisions: { at, resource, type, uid, owners, name, label, tone }.
 */
export function story(frames, root) {
  const rows = new Map();
  const begin = frames.find(frame => frame.uid === root)?.at ?? 0;
  for (const frame of frames) {
    const ours = frame.uid === root || rows.has(frame.uid) || frame.owners.some(owner => rows.has(owner));
    if (!ours || frame.at - begin > STORY) continue;
    if (!rows.has(frame.uid)) rows.set(frame.uid, { title: `${frame.resource}/${frame.name}`, marks: [] });
    const { marks } = rows.get(frame.uid);
    const label = frame.type === 'DELETED' ? 'gone' : frame.label;
    if (marks.at(-1)?.label !== label) marks.push({ at: frame.at - begin, label, tone: frame.tone });
  }
  const all = [...rows.values()];
  return { rows: all, length: Math.max(1, ...all.map(row => row.marks.at(-1).at)) };
}

/** The last object that was made and that nobody made for another, of those in the account; or none. */
export function candidates(changes) {
  const last = new Map();
  for (const change of changes) {
    if (change.type === 'ADDED' && WORKLOADS.includes(change.resource)) last.set(change.resource, change);
  }
  return [...last.values()].sort((a, b) => b.revision - a.revision);
}

/** The path of a resource, below a namespace if one is given, and of one object if that is. */
export function path(apiVersion, resource, namespace, name) {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return root + (namespace ? `/namespaces/${namespace}` : '') + `/${resource}` + (name ? `/${name}` : '');
}

/** The YAML of an object as `kubectl get -o yaml` shows it: without the account of who manages which field. */
export function shown(yaml) {
  return yaml.replace(/^  managedFields:\n(?:  - .*\n|    .*\n)*/m, '');
}

/** Microseconds, for a person. */
export function time(microseconds) {
  return microseconds < 1e6 ? `${Math.round(microseconds / 1000)} ms` : `${(microseconds / 1e6).toFixed(1)} s`;
}

/** Rows of text in columns. */
export function layout(lines) {
  const widths = lines.reduce((widest, line) => line.map((cell, at) => Math.max(widest[at] ?? 0, cell.length)), []);
  return lines.map(line => line.map((cell, at) => (at < line.length - 1 ? cell.padEnd(widths[at] + 3) : cell)).join('')).join('\n');
}
