"""Serves the cases, or shows them.

    python tests/model_cases [--port 18081] [--speed 1] [--log calls.jsonl]
    python tests/model_cases --list            # the cases, and what they send
    python tests/model_cases --show CASE       # the bytes of one case

Use it as `vllm_url` http://127.0.0.1:18081/v1, and give each agent the name of a case as its `model`. `GET /calls`
answers how often each model was called, `POST /reset` sets the counts to zero (some cases count).
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from model_cases.reply import CASES
from model_cases.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=18081)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--log", type=argparse.FileType("a", bufsize=1))
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--show", default="")
    given = parser.parse_args()
    if given.list:
        for name, (says, _) in CASES.items():
            print(f"{name:36} {says}")
    elif given.show:
        reply = CASES[given.show][1]({"model": given.show, "_count": 1})
        print(reply.status, reply.headers, flush=True)
        sys.stdout.buffer.write(b"".join(part for part in reply.parts if isinstance(part, bytes)))
    else:
        serve(Server(given.port, given.log, given.speed))


def serve(server: Server) -> None:
    print(f"{len(CASES)} cases on {server.url}/v1", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()


if __name__ == "__main__":
    main()
