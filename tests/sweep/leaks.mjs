// The leaks that are planted in app.mjs, each as somebody has written it. A mechanism is wrapped around an operation's work,
// which waits for some milliseconds. `request.told` is what only the request's sender may see again.

const now = () => performance.now();

export class Middleware {
  async both(request, work) {
    this.user = request.told; // in the middleware
    const response = await work();
    return response.show(this.user);
  }
}

export class ModuleSlot {
  async source(request, work) {
    this.user = request.told;
    try {
      return await work();
    } finally {
      this.user = null;
    }
  }

  async victim(request, work) {
    const response = await work();
    return response.show(this.user ?? request.told);
  }
}

export class OwnSlot {
  async both(request, work) {
    this.user = request.told;
    const response = await work();
    return response.show(this.user);
  }
}

export class CurrentUser {
  current = {};

  async source(request, work) {
    this.current.user = request.told;
    try {
      return await work();
    } finally {
      delete this.current.user;
    }
  }

  async victim(request, work) {
    const response = await work();
    return response.show(this.current.user ?? request.told);
  }

  async writer(request, work) {
    this.current.user = request.told;
    const response = await work();
    return response.show(this.current.user ?? request.told);
  }
}

/** A buffer that is used again and again. */
export class Serializer {
  buffer = Buffer.alloc(512);
  length = 0;

  async both(request, work) {
    this.length = this.buffer.write(request.told ?? "");
    const response = await work();
    return response.show(this.buffer.toString("utf8", 0, this.length));
  }
}

export class SharedHeaders {
  headers = {};

  async source(request, work) {
    this.headers["x-rendered-for"] = encodeURIComponent(request.told ?? "");
    try {
      return await work();
    } finally {
      this.headers = {};
    }
  }

  async victim(request, work) {
    const response = await work();
    Object.assign(response.headers, this.headers);
    return response;
  }
}

/** Who asks while the answer is being made gets that one; the user is not in the key. */
export class SingleFlight {
  async both(request, work) {
    if (this.flight) return (await this.flight)?.copy() ?? (await work()).show(request.told);
    const made = work().then((response) => response.show(request.told));
    this.flight = made.catch(() => null);
    try {
      return await made;
    } finally {
      this.flight = null;
    }
  }
}

/** Keeps a page for two seconds, by its path. */
export class PageCache {
  async both(request, work) {
    if (this.page && this.until > now()) return this.page.copy();
    const response = (await work()).show(request.told);
    if (response.status === 200) [this.page, this.until] = [response.copy(), now() + 2000];
    return response;
  }
}

/** Two operations show the same part of a page, which is made for whoever asks first, every two seconds. */
export class Fragment {
  until = 0;

  async both(request, work) {
    const response = await work();
    if (this.until < now() && request.told) [this.user, this.until] = [request.told, now() + 2000];
    return response.show(this.user ?? request.told);
  }
}

/** A function of the path alone, remembered. */
export class Memo {
  known = new Map();

  async both(request, work) {
    const response = await work();
    if (request.told && !this.known.has(request.path)) this.known.set(request.path, request.told);
    return response.show(this.known.get(request.path));
  }
}

export class ModuleVariable {
  async source(request, work) {
    this.user = request.told ?? this.user;
    return work();
  }

  async victim(request, work) {
    const response = await work();
    return response.show(this.user ?? request.told);
  }
}

export class LastSearch {
  async source(request, work) {
    this.last = request.told;
    return work();
  }

  async victim(request, work) {
    return (await work()).add("lastSearch", this.last);
  }
}

/** A list of the module, meant to be one of the request. */
export class Recent {
  seen = [];

  async both(request, work) {
    const response = await work();
    this.seen = [...this.seen, request.told].slice(-3);
    return response.add("recent", this.seen.filter(Boolean).join(", "));
  }
}

/** Headers of a client for another service, set for each request and left there. */
export class Defaults {
  defaults = { headers: {} };

  async source(request, work) {
    if (request.told) this.defaults.headers.authorization = request.told;
    return work();
  }

  async victim(request, work) {
    const response = await work();
    return response.add("upstream", this.defaults.headers.authorization);
  }
}

export class ErrorState {
  async source(request, work) {
    try {
      return await work();
    } catch (error) {
      this.failed = request.told;
      throw error;
    }
  }

  async victim(request, work) {
    return (await work()).add("notice", this.failed);
  }
}

/** Shows the last input that worked. */
export class ErrorPage {
  async both(request, work) {
    let response;
    try {
      response = await work();
    } catch (error) {
      return request.failed(error).add("lastInput", this.last);
    }
    this.last = request.told;
    return response;
  }
}

/** Who asked on this connection is who asks. */
export class PerConnection {
  users = new WeakMap();

  async source(request, work) {
    if (request.told) this.users.set(request.socket, request.told);
    return work();
  }

  async victim(request, work) {
    const response = await work();
    return response.show(this.users.get(request.socket) ?? request.told);
  }
}

/** A pool of connections to a database, on which a user is set. */
export class PooledConnection {
  idle = [];

  async source(request, work) {
    const connection = this.idle.pop() ?? {};
    connection.user = request.told;
    try {
      return await work();
    } finally {
      this.idle.push(connection);
    }
  }

  async victim(request, work) {
    const connection = this.idle.pop() ?? {};
    try {
      const response = await work();
      return response.show(connection.user ?? request.told);
    } finally {
      this.idle.push(connection);
    }
  }
}

/** A task after the answer leaves its result for anybody. */
export class Background {
  async source(request, work) {
    const response = await work();
    setTimeout(() => (this.result = request.told), 10);
    return response;
  }

  async victim(request, work) {
    return (await work()).add("finished", this.result);
  }
}

/** A tag of the page that tells who it was made for, kept for two seconds. */
export class EntityTag {
  until = 0;

  async both(request, work) {
    const response = await work();
    if (this.until < now() && request.told) {
      [this.tag, this.until] = [`"${Buffer.from(request.told).toString("hex")}"`, now() + 2000];
    }
    if (this.tag && request.headers["if-none-match"] === this.tag) response.status = 304;
    if (this.tag) response.headers.etag = this.tag;
    return response;
  }
}

/** Only while a third operation has switched something on does one leave its user to another. */
export class ThirdParty {
  until = 0;

  async arm(request, work) {
    const response = await work();
    this.until = now() + 300;
    return response;
  }

  async source(request, work) {
    this.user = now() < this.until ? request.told : null;
    return work();
  }

  async victim(request, work) {
    const response = await work();
    return response.show(this.user ?? request.told);
  }
}

/** A client that leaves in the middle: the answer stays in the connection, and the next one gets it. */
export class Abort {
  async source(request, work) {
    const response = await work();
    if (request.socket.destroyed) this.unread = request.told;
    return response;
  }

  async victim(request, work) {
    const unread = this.unread;
    this.unread = null;
    const response = await work();
    return response.show(unread ?? request.told);
  }
}
