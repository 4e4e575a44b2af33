// locate: write=for_of.cjs:8 read=for_of.cjs:11|for_of.cjs:12 object=notes
const http = require('http');
const { once } = require('events');

const notes = new Set();

http.createServer(async (req, res) => {
  notes.add(`note of ${req.headers['x-user']}`);
  await once(setTimeout(() => {}, 1) && new (require('events'))(), 'x', { signal: AbortSignal.timeout(30) }).catch(() => {});
  const lines = [];
  for (const note of notes) {
    lines.push(note);
  }
  res.end(lines.join('\n'));
}).listen(process.argv[2], '127.0.0.1');
