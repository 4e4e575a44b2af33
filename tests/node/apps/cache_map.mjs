// locate: write=cache_map.mjs:16 read=cache_map.mjs:13 object=cache
import http from 'node:http';

const cache = new Map();

async function profile(user) {
  await new Promise(done => setTimeout(done, 20));
  return { user, plan: 'free' };
}

async function cached(request) {
  const key = request.url;
  const known = cache.get(key);
  if (known) return known;
  const fresh = await profile(request.headers['x-user']);
  cache.set(key, fresh);
  return fresh;
}

http.createServer(async (request, response) => {
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(await cached(request)));
}).listen(process.argv[2], '127.0.0.1');
