// locate: write=koa_state.mjs:10 read=koa_state.mjs:15 object=app.context.user path=/me
import Koa from 'koa';
import Router from '@koa/router';

const app = new Koa();
const router = new Router();

app.use(async (ctx, next) => {
  // meant for ctx.state
  app.context.user = ctx.get('x-user') || ctx.query.email;
  await next();
});
router.get('/me', async ctx => {
  await new Promise(done => setTimeout(done, 40));
  ctx.body = { user: app.context.user };
});
app.use(router.routes());
app.listen(Number(process.argv[2]), '127.0.0.1');
