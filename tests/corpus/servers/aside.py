"""What came behind a request's body in one packet is put aside until that request is answered. Twisted before 24.7
(CVE-2024-41671) put it aside only when it had answered already, if the handler was quick: then it lay there while a later
packet was taken first.

    aside.py PORT            answers first, then puts aside
    aside.py PORT careful    puts aside, then answers
"""

import json
import sys

import web

CAREFUL = "careful" in sys.argv


class Connection(web.Connection):
    aside = bytearray()

    def data_received(self, data):
        self.buffer += data
        request, rest = web.parse(self.buffer)
        if request:
            self.buffer = bytearray()
            if CAREFUL:
                self.aside = rest
            self.answer_now(request)
            if not CAREFUL:
                self.aside += rest
            elif not self.buffer:
                self.take_aside()

    def answer_now(self, request):
        self.transport.write(web.response(f"Thank you, {json.loads(request.body or b'{}').get('customer', 'guest')}\n"))
        if not CAREFUL:
            self.take_aside()

    def take_aside(self):
        aside, self.aside = self.aside, bytearray()
        if aside:
            self.data_received(bytes(aside))


web.serve({}, connection=Connection)
