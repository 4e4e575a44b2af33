// locate: write=map_values.mjs:9 read=map_values.mjs:13|map_values.mjs:14|map_values.mjs:15 object=online
import http from 'node:http';

const online = new Map();
let count = 0;

const handler = async (request, response) => {
  const name = request.headers['x-user'] ?? 'nobody';
  online.set(++count, { name, since: Date.now() });
  await new Promise(done => setTimeout(done, 40));
  // everybody's names
  let list = '';
  const all = [...online.values()];
  for (const { name: other } of all) {
    list += other + '\n';
  }
  response.end(list);
};

http.createServer(handler).listen(process.argv[2], '127.0.0.1');
