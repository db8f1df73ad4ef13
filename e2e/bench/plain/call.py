"""A turn as plainly as it can be done: one call of a model server. A Ray job runs this file."""

import json
import os
import sys
import urllib.request


def main() -> None:
    body = {"model": "instant", "stream": True, "messages": [{"role": "user", "content": "Add rate limiting."}]}
    request = urllib.request.Request(
        f"{os.environ['MODEL_URL']}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as response:
        sys.stdout.write(response.read().decode())


if __name__ == "__main__":
    main()
