"""LangGraph's development server with the graphs of `graph.py`.

Listens on a free port of the loopback address, prints its URL when it is ready,
and serves until its standard input ends. The folder it is started in gets a copy
of the graphs, and whatever the server remembers.
"""

import os
import pathlib
import shutil
import socket
import sys
import threading
import time
import urllib.request

# Nothing is told to anyone else.
os.environ["LANGSMITH_TRACING"] = "false"
os.environ["LANGGRAPH_NO_VERSION_CHECK"] = "1"
os.environ["LANGGRAPH_CLI_NO_ANALYTICS"] = "1"

# The server logs to its standard output, URL and all.
announcement = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def announce(url: str) -> None:
    while True:
        try:
            urllib.request.urlopen(f"{url}/ok", timeout=1).close()
            break
        except OSError:
            time.sleep(0.1)
    print("listening on", url, file=announcement, flush=True)


def end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def main() -> None:
    from langgraph_cli.cli import cli

    port = free_port()
    threading.Thread(target=announce, args=[f"http://127.0.0.1:{port}"], daemon=True).start()
    threading.Thread(target=end_with_input, daemon=True).start()
    for name in ["graph.py", "langgraph.json"]:
        shutil.copy(pathlib.Path(__file__).with_name(name), name)
    cli(
        ["dev", "--host", "127.0.0.1", "--port", str(port)]
        + ["--no-browser", "--no-reload", "--n-jobs-per-worker", "10"]
    )


main()
