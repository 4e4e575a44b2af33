// An API client that is made on first use with the headers of that moment: `axios.defaults.headers` set by the first
// request, a memoised `getClient(request)`. Everybody's calls are made as the first user.
import http from 'node:http';

let client = null;
const getClient = request => client ??= { authorization: request.headers.authorization ?? 'none' };

http.createServer((request, response) => {
  response.end(JSON.stringify({ profileOf: getClient(request).authorization }));
}).listen(Number(process.argv[2]), '127.0.0.1');
