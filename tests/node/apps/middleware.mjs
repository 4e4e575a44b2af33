// locate: write=middleware.mjs:17 read=middleware.mjs:22 object=session.user
import http from 'node:http';

class Chain {
  #steps = [];
  use(step) { this.#steps.push(step); return this; }
  handle = (request, response) => {
    const steps = this.#steps.values();
    const next = () => { const { value: step, done } = steps.next(); if (!done) step(request, response, next); };
    next();
  };
}

const session = { user: null };
const chain = new Chain()
  .use((request, response, next) => {
    session.user = request.headers['x-user'];
    next();
  })
  .use((request, response, next) => setTimeout(next, 40))
  .use((request, response) => {
    response.end(`session of ${session.user}`);
  });

http.createServer(chain.handle).listen(process.argv[2], '127.0.0.1');
