"""The scripted server: the `model` of a request names the case that it is answered with."""

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TextIO

from model_cases import answers, refusals, streams  # noqa: F401 — they register their cases
from model_cases.refusals import Busy
from model_cases.reply import CASES, Reply, openai_error

# A vllm_url leads to a path. These exist and any other is 404, so that it shows what a client makes of its base URL.
PREFIXES = (
    "/v1",
    "/proxy/team-a/v1",
    "/v1beta/openai",
    "/api/v3",
    "/api/paas/v4",
    "/v1/openai",
    "/openai/v1",
    "/serving-endpoints",
    "/llm",
)
PATHS = tuple(f"{prefix}/chat/completions" for prefix in PREFIXES)


class Server(ThreadingHTTPServer):
    """Listens on loopback only. `speed` shortens the times of all cases; it is the same for all servers."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0, log: TextIO | None = None, speed: float = 1.0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        Busy.speed = self.speed = speed
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.calls: Counter[str] = Counter()
        self.requests: list[tuple[str, dict[str, str], dict[str, Any]]] = []  # path, headers, body
        self.paths: list[str] = []  # of every request, also where nothing is served
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._log = log

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients may go at any time."""

    def count(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> int:
        model = str(body.get("model", ""))
        with self._lock:
            self.calls[model] += 1
            number = self.calls[model]
            self.requests.append((path, headers, body))
            if self._log:
                shown = {key: value for key, value in body.items() if key != "messages"}
                request_id = headers.get("x-request-id", "")
                line = {"at": time.time(), "path": path, "request_id": request_id, "call": number, **shown}
                self._log.write(json.dumps(line) + "\n")
        return number

    def reset(self) -> None:
        with self._lock:
            self.calls.clear()
            self.requests.clear()
            self.paths.clear()
            Busy.forget()

    def start(self) -> "Server":
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def end(self) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path.endswith("/models"):
            self._plain({"object": "list", "data": [{"id": name, "object": "model"} for name in CASES]})
        elif self.path == "/calls":
            self._plain(dict(self.server.calls))
        else:
            self._plain({"detail": "Not Found"}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == "/reset":
            self.server.reset()
            return self._plain({})
        self.server.paths.append(self.path)
        if self.path not in PATHS:
            return self._plain({"detail": "Not Found"}, 404)
        request = json.loads(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        number = self.server.count(self.path, headers, request)
        if request.get("model") not in CASES:
            return self._plain(openai_error(f"no case {request.get('model')}", "model_not_found"), 404)
        _, answer = CASES[request["model"]]
        return self._send(answer({**request, "_count": number}))

    def _plain(self, value: Any, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _send(self, reply: Reply) -> None:
        self.close_connection = True
        if reply.parts[:1] == ("reset",):
            return self.connection.close()
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in reply.parts:
            if part == "reset":
                return self.connection.close()
            if isinstance(part, float):
                self.server.closing.wait(part / self.server.speed)
            elif isinstance(part, bytes) and part:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        return None
