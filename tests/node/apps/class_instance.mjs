// locate: write=class_instance.mjs:10 read=class_instance.mjs:14 object=#token
import http from 'node:http';

class ApiClient {
  #token = null;
  static #instance;
  static get instance() { return (this.#instance ??= new ApiClient()); }

  authorize(token) {
    this.#token = token;
    return this;
  }

  headers = () => ({ authorization: this.#token });

  async whoAmI() {
    await new Promise(done => setTimeout(done, 40));
    return this.headers().authorization;
  }
}

http.createServer(async (request, response) => {
  const client = ApiClient.instance.authorize(request.headers['x-user']);
  response.end(await client.whoAmI());
}).listen(process.argv[2], '127.0.0.1');
