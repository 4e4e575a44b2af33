// locate: write=context.mjs:9 read=context.mjs:10 object=context connection=kept path=/enter
import http from 'node:http';
import { AsyncLocalStorage } from 'node:async_hooks';

const context = new AsyncLocalStorage();

http.createServer((request, response) => {
  const name = request.headers['x-user'];
  if (name) context.enterWith({ name });
  response.end(`hello ${context.getStore()?.name}`);
}).listen(process.argv[2], '127.0.0.1');
