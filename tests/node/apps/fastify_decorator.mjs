// locate: write=fastify_decorator.mjs:9 read=fastify_decorator.mjs:14 object=session.user.name path=/me
import Fastify from 'fastify';

const fastify = Fastify();
const session = { user: null };
fastify.decorate('session', session);

fastify.addHook('preHandler', async request => {
  fastify.session.user = { name: request.headers['x-user'] };
});

fastify.get('/me', async (request, reply) => {
  await new Promise(done => setTimeout(done, 40));
  return { hello: fastify.session.user.name };
});

fastify.listen({ port: Number(process.argv[2]), host: '127.0.0.1' });
