// locate: write=express_locals.cjs:8 read=express_locals.cjs:13 object=app.locals.user path=/me
const express = require('express');

const app = express();
app.use(express.json());

app.use((req, res, next) => {
  req.app.locals.user = req.get('x-user');
  next();
});

function render(req) {
  return `<p>${req.app.locals.user}</p>`;
}

app.get('/me', (req, res) => {
  setTimeout(() => res.send(render(req)), 40);
});

app.listen(process.argv[2], '127.0.0.1');
