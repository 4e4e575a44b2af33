// locate: write=class_static.mjs:8 read=class_static.mjs:13 object=Tenant.current
import http from 'node:http';

class Tenant {
  static current = null;

  static enter(name) {
    this.current = new Tenant(name);
  }

  static async page() {
    await new Promise(done => setTimeout(done, 40));
    return Tenant.current.name;
  }

  constructor(name) { this.name = name; }
}

http.createServer((request, response) => {
  Tenant.enter(request.headers['x-user']);
  Tenant.page().then(page => response.end(page));
}).listen(process.argv[2], '127.0.0.1');
