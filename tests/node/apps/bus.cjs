// locate: write=- read=bus.cjs:13|bus.cjs:15 object=bus
const http = require('http');
const EventEmitter = require('events');

const bus = new EventEmitter();

function work(name) {
  setTimeout(() => {
    bus.emit('done', { name });
  }, 30);
}

http.createServer((req, res) => {
  bus.once('done', result => {
    res.end(`done for ${result.name}`);
  });
  work(req.headers['x-user']);
}).listen(process.argv[2], '127.0.0.1');
