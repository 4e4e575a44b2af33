// locate: write=queue.cjs:9 read=queue.cjs:15 object=jobs
const http = require('http');

const jobs = [];
const wait = ms => new Promise(done => setTimeout(done, ms));

class Worker {
  async submit(user) {
    jobs.push({ user, at: Date.now() });
    await wait(30);
    return this.finish();
  }

  finish() {
    const job = jobs.pop();
    return `finished ${job?.user}`;
  }
}

const worker = new Worker();
http.createServer(async (req, res) => res.end(await worker.submit(req.headers['x-user']))).listen(process.argv[2], '127.0.0.1');
