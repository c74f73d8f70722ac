// Runs the page of the dashboard against a server, on as much of a document as it uses, and prints what it shows: one line of JSON whenever asked.
//
//   node page.mjs http://127.0.0.1:6443 path/to/main.js
//
// A line on standard input is a question: `show`, or `click TEXT` for the button whose name is TEXT.

import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

const [server, script] = process.argv.slice(2);

class Element {
  constructor(tag) {
    Object.assign(this, { tag, children: [], parentElement: null, dataset: {}, style: {}, className: '', title: '', hidden: false, listeners: {}, text: '' });
    this.classList = {
      toggle: (name, on) => (this.classes = on ? [...new Set([...this.classes, name])] : this.classes.filter(other => other !== name)),
      add: name => this.classList.toggle(name, true),
      remove: name => this.classList.toggle(name, false),
    };
  }
  get classes() { return this.className.split(' ').filter(Boolean); }
  set classes(names) { this.className = names.join(' '); }
  get textContent() { return this.text + this.children.map(child => child.textContent).join(''); }
  set textContent(text) { this.children = []; this.text = text; }
  append(...children) { children.forEach(child => this.insertBefore(child, null)); }
  insertBefore(child, next) {
    child.remove();
    child.parentElement = this;
    this.children.splice(next ? this.children.indexOf(next) : this.children.length, 0, child);
  }
  remove() {
    if (this.parentElement) this.parentElement.children = this.parentElement.children.filter(other => other !== this);
    this.parentElement = null;
  }
  replaceChildren(...children) { this.children = []; this.append(...children); }
  setAttribute(name, value) { this[name] = value; }
  addEventListener(kind, listener) { (this.listeners[kind] ??= []).push(listener); }
  closest() { return this.dataset.path ? this : this.parentElement?.closest() ?? null; }
  all() { return [this, ...this.children.flatMap(child => child.all())]; }
}

const ids = {};
const body = new Element('body');
for (const id of ['summary', 'legend', 'trouble', 'story', 'story-title', 'story-rows', 'nodes', 'detail', 'close', 'detail-title', 'detail-events', 'detail-yaml']) {
  ids[id] = new Element(id);
  body.append(ids[id]);
}
ids.story.hidden = ids.detail.hidden = true;
globalThis.document = Object.assign(body, {
  body, createElement: tag => new Element(tag), getElementById: id => ids[id],
  querySelectorAll: selector => body.all().filter(element => element.classes.includes(selector.slice(1))),
});
globalThis.requestAnimationFrame = callback => setTimeout(callback, 16);
const real = globalThis.fetch;
globalThis.fetch = (path, options) => real(server + path, options);

await import(pathToFileURL(script));

function shown() {
  const nodes = ids.nodes.children.map(({ className, children: [title, pods] }) => ({ className, title: title.textContent, pods: pods.children.map(pod => `${pod.title} [${pod.className}]`) }));
  const story = ids['story-rows'].children.map(({ children: [name, bar] }) => ({ name: name.textContent, marks: bar.children.map(mark => mark.title) }));
  const text = id => ids[id].textContent;
  return {
    nodes, story, title: text('story-title'), summary: text('summary'), dense: body.classes.includes('dense'), legend: ids.legend.children.length,
    trouble: text('trouble'), detail: ids.detail.hidden ? null : { title: text('detail-title'), events: text('detail-events'), yaml: text('detail-yaml') },
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  const [verb, ...rest] = line.split(' ');
  if (verb === 'click') {
    const target = body.all().find(element => element.dataset.about === rest.join(' '));
    if (target) body.listeners.click.forEach(listener => listener({ target }));
  }
  console.log(JSON.stringify(shown()));
}
process.exit(0);
