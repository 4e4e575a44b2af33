'use strict';
// Keeps something for an object in a private field of the object itself. Nobody else can see that, and the garbage collector has far
// less to do than for a WeakMap of many objects that live briefly.

const Same = function (object) { return object; };

/** `new Kind(object, what)` attaches, once for each object; `Kind.of(object)` is what was attached, or undefined. */
const attachments = () => class extends Same {
  #what;
  constructor(object, what) {
    super(object);
    this.#what = what;
  }
  static of(object) { return #what in object ? object.#what : undefined; }
};

module.exports = { attachments };
