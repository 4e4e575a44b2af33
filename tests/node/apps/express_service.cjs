// locate: write=express_service.cjs:11 read=express_service.cjs:17 object=service.account path=/account
const express = require('express');

class AccountService {
  #calls = 0;
  account = null;

  async load(name) {
    this.#calls++;
    const balance = await query(String(name));
    this.account = { name, balance, calls: this.#calls };
    return this;
  }

  async page() {
    await query('page');
    const { account } = this;
    return `${account.name} has ${account.balance}`;
  }
}

const query = text => new Promise(done => setTimeout(done, 30, text.length));
const service = new AccountService();

const app = express();
app.get('/account', async (req, res) => {
  await service.load(req.get('x-user'));
  res.send(await service.page());
});
app.listen(process.argv[2], '127.0.0.1');
