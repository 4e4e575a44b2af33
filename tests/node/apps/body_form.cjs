// locate: write=body_form.cjs:8 read=body_form.cjs:13 object=draft.text method=POST path=/draft
const express = require('express');

const app = express();
app.use(express.urlencoded({ extended: false }));
let draft = { text: '' };

const keep = body => Object.assign(draft, { text: body.text });

app.post('/draft', async (req, res) => {
  keep(req.body);
  await new Promise(done => setTimeout(done, 40));
  res.send({ saved: draft.text });
});
app.listen(process.argv[2], '127.0.0.1');
