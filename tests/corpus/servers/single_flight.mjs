// Requests for the same thing at the same time share one call to the backend (a DataLoader or `p-memoize` made once for
// the process; nuxt#5461). The key is the URL; who asked is in a header. `/keyed/` puts that into the key.
import http from 'node:http';

const flying = new Map();

async function backend(user) {
  await new Promise(done => setTimeout(done, 30));
  return { owner: user, balance: 12 };
}

function once(key, call) {
  if (!flying.has(key)) flying.set(key, call().finally(() => flying.delete(key)));
  return flying.get(key);
}

http.createServer(async (request, response) => {
  const user = request.headers.authorization ?? 'nobody';
  const key = request.url.startsWith('/keyed') ? `${request.url} ${user}` : request.url;
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(await once(key, () => backend(user))));
}).listen(Number(process.argv[2]), '127.0.0.1');
