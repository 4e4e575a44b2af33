// locate: write=pool.mjs:26 read=pool.mjs:9|pool.mjs:32 object=connection
import http from 'node:http';

class Connection {
  async query(text) {
    await new Promise(done => setTimeout(done, 10));
    if (text.startsWith('set ')) return null;
    // what the session was set to
    return { role: this.role, text };
  }
}

class Pool {
  idle = [];
  async acquire() { return this.idle.pop() ?? new Connection(); }
  release(connection) { this.idle.push(connection); }
}

const pool = new Pool();

async function page(user) {
  const connection = await pool.acquire();
  try {
    await connection.query('set role');
    // only those who sign in have a role of their own
    if (user) connection.role = user;
    return await connection.query('select role');
  } finally { pool.release(connection); }
}

http.createServer(async (request, response) => {
  const { role } = await page(request.headers['x-user']);
  response.end(`role ${role}`);
}).listen(process.argv[2], '127.0.0.1');
