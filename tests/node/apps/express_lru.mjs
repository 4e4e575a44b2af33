// locate: write=express_lru.mjs:15 read=express_lru.mjs:11 object=cache path=/orders/list
import express from 'express';
import { LRUCache } from 'lru-cache';

const cache = new LRUCache({ max: 100, ttl: 60_000 });
const ordersOf = async user => [{ id: 1, buyer: user }];

const app = express();
const router = express.Router();
router.get('/list', async (req, res) => {
  const hit = cache.get(req.originalUrl);
  if (hit) return res.json(hit);
  const orders = await ordersOf(req.headers['x-user']);
  const body = { orders, at: Date.now() };
  cache.set(req.originalUrl, body);
  res.json(body);
});
app.use('/orders', router);
app.listen(process.argv[2], '127.0.0.1');
