"""The child process that decodes for a `Decoder`, and may crash in its place.

Started as `python -m taggram.audio.worker`; speaks `taggram.audio.protocol` on its standard input and
output, and ends when its input ends, so it never outlives its parent.
"""

import os
import signal
import sys
import threading
import traceback
from io import FileIO
from pathlib import Path
from queue import SimpleQueue
from typing import IO, NoReturn

from taggram.audio.container import printable, unreadable
from taggram.audio.decode import decode
from taggram.audio.protocol import (
    Kind,
    Request,
    pack_json,
    pack_report,
    read_message,
    unpack_request,
    write_message,
)
from taggram.errors import AudioError


def main() -> NoReturn:
    """Answer requests until the parent is gone."""
    # Ctrl-C is for the parent; where it has a session of its own, this process does not even hear of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests: SimpleQueue[Request] = SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, requests), daemon=True).start()
    answers = FileIO(sys.stdout.fileno(), "wb", closefd=False)  # without a buffer
    write_message(answers, Kind.READY)
    while True:
        _answer(requests.get(), answers)


def _listen(pipe: IO[bytes], requests: "SimpleQueue[Request]") -> None:
    """Pass requests on; end the process with the parent, even in the middle of a file."""
    while message := read_message(pipe):
        requests.put(unpack_request(message[1]))
    os._exit(0)


def _answer(request: Request, pipe: IO[bytes]) -> None:
    try:
        _enter(request)
        decoding = decode(
            request.path,
            sample_rate=request.sample_rate,
            start=request.start,
            duration=request.duration,
            limits=request.limits,
        )
        for block in decoding:
            write_message(pipe, Kind.BLOCK, block.data.cast("B"))
        write_message(pipe, Kind.REPORT, pack_report(decoding.report))
    except AudioError as error:
        write_message(pipe, Kind.ERROR, pack_json({"outcome": error.outcome, "message": str(error)}))
    except MemoryError:
        message = (
            f"{printable(request.path)}: needs more memory than a decoder may take; "
            "the file is damaged: get it again or leave it out"
        )
        write_message(pipe, Kind.ERROR, pack_json({"outcome": "corrupt", "message": message}))
    except BrokenPipeError:
        os._exit(0)
    except Exception:
        write_message(pipe, Kind.BUG, traceback.format_exc().encode())


def _enter(request: Request) -> None:
    """Follow the parent, to whose working directory a path may be relative."""
    try:
        if request.folder and request.folder != os.fsencode(Path.cwd()):
            os.chdir(request.folder)
    except OSError as error:
        raise unreadable(request.path, error) from error


def limit_memory(n_bytes: int) -> None:
    """Let the operating system refuse this process more than `n_bytes`, where it can; 0 sets no limit."""
    if not n_bytes:
        return
    try:
        import resource
    except ImportError:  # Windows
        return
    try:
        resource.setrlimit(resource.RLIMIT_AS, (n_bytes, n_bytes))
    except (OSError, ValueError):
        return


if __name__ == "__main__":
    limit_memory(int(sys.argv[1]))
    main()
