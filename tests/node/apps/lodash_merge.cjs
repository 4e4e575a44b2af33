// locate: write=lodash_merge.cjs:9 read=lodash_merge.cjs:14 object=defaults.query.user
const http = require('http');
const _ = require('lodash');

const defaults = { query: { user: 'nobody' }, retries: 3 };

async function call(headers) {
  // `merge` changes its first argument
  const options = _.merge(defaults, { query: { user: headers['x-user'] } });
  return ask(options);
}
async function ask(options) {
  await new Promise(done => setTimeout(done, 40));
  return `asked as ${options.query.user}`;
}

http.createServer(async (req, res) => res.end(await call(req.headers))).listen(process.argv[2], '127.0.0.1');
