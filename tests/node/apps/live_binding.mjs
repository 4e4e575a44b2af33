// locate: write=state.mjs:5 read=live_binding.mjs:9 object=currentUser
import http from 'node:http';
import { currentUser, signIn } from './state.mjs';

const handle = async (request, response) => {
  const name = request.headers['x-user'];
  if (name) signIn(name);
  await new Promise(done => setTimeout(done, 40));
  response.end('signed in as ' + currentUser);
};

http.createServer(handle).listen(process.argv[2], '127.0.0.1');
