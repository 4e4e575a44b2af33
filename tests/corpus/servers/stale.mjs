// A module variable that is set by whoever signs in and read at once, with no pause between: clean for all who carry a
// session, and a stranger's name for those who do not.
import http from 'node:http';

let account = { name: 'guest' };

http.createServer((request, response) => {
  const session = /session=([^;]+)/.exec(request.headers.cookie ?? '');
  if (session) account = { name: session[1] };
  response.setHeader('content-type', 'text/html');
  response.end(`<nav>${account.name}</nav>`);
}).listen(Number(process.argv[2]), '127.0.0.1');
