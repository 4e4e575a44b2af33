// locate: write=express_settings.cjs:7 read=express_settings.cjs:12 object=app path=/
const express = require('express');

const app = express();

app.use((req, res, next) => {
  app.set('current user', req.get('x-user'));
  next();
});

app.get('/', (req, res) => {
  setTimeout(() => res.send(`hi ${app.get('current user')}`), 40);
});
app.listen(process.argv[2], '127.0.0.1');
