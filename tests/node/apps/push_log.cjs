// locate: write=push_log.cjs:8 read=push_log.cjs:11 object=messages
const http = require('http');

const messages = [];

http.createServer((req, res) => {
  const name = req.headers['x-user'];
  messages.push(`order of ${name}`);
  while (messages.length > 20) messages.shift();
  setTimeout(() => {
    res.end(messages.join('\n'));
  }, 40);
}).listen(process.argv[2], '127.0.0.1');
