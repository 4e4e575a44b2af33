// locate: write=memo_client.cjs:4 read=memo_client.cjs:6 object=client.<closure> token
const http = require('http');

function client(token) {
  const headers = () => {
    return { authorization: token };
  };
  return { whoAmI: async () => headers().authorization };
}

const once = make => { let made; return (...values) => made ??= make(...values); };
const getClient = once(client);

http.createServer(async (req, res) => {
  res.end(await getClient(req.headers['x-user']).whoAmI());
}).listen(process.argv[2], '127.0.0.1');
