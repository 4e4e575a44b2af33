"""Raw responses of HTTP/1.1, written for this test, each with the method that it answers.

What comes of each is read by h11. Where runner is to read one otherwise, the case says what, and why.
"""

from dataclasses import dataclass

OK = b"HTTP/1.1 200 OK\r\n"
LENGTH = b"Content-Length: 5\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
BODY = b"hello"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
FAILS = "fails"
CONTROLS = "control characters are invalid, and may be kept (RFC 9110, section 5.5); runner refuses them"
REWRITTEN = "h11 rewrites the header"


@dataclass(frozen=True)
class Case:
    name: str
    raw: bytes
    method: str = "GET"
    # What runner is to make of it, where that is not what h11 does: a status and a body, or FAILS; and why.
    instead: object = None
    because: str = ""


def cases():
    found = [case for group in GROUPS for case in group()]
    names = [case.name for case in found]
    assert len(set(names)) == len(names), sorted(name for name in names if names.count(name) > 1)
    return found


def lengths():
    for length in [0, 1, 2, 9, 10, 99, 255, 1000]:
        yield Case(f"length {length}", OK + b"Content-Length: %d\r\n\r\n" % length + b"x" * length)
    for name, value in [("leading zeros", b"0005"), ("blanks around", b"  5\t "), ("no blank", b"5")]:
        yield Case(f"length with {name}", OK + b"content-length:" + value + b"\r\n\r\n" + BODY)
    for name in [b"content-length", b"CONTENT-LENGTH", b"cOnTeNt-LeNgTh"]:
        yield Case(f"length as {name.decode()}", OK + name + b": 5\r\n\r\n" + BODY)
    for name, value in [("negative", b"-5"), ("signed", b"+5"), ("hexadecimal", b"0x5"), ("a word", b"five"), ("with a point", b"5.0"),
                        ("with a unit", b"5 bytes"), ("two numbers", b"5 5"), ("of 20 digits", b"99999999999999999999"), ("of letters", b"5a")]:
        yield Case(f"length {name}", OK + b"Content-Length: " + value + b"\r\n\r\n" + BODY)
    yield Case("length empty", OK + b"Content-Length:\r\n\r\n" + BODY)
    for name, lines in [("twice", LENGTH + LENGTH), ("in a list of", b"Content-Length: 5, 5\r\n"), ("three times", LENGTH + b"Content-Length: 5,5\r\n")]:
        yield Case(f"length {name} the same", OK + lines + b"\r\n" + BODY, instead=(200, "hello"), because=REWRITTEN)
    yield Case("length twice otherwise", OK + LENGTH + b"Content-Length: 6\r\n\r\n" + BODY)
    yield Case("length in a list of others", OK + b"Content-Length: 5, 6\r\n\r\n" + BODY)
    for missing in [1, 3, 5]:
        yield Case(f"length with {missing} bytes missing", OK + LENGTH + b"\r\n" + BODY[: 5 - missing])
    for more in [b"x", b"\r\n", b"HTTP/1.1 200 OK\r\n", OK + LENGTH + b"\r\nworld"]:
        yield Case(f"length and {len(more)} bytes more", OK + LENGTH + b"\r\n" + BODY + more)
    yield Case("length of a body of line breaks", OK + b"Content-Length: 4\r\n\r\n\r\n\r\n")
    yield Case("length of a body that looks like a response", OK + b"Content-Length: 19\r\n\r\nHTTP/1.1 404 No\r\n\r\n")
    for version in [b"1.0", b"1.1"]:
        for connection in [b"", b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: Close, TE\r\n", b"Connection: x\r\n"]:
            name = f"length in {version.decode()} with {connection.decode().strip() or 'no connection'}"
            yield Case(name, b"HTTP/" + version + b" 200 OK\r\n" + connection + LENGTH + b"\r\n" + BODY)


def chunks():
    def chunked(name, body, head=CHUNKED, **more):
        return Case(f"chunks: {name}", OK + head + b"\r\n" + body, **more)

    yield chunked("none", b"0\r\n\r\n")
    yield chunked("one", CHUNKS)
    yield chunked("five of one byte", b"".join(b"1\r\n%c\r\n" % byte for byte in BODY) + b"0\r\n\r\n")
    yield chunked("two", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
    for size in [b"a", b"A", b"f", b"F", b"1f", b"1F", b"10", b"aB"]:
        yield chunked(f"size {size.decode()}", size + b"\r\n" + b"x" * int(size, 16) + b"\r\n0\r\n\r\n")
    for size in [b"05", b"0000005", b"00000000000000000005"]:
        yield chunked(f"size {size.decode()}", size + b"\r\nhello\r\n0\r\n\r\n")
    yield chunked("last size of zeros", b"5\r\nhello\r\n0000\r\n\r\n")
    blank = "a blank may stand before an extension (RFC 9112, section 7.1.1)"
    yield chunked("extension behind a blank", b"5 ;a\r\nhello\r\n0\r\n\r\n", instead=(200, "hello"), because=blank)
    for extension in [b";", b";a", b";a=b", b";a=b;c=d", b';a="b;c"', b";a=b c", b"; a = b", b";\x80"]:
        yield chunked(f"extension {extension!r}", b"5" + extension + b"\r\nhello\r\n0\r\n\r\n")
    yield chunked("extension of the last", b"5\r\nhello\r\n0;last=yes\r\n\r\n")
    for blanks in [b" ", b"\t", b"  \t"]:
        yield chunked(f"blanks {blanks!r} behind the size", b"5" + blanks + b"\r\nhello\r\n0\r\n\r\n")
    for size in [b"", b"x", b"-5", b"+5", b" 5", b"0x5", b"5 5", b"5,", b"5.0", b"ffffffffffffffff0", b"5\x00"]:
        yield chunked(f"size {size!r}", size + b"\r\nhello\r\n0\r\n\r\n")
    for name, body in [("too long", b"4\r\nhello\r\n0\r\n\r\n"), ("too short", b"6\r\nhello\r\n0\r\n\r\n"), ("no line break behind", b"5\r\nhello0\r\n\r\n")]:
        yield chunked(name, body)
    for cut in [0, 1, 3, 6, 8, 10, 11, 13, 14]:
        yield chunked(f"ended after {cut} bytes", CHUNKS[:cut])
    for trailers in [b"a: b\r\n", b"a: b\r\nc: d\r\ne:\r\n", b"Content-Length: 9\r\n", b"a:b \t\r\n"]:
        yield chunked(f"trailers {trailers!r}", b"5\r\nhello\r\n0\r\n" + trailers + b"\r\n")
    yield chunked("more behind the end", CHUNKS + b"x")
    yield chunked("a response behind the end", CHUNKS + OK + LENGTH + b"\r\nworld")
    for value in [b"Chunked", b"CHUNKED", b" chunked\t"]:
        line = b"Transfer-Encoding:" + value + b"\r\n"
        yield chunked(f"coding {value!r}", CHUNKS, line, instead=(200, "hello"), because=REWRITTEN)
    for name in [b"transfer-encoding", b"TRANSFER-ENCODING"]:
        yield chunked(f"as {name.decode()}", CHUNKS, name + b": chunked\r\n")
    yield chunked("and a length", CHUNKS, LENGTH + CHUNKED)
    yield chunked("and another length", CHUNKS, CHUNKED + b"Content-Length: 3\r\n")
    other = "RFC 9112, section 6.3, says how it is framed; h11 knows chunked alone"
    for value in [b"gzip, chunked", b"gzip,chunked", b"identity, chunked"]:
        yield chunked(f"coding {value!r}", CHUNKS, b"Transfer-Encoding: " + value + b"\r\n", instead=(200, "hello"), because=other)
    for value in [b"gzip", b"chunked, gzip", b"identity"]:
        yield chunked(f"coding {value!r}", BODY, b"Transfer-Encoding: " + value + b"\r\n", instead=(200, "hello"), because=other)
    twice = "one list in two lines (RFC 9110, section 5.3)"
    yield chunked("codings in two lines", CHUNKS, b"Transfer-Encoding: gzip\r\n" + CHUNKED, instead=(200, "hello"), because=twice)
    yield Case("chunks in HTTP/1.0", b"HTTP/1.0 200 OK\r\n" + CHUNKED + b"\r\n" + CHUNKS)
    yield Case("chunks in HTTP/1.0, kept alive", b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + CHUNKED + b"\r\n" + CHUNKS)


def until_close():
    for version in [b"1.0", b"1.1"]:
        for length in [0, 1, 5, 300]:
            yield Case(f"until close: {length} bytes in {version.decode()}", b"HTTP/" + version + b" 200 OK\r\n\r\n" + b"y" * length)
    yield Case("until close: kept alive", OK + b"Connection: keep-alive\r\n\r\n" + BODY)
    yield Case("until close: what looks like chunks", OK + b"\r\n" + CHUNKS)
    yield Case("until close: what looks like a response", OK + b"\r\n" + OK + LENGTH + b"\r\n" + BODY)
    yield Case("until close: an error", b"HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\nbusy")


def without_body():
    framings = [("nothing", b""), ("a length", LENGTH), ("no length", b"Content-Length: 0\r\n"), ("chunked", CHUNKED)]
    for status in [204, 304]:
        for name, framing in framings:
            yield Case(f"{status} with {name}", b"HTTP/1.1 %d Nothing\r\n" % status + framing + b"\r\n")
    for status in [200, 206, 301, 404, 500]:
        for name, framing in framings:
            yield Case(f"HEAD: {status} with {name}", b"HTTP/1.1 %d Fine\r\n" % status + framing + b"\r\n", method="HEAD")
    yield Case("HEAD with a body", OK + LENGTH + b"\r\n" + BODY, method="HEAD")
    yield Case("204 with a body", b"HTTP/1.1 204 No Content\r\n\r\n" + BODY)
    yield Case("205 with a length of 0", b"HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n")


def interim():
    last = OK + LENGTH + b"\r\n" + BODY
    for status in [100, 102, 103, 104, 199]:
        yield Case(f"interim {status}", b"HTTP/1.1 %d Wait\r\n\r\n" % status + last)
        yield Case(f"interim {status} with headers", b"HTTP/1.1 %d Wait\r\nLink: </a>\r\nX-Step: 1\r\n\r\n" % status + last)
    for count in [2, 3, 10]:
        yield Case(f"interim {count} times", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * count + last)
    yield Case("interim with a length", b"HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" + last)
    yield Case("interim with close", b"HTTP/1.1 103 Early Hints\r\nConnection: close\r\n\r\n" + last)
    yield Case("interim in 1.0", b"HTTP/1.0 100 Continue\r\n\r\n" + last)
    yield Case("interim alone", b"HTTP/1.1 100 Continue\r\n\r\n")
    yield Case("interim before chunks", b"HTTP/1.1 100 Continue\r\n\r\n" + OK + CHUNKED + b"\r\n" + CHUNKS)
    yield Case("interim before a 404", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n")
    yield Case("interim in the answer to a HEAD", b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK + LENGTH + b"\r\n", method="HEAD")
    yield Case("101 unasked", b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n" + last)


def statuses():
    for status in [200, 201, 202, 203, 206, 207, 208, 226, 299, 300, 301, 302, 303, 305, 307, 308, 399, 400, 401, 403, 404, 405, 408, 409, 410,
                   413, 414, 418, 421, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599, 600, 666, 700, 777, 999]:
        yield Case(f"status {status}", b"HTTP/1.1 %d Some Reason\r\n" % status + LENGTH + b"\r\n" + BODY)
    for status in [b"099", b"000", b"001"]:
        yield Case(f"status {status.decode()}", b"HTTP/1.1 " + status + b" What\r\n" + LENGTH + b"\r\n" + BODY)
    for status in [b"", b"2", b"20", b"2000", b"20x", b"x", b"-20", b"2 0", b"0200", b"two"]:
        yield Case(f"status {status!r}", b"HTTP/1.1 " + status + b" What\r\n" + LENGTH + b"\r\n" + BODY)
    for name, reason in [("empty", b" "), ("left out", b""), ("a word", b" Fine"), ("words", b" It is all right"), ("blanks", b"   Fine"), ("a tab", b" It\tis"),
                         ("with colons", b" a: b: c"), ("obs-text", b" \xe9t\xe9"), ("UTF-8", b" \xc3\xa4"), ("long", b" " + b"reason " * 100),
                         ("symbols", b" !#$%&'*+-.^_`|~()<>@,;\\\"/[]?={}")]:
        yield Case(f"reason {name}", b"HTTP/1.1 200" + reason + b"\r\n" + LENGTH + b"\r\n" + BODY)
    yield Case("reason with NUL", b"HTTP/1.1 200 a\x00b\r\n" + LENGTH + b"\r\n" + BODY)
    for name, reason in [("a bell", b" a\x07b"), ("DEL", b" a\x7fb"), ("an escape", b" \x1b[31m")]:
        yield Case(f"reason with {name}", b"HTTP/1.1 200" + reason + b"\r\n" + LENGTH + b"\r\n" + BODY, instead=FAILS, because=CONTROLS)


def versions():
    rest = b" 200 OK\r\nConnection: close\r\n" + LENGTH + b"\r\n" + BODY
    for minor in range(10):
        yield Case(f"version 1.{minor}", b"HTTP/1.%d" % minor + rest)
    other = "another major version is another protocol (RFC 9110, section 2.5)"
    for version in [b"HTTP/2.0", b"HTTP/0.9", b"HTTP/3.0", b"HTTP/9.9"]:
        yield Case(f"version {version.decode()}", version + rest, instead=FAILS, because=other)
    for version in [b"HTTP/1.10", b"HTTP/11.1", b"HTTP/1", b"HTTP/", b"HTTP", b"http/1.1", b"Http/1.1", b"HTTP/1.x", b"HTTP/ 1.1", b"HTTPS/1.1", b"HTTP1.1",
                    b"ICY", b"", b"RTSP/1.0"]:
        yield Case(f"version {version!r}", version + rest)
    for blank in [b"  ", b"\t", b" \t"]:
        yield Case(f"blank {blank!r} behind the version", b"HTTP/1.1" + blank + b"200 OK\r\n" + LENGTH + b"\r\n" + BODY)


def headers():
    def case(name, lines, **more):
        return Case(f"header: {name}", OK + lines + LENGTH + b"\r\n" + BODY, **more)

    for value in [b"b", b" b", b"  b", b"\tb", b" b ", b"b\t", b" \t b \t ", b"", b" ", b" \t", b" a b", b" a\tb", b" a:b", b" \"a, b\"", b" \xe9", b" \xc3\xa4",
                  b" (a) <b> {c}", b" " + b"long " * 200]:
        yield case(f"value {value[:20]!r}", b"X-A:" + value + b"\r\n")
    for value in [b" a\x00b", b" a\rb"]:
        yield case(f"value {value!r}", b"X-A:" + value + b"\r\n")
    for value in [b" a\x07b", b" a\x7fb", b" \x1b[0m"]:
        yield case(f"value {value!r}", b"X-A:" + value + b"\r\n", instead=FAILS, because=CONTROLS)
    for name in [b"x", b"X-A", b"x_a", b"x.a", b"1", b"!#$%&'*+-.^_`|~", b"X" * 200]:
        yield case(f"name {name[:20].decode()}", name + b": b\r\n")
    for name in [b"", b"x a", b"x ", b"x\t", b" x", b"x(a", b"x@a", b"x/a", b"\xe9", b"x\x00", b"x\x7f", b"\"x\"", b"x,a"]:
        yield case(f"name {name!r}", b"X-First: 1\r\n" + name + b": b\r\n")
    yield case("no colon", b"X-A\r\n")
    yield case("no colon, with a blank", b"X-A b\r\n")
    for folds in [b"a\r\n b", b"a\r\n\tb", b"a\r\n  b\r\n  c", b"a\r\n ", b"\r\n b", b"a,\r\n b"]:
        yield case(f"fold {folds!r}", b"X-A: " + folds + b"\r\nX-B: c\r\n")
    blanks = "as many blanks as one likes (RFC 9112, section 5.2)"
    yield case("fold behind a blank", b"X-A: a \r\n b\r\n", instead=(200, "hello"), because=blanks)
    yield Case("header: fold of a length", OK + b"Content-Length:\r\n 5\r\n\r\n" + BODY)
    yield Case("header: fold before any header", OK + b" X-A: b\r\n" + LENGTH + b"\r\n" + BODY)
    for count in [2, 10, 100, 128, 129, 200, 500]:
        yield case(f"{count} of them", b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(count)))
    yield case("twice", b"X-A: b\r\nX-A: c\r\nx-a: d\r\n")
    for size in [1000, 10_000]:
        yield case(f"of {size} bytes", b"X-A: " + b"y" * size + b"\r\n")
    for end in [b"\n", b"\r\n"]:
        yield Case(f"lines that end in {end!r}", (OK + b"X-A: b\r\n" + LENGTH + b"\r\n").replace(b"\r\n", end) + BODY)
    yield Case("lines that end in either", b"HTTP/1.1 200 OK\nX-A: b\r\n" + LENGTH + b"\n" + BODY)
    yield Case("lines that end in CR", (OK + LENGTH + b"\r\n").replace(b"\r\n", b"\r") + BODY)
    yield Case("lines that end in CR CR LF", (OK + LENGTH + b"\r\n").replace(b"\r\n", b"\r\r\n") + BODY)


def oddities():
    last = OK + LENGTH + b"\r\n" + BODY
    empty = "empty lines before a response are nothing; the RFC says so of requests alone (RFC 9112, section 2.2)"
    for lines in [b"\r\n", b"\n", b"\r\n\r\n", b"\r\n\n\r\n"]:
        yield Case(f"empty lines {lines!r} before", lines + last, instead=(200, "hello"), because=empty)
    for before in [b" ", b"\t", b"\x00", b"x", b"\xef\xbb\xbf", b"\r", b"0\r\n\r\n", b"hello"]:
        yield Case(f"{before!r} before", before + last)
    for length in [0, 1, 4, 8, 9, 12, 13, 15, 16, 17, 20, 30, 34, 35, 36]:
        yield Case(f"ended after {length} bytes", last[:length])
    for name, text in [("SSH", b"SSH-2.0-OpenSSH_9.6\r\n"), ("SMTP", b"220 mail.test ESMTP\r\n"), ("FTP", b"220 Ready\r\n"), ("HTML", b"<html>no</html>"),
                       ("TLS", b"\x15\x03\x01\x00\x02\x02\x46"), ("HTTP/2", b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x64"),
                       ("zeros", b"\x00" * 64), ("a request", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), ("JSON", b'{"status": 200}\r\n\r\n')]:
        yield Case(f"no HTTP: {name}", text)


GROUPS = [lengths, chunks, until_close, without_body, interim, statuses, versions, headers, oddities]
