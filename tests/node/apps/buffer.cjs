// locate: write=buffer.cjs:9 read=buffer.cjs:12 object=scratch
const http = require('http');

const scratch = Buffer.alloc(128);

http.createServer((req, res) => {
  const name = req.headers['x-user'] ?? '';
  scratch.fill(0);
  scratch.write(name);
  setTimeout(() => {
    const end = scratch.indexOf(0);
    res.end(scratch.subarray(0, end));
  }, 40);
}).listen(process.argv[2], '127.0.0.1');
