// An arena of request objects that are used again, as fast servers and games do it: 16 of them, handed out in turn, or
// from a list of those that are free, which grows when it is empty.
import http from 'node:http';

const SIZE = 16;
const arena = Array.from({ length: SIZE }, () => ({ user: null }));
const free = Array.from({ length: SIZE }, () => ({ user: null }));
let next = 0;

const pause = ms => new Promise(done => setTimeout(done, ms));

async function arenaPage(user) {
  const slot = arena[next++ % SIZE];           // whether or not its last request has ended
  slot.user = user;
  await pause(40);
  return slot.user;
}

async function freeListPage(user) {
  const slot = free.pop() ?? { user: null };
  slot.user = user;
  await pause(40);
  const seen = slot.user;
  free.push(slot);
  return seen;
}

http.createServer(async (request, response) => {
  const page = request.url.startsWith('/arena') ? arenaPage : freeListPage;
  const user = await page(request.headers['x-user'] ?? 'guest');
  response.end(JSON.stringify({ user }));
}).listen(Number(process.argv[2]), '127.0.0.1');
