// locate: write=environment.cjs:5 read=environment.cjs:7 object=process.env.TENANT
const http = require('http');

http.createServer(async (req, res) => {
  process.env.TENANT = req.headers['x-user'];
  await new Promise(done => setTimeout(done, 40));
  res.end('tenant ' + process.env.TENANT);
}).listen(process.argv[2], '127.0.0.1');
