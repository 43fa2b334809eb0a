"A server on this machine with every bad manner that servers have."
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BREAK = 40_960  # bytes after which a line breaks
PAGE = b"<!DOCTYPE html><html><title>Sign in</title></html>"


class Handler(BaseHTTPRequestHandler):
    "The last folder of the path chooses the manner, as in /breaks/films.tar.gz."
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        manner, start = self.path.split("/")[1], int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.asked.append((manner, start))
        self.close_connection = True
        getattr(self, f"answer_{manner}")(self.server.body, start)

    def send(self, body, status=200, length=None, start=0, kind="application/octet-stream"):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if length != "unknown":
            self.send_header("Content-Length", len(body) if length is None else length)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(self.server.body) - 1}/{len(self.server.body)}")
        self.send_header("Connection", "close")
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # the client was killed

    def send_rest(self, body, start, **kwargs):
        if start >= len(body):
            return self.send(b"", 416)
        self.send(body[start:], 206 if start else 200, start=start, **kwargs)

    def answer_good(self, body, start): self.send_rest(body, start)
    def answer_no_range(self, body, start): self.send(body)
    def answer_no_length(self, body, start): self.send(body, length="unknown")
    def answer_page(self, body, start): self.send(PAGE, kind="text/html")
    def answer_missing(self, body, start): self.send(b"gone", 404)
    def answer_wrong(self, body, start): self.send_rest(body[:-1] + bytes([body[-1] ^ 1]), start)
    def answer_short(self, body, start): self.send_rest(body[:len(body) // 2], start)
    def answer_endless(self, body, start): self.send(body * 2, length="unknown")

    def answer_chunked(self, body, start):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))

    def answer_chunked_page(self, body, start): self.answer_chunked(PAGE, start)
    def answer_long(self, body, start): self.send(body + b"more")

    def answer_breaks(self, body, start):
        part = body[start:start + BREAK]
        self.send(part, 206 if start else 200, length=len(body) - start, start=start)

    def answer_breaks_no_range(self, body, start): self.send(body[:BREAK], length=len(body))

    def answer_breaks_no_length(self, body, start):
        self.send(body[start:start + BREAK], 206 if start else 200, length="unknown", start=start)

    def answer_breaks_once(self, body, start):
        whole = len(self.server.asked) > 1
        self.send(body if whole else body[:BREAK], length=len(body))

    def answer_liar(self, body, start):  # says that it sends the rest, and sends the beginning
        part = body[:len(body) - start] if start else body[:BREAK]
        self.send(part, 206 if start else 200, length=len(body) - start, start=start)

    def answer_slow(self, body, start):
        self.send(b"", 206 if start else 200, length=len(body) - start, start=start)
        try:
            for i in range(start, len(body), 8192):
                self.wfile.write(body[i:i + 8192])
                time.sleep(0.02)
        except OSError:
            pass

    def log_message(self, *args): pass


def serve(body):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.body, server.asked = body, []
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=[0.01], daemon=True).start()
    return server
