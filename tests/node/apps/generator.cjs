// locate: write=generator.cjs:13 read=generator.cjs:7 object=form.owner
const http = require('http');

function* parts(form) {
  yield 'form of ';
  // by then the form may be another's
  yield form.owner;
}

const form = { owner: null };

http.createServer((req, res) => {
  form.owner = req.headers['x-user'];
  const iterator = parts(form);
  const step = () => {
    const { value, done } = iterator.next();
    if (done) return res.end();
    res.write(String(value));
    setTimeout(step, 25);
  };
  step();
}).listen(process.argv[2], '127.0.0.1');
