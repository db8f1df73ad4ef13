"""What several tests share."""

import http.server
import threading

import pytest


@pytest.fixture
def server():
    """A server whose answer to one path is set by the test."""
    answer = {"path": "/v1/models", "code": 200, "body": b""}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(answer["code"] if self.path == answer["path"] else 404)
            self.end_headers()
            self.wfile.write(answer["body"])

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        answer["url"] = f"http://127.0.0.1:{listening.server_port}"
        yield answer
        listening.shutdown()
