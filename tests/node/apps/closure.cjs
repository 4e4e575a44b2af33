// locate: write=closure.cjs:8 read=closure.cjs:12 object=last
const http = require('http');

function makeHandler() {
  let last = 'nobody';
  return {
    remember(req) {
      if (req.headers['x-user']) last = req.headers['x-user'];
    },
    async greet(res) {
      await new Promise(done => setTimeout(done, 40));
      res.end(`hello ${last}`);
    },
  };
}

const handler = makeHandler();
http.createServer((req, res) => {
  handler.remember(req);
  handler.greet(res);
}).listen(process.argv[2], '127.0.0.1');
