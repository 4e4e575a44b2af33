// Buffers that are used again without being wiped (Jetty's JetLeak, `Buffer.allocUnsafe`). A reply is padded to 32 bytes;
// `/whole/` sends what the buffer holds there, `/cut/` fills the rest with blanks.
import http from 'node:http';

const BLOCK = 32;
const pool = [Buffer.alloc(256)];

http.createServer((request, response) => {
  const name = request.headers['x-user'] ?? '';
  const buffer = pool.pop() ?? Buffer.alloc(256);
  const written = buffer.write(name);
  const padded = Math.max(BLOCK, Math.ceil(written / BLOCK) * BLOCK);
  if (request.url.startsWith('/cut')) buffer.fill(' ', written, padded);
  response.end(Buffer.from(buffer.subarray(0, padded)));
  pool.push(buffer);
}).listen(Number(process.argv[2]), '127.0.0.1');
