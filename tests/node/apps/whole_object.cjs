// locate: write=whole_object.cjs:10 read=whole_object.cjs:12|whole_object.cjs:15 object=profile.contact.name
const http = require('http');

const state = { profile: { contact: { name: 'nobody' } }, visits: 0 };
const pause = () => new Promise(done => setTimeout(done, 40));

http.createServer(async (req, res) => {
  const { profile: { contact } } = state;
  state.visits++;
  contact.name = req.headers['x-user'];
  await pause();
  const { profile } = state;
  // as a whole
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify({ ...profile, visits: state.visits }));
}).listen(process.argv[2], '127.0.0.1');
