# locate: write=socketserver_class.py:15 read=socketserver_class.py:19 object=socketserver_class:Session.current['user']
# run: ["{python}", "socketserver_class.py", "{port}"]
# show: {"how": "overlap", "path": "/?user={canary}"}
"""socketserver and a class attribute, without any HTTP library."""
import socketserver
import sys
import time


class Session:
    current = {}

    @classmethod
    def enter(cls, user):
        cls.current["user"] = user

    @classmethod
    def user(cls):
        return cls.current["user"]


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        head = self.request.recv(65536).decode()
        target = head.split(" ")[1]
        Session.enter(target.partition("user=")[2])
        time.sleep(0.08)
        body = f"hello {Session.user()}".encode()
        self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
