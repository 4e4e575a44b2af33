// locate: write=typescript/app.ts:10 read=typescript/app.ts:15 object=cart.owner start=typescript/built/app.js
import * as http from 'node:http';

interface Cart { owner: string | null; items: string[] }

class CartStore {
  private cart: Cart = { owner: null, items: [] };

  open(owner: string): void {
    this.cart.owner = owner;
  }

  async show(): Promise<string> {
    await new Promise<void>(done => setTimeout(done, 40));
    return `cart of ${this.cart.owner}`;
  }
}

const store = new CartStore();

http.createServer(async (request: http.IncomingMessage, response: http.ServerResponse) => {
  const user: string | undefined = request.headers['x-user'] as string | undefined;
  store.open(user ?? 'nobody');
  response.end(await store.show());
}).listen(Number(process.argv[2]), '127.0.0.1');
