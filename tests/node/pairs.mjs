// The simple rule: the first load (or result of a call) in the victim's request that yields the source's canary, and the
// last store into the same object and key before it by another request.
import fs from 'node:fs';
import path from 'node:path';

/** All events of a folder, each process's in order of their numbers (promises are told late). */
export function readEvents(folder) {
  const events = [];
  for (const name of fs.readdirSync(folder).filter(name => name.endsWith('.jsonl')).sort()) {
    const lines = fs.readFileSync(path.join(folder, name), 'utf8').split('\n').filter(Boolean);
    for (const event of lines.map(line => ({ ...JSON.parse(line), process: name })).sort((a, b) => a.n - b.n)) events.push(event);
  }
  return events;
}

const place = event => event && { file: event.file, line: event.line, function: event.function, text: event.text };
// A fragment counts as well: a buffer may keep only a part.
const holds = (event, canary) => event.c?.some(one => one === canary || (one.length >= 12 && canary.includes(one)));
const pathOf = event => event.path === null ? event.key : event.key === null || event.path.endsWith('.' + event.key) ? event.path : `${event.path}.${event.key}`;

/** The pair for a leak of `canary` into the request that brought `victim`: { confidence, write, read, object }. */
export function pair(events, victim, canary, known = {}) {
  const owner = text => events.find(event => event.e === 'request' && event.own.includes(text)) ?? events.find(event => event.e === 'own' && event.own.includes(text));
  // A victim without an identity: who brought nothing and was answered with the canary.
  const nobody = () => events.find(event => event.e === 'request' && !event.own.length && events.some(end => end.e === 'response' && end.process === event.process && end.r === event.r && holds(end, canary)));
  const reader = victim === null ? nobody() : owner(victim);
  const source = owner(known.source ?? canary);
  if (!reader || !source) return { confidence: 'not_located', reason: 'a request was not seen' };
  const inReader = events.filter(event => event.process === reader.process && event.r === reader.r && holds(event, canary));
  const before = (read, stores) => stores.filter(event => event.n < read.n).at(-1);
  const stores = events.filter(event => event.process === reader.process && event.e === 'store' && holds(event, canary) && event.r !== reader.r);

  // A scalar before a container: the load that lies deepest of those at the first place.
  const loads = inReader.filter(event => event.e === 'load' && !event.own_obj && event.obj !== null);
  const found = [];
  for (const read of loads) {
    const same = stores.filter(event => event.obj === read.obj && (event.key === read.key || event.key === null || read.key === null || event.kind === 'call' && read.kind === 'call'));
    const write = before(read, same);
    if (write) found.push({ read, write });
  }
  if (found.length) {
    // A scalar before a container.
    const { read, write } = found.find(({ read }) => !read.values) ?? found[0];
    return { confidence: 'located', write: place(write), read: place(read), object: pathOf(write.path ? write : read), type: read.type };
  }
  // The victim took an object as a whole, in which the source had stored.
  for (const read of inReader.filter(event => event.e === 'load' && event.values)) {
    const write = before(read, stores.filter(event => !event.own_obj && read.values.includes(event.obj)));
    if (write) return { confidence: 'located', write: place(write), read: place(read), object: pathOf(write), type: write.type };
  }
  for (const read of inReader.filter(event => event.e === 'load' && event.obj !== null)) {
    const write = before(read, stores.filter(event => !event.own_obj && event.values?.includes(read.obj)));
    if (write) return { confidence: 'located', write: place(write), read: place(read), object: pathOf(read), type: read.type };
  }
  // What the same stateful callee handed to both.
  for (const read of inReader.filter(event => event.e === 'call' && (event.obj !== null || event.callee_obj !== null))) {
    const same = events.find(event => event.process === reader.process && event.e === 'call' && event.r === source.r && event.callee === read.callee && event.n < read.n
      && (read.obj !== null ? event.obj === read.obj : event.callee_obj === read.callee_obj && holds(event, canary)));
    if (same) return { confidence: 'same_callee', write: place(same), read: place(read), object: read.callee };
  }
  const read = inReader.find(event => !event.late && (event.e === 'load' || event.e === 'call'))   // a promise was loaded before it had a value
    ?? events.find(event => event.process === reader.process && event.r === reader.r && event.e === 'call' && event.args_c.includes(canary));
  if (!read) return { confidence: 'not_located', reason: 'no load of the application yields it' };
  const outliving = stores.filter(event => event.n < read.n && !event.own_obj && event.path !== null).at(-1);
  if (outliving) return { confidence: 'probable', write: place(outliving), read: place(read), object: pathOf(outliving) };
  return { confidence: 'partly', read: place(read), object: read.path ?? read.callee };
}
