// locate: write=koa_shared_service.cjs:10 read=koa_shared_service.cjs:5 object=user
const Koa = require('koa');

class Base {
  get user() { return this._user; }
}
class Repository extends Base {
  static shared = new Repository();
  with(user) {
    this._user = user;
    return this;
  }
  // the getter is read by the application's own code as well
  async all() {
    await new Promise(done => setTimeout(done, 30));
    return [{ id: 1, of: this.user }];
  }
}
const app = new Koa();
app.use(async ctx => {
  const rows = await Repository.shared.with(ctx.get('x-user')).all();
  ctx.body = rows;
});
app.listen(process.argv[2], '127.0.0.1');
