# locate: write=bytes_buffer.py:18 read=bytes_buffer.py:19|bytes_buffer.py:20 object=bytes_buffer.buffer
# run: ["{python}", "bytes_buffer.py", "{port}"]
# show: {"how": "sequence", "path": "/?user={canary}"}
"""Raw sockets in threads, and a buffer of the module in which every answer is made."""
import socket
import sys
import threading

buffer = bytearray()
lock = threading.Lock()


def serve(connection):
    with connection:
        data = connection.recv(65536)
        user = data.split(b" ", 2)[1].partition(b"user=")[2]
        with lock:
            buffer.extend(b"hello " + user + b"; ")
            body = bytes(buffer)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)


with socket.create_server(("127.0.0.1", int(sys.argv[1]))) as server:
    while True:
        threading.Thread(target=serve, args=server.accept()[:1], daemon=True).start()
