"""Look at one file without decoding it: which recording it holds, and its file tags.

Run as `python -m taggram.library.examine`, this is the child process of an `Examiner`: it reads one
path a line on its standard input, as hexadecimal bytes, and answers each with one line of JSON. It ends
with its parent, so that it never outlives it.
"""

import json
import os
import signal
import sys
import threading
import traceback
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple, NoReturn

from taggram.audio.container import printable, unreadable
from taggram.audio.worker import limit_memory
from taggram.errors import AudioError, FileTagError
from taggram.library.audio_hash import identify
from taggram.library.file_tags.containers import read_fields
from taggram.library.tracks import Fields, Identity

READY = "ready"
"""The first line that the child writes."""


class Examination(NamedTuple):
    """What was found in one file.

    Attributes
    ----------
    size, mtime_ns
        Bytes and nanoseconds, from before the file was read.
    identity
        Which recording it holds.
    fields
        Its file tags.
    note
        What is wrong with the file tags; empty if nothing is.
    """

    size: int
    mtime_ns: int
    identity: Identity
    fields: Fields
    note: str = ""


def examine(path: Path) -> Examination:
    """Look at one file in this process.

    Raises
    ------
    AudioError
        As `taggram.library.audio_hash.identify` does.
    OSError
        If there is no such file.
    """
    status = path.stat()
    identity = identify(path)
    try:
        fields, note = read_fields(path), ""
    except FileTagError as error:
        fields, note = {}, f"its file tags cannot be read: {error}"
    return Examination(status.st_size, status.st_mtime_ns, identity, fields, note)


def pack(examination: Examination) -> dict[str, Any]:
    """Return an examination as plain JSON."""
    identity = examination.identity
    plain = identity._replace(audio_hash=b"")._asdict() | {"audio_hash": identity.audio_hash.hex()}
    return {**examination._asdict(), "identity": plain}


def unpack(plain: dict[str, Any]) -> Examination:
    """Restore an examination."""
    identity = plain["identity"]
    identity["audio_hash"] = bytes.fromhex(identity["audio_hash"])
    fields = {name: tuple(values) for name, values in plain["fields"].items()}
    return Examination(**{**plain, "identity": Identity(**identity), "fields": fields})


def _answer(path: Path) -> dict[str, Any]:
    try:
        return {"found": pack(examine(path))}
    except AudioError as error:
        return {"outcome": error.outcome, "message": str(error)}
    except OSError as error:
        return {"outcome": "unreadable", "message": str(unreadable(path, error))}
    except MemoryError:
        message = f"{printable(path)}: needs more memory than there is; the file is damaged: get it again"
        return {"outcome": "corrupt", "message": message}
    except Exception:
        message = (
            f"{printable(path)}: could not be examined, by an error in Taggram itself; please report it: "
            f"{traceback.format_exc()}"
        )
        return {"outcome": "corrupt", "message": message}


def main() -> NoReturn:
    """Say that it is ready, and answer until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    limit_memory(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    paths: SimpleQueue[Path] = SimpleQueue()
    threading.Thread(target=_listen, args=(paths,), daemon=True).start()
    print(READY, flush=True)
    while True:
        print(json.dumps(_answer(paths.get())), flush=True)


def _listen(paths: "SimpleQueue[Path]") -> None:
    """Pass paths on; end the process with the parent, even in the middle of a file."""
    for line in sys.stdin:
        paths.put(Path(os.fsdecode(bytes.fromhex(line))))
    os._exit(0)


if __name__ == "__main__":
    main()
