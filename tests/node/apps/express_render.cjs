// locate: write=express_render.cjs:14 read=express_render.cjs:6|express_render.cjs:10|express_render.cjs:18 object=app.locals.user path=/
const express = require('express');
const path = require('path');

const app = express();
app.engine('txt', (file, options, done) => done(null, `welcome ${options.user}`));
app.set('view engine', 'txt');
app.set('views', __dirname);
app.set('view', class { constructor(name, options) { Object.assign(this, options); this.path = name; this.name = name; }
  render(options, done) { options.engines; setTimeout(() => this.engines['.txt'](this.path, options, done), 30); } });

app.use((req, res, next) => {
  const user = req.get('x-user');
  if (user) app.locals.user = user;
  next();
});
app.get('/', (req, res) => {
  res.render('page');
});
app.listen(process.argv[2], '127.0.0.1');
