// locate: write=memo_promise.mjs:13 read=memo_promise.mjs:13 object=settings
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

async function fetchSettings(user) {
  await sleep(20);
  return { theme: 'dark', owner: user };
}

let settings;

function getSettings(user) {
  settings ??= fetchSettings(user);
  return settings;
}

http.createServer(async (request, response) => {
  const mine = await getSettings(request.headers['x-user']);
  response.end(JSON.stringify(mine));
}).listen(process.argv[2], '127.0.0.1');
