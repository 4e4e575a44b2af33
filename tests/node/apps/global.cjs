// locate: write=global.cjs:8 read=global.cjs:10 object=current.email query=email
const http = require('http');

const current = {};
const sleep = ms => new Promise(done => setTimeout(done, ms));
http.createServer(async (req, res) => {
  const url = new URL(req.url, 'http://localhost');
  current.email = url.searchParams.get('email');
  await sleep(40);
  res.end(`Hello ${current.email}\n`);
}).listen(Number(process.argv[2]), '127.0.0.1');
