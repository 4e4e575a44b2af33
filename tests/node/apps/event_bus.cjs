// locate: write=event_bus.cjs:13 read=event_bus.cjs:20 object=waiting path=/inbox
const express = require('express');
const { EventEmitter } = require('events');

class Inbox extends EventEmitter {
  constructor() {
    super();
    this.waiting = [];
  }

  deliver(message) {
    // anybody's
    this.waiting.push({ message, at: Date.now() });
    this.emit('message');
  }

  collect() {
    const [first, ...others] = this.waiting;
    if (others.length > 10) this.waiting = others;
    return this.waiting.map(one => one.message);
  }
}

const inbox = new Inbox();
const app = express();
app.get('/inbox', (req, res) => {
  inbox.deliver(`for ${req.get('x-user')}`);
  setTimeout(() => res.json(inbox.collect()), 40);
});
app.listen(process.argv[2], '127.0.0.1');
