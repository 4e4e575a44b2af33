// `AsyncLocalStorage.enterWith` sets the store for whatever follows in this asynchronous context. Node runs all requests of
// a connection in one (nodejs#41978): a request that sets none finds that of the request before. `run` ends with the call.
import http from 'node:http';
import { AsyncLocalStorage } from 'node:async_hooks';

const store = new AsyncLocalStorage();

async function page(response) {
  await new Promise(done => setTimeout(done, 2));
  response.end(`<p>Hello, ${store.getStore()?.user ?? 'guest'}</p>`);
}

http.createServer((request, response) => {
  const user = request.headers['x-user'];
  if (request.url.startsWith('/run/')) return store.run(user ? { user } : undefined, page, response);
  if (user) store.enterWith({ user });
  return page(response);
}).listen(Number(process.argv[2]), '127.0.0.1');
