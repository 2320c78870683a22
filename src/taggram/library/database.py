"""The database of a library: one SQLite file, opened safely and brought up to date.

    recording   one piece of sound, known by the hash of its packets
    file        one path, with what was found there and the recording it holds
    root        a directory that the user added
    model       one set of weights that has listened
    analysis    what one model heard in one recording: scores and embedding
    taggram     the same over time; apart, so that reading all scores passes over few pages
    own_tag     a tag of the user's; own_tag_example: sounds that have it or not; own_tag_classifier: learned
    settings    one row: which library this is

Conventions: paths are `os.fsencode(absolute path)`; times are Unix seconds, durations seconds; arrays
are stored as `taggram.library.tracks` packs them. A commit in WAL mode is never half there, whatever
ends the program; only a failing power supply may cost the last commits, and never the rest.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from taggram.errors import LibraryError

LIBRARY_VARIABLE = "TAGGRAM_LIBRARY"
FILE_NAME = "library.db"
APPLICATION_ID = 0x5467726D  # "Tgrm", in the header of every library
BUSY_TIMEOUT = 60.0
"""Seconds to wait for another program that is writing."""

MIGRATIONS: tuple[str, ...] = (
    # 1: the library
    """
    CREATE TABLE settings (library_id TEXT NOT NULL);
    INSERT INTO settings VALUES (lower(hex(randomblob(16))));

    CREATE TABLE recording (
        id INTEGER PRIMARY KEY,
        audio_hash BLOB NOT NULL UNIQUE,
        duration REAL,
        container TEXT NOT NULL,
        codec TEXT NOT NULL,
        sample_rate INTEGER NOT NULL,
        n_channels INTEGER NOT NULL
    );

    CREATE TABLE root (path BLOB PRIMARY KEY) WITHOUT ROWID;

    -- outcome is NULL until the file has been looked at
    CREATE TABLE file (
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        recording_id INTEGER REFERENCES recording,
        outcome TEXT,
        message TEXT NOT NULL DEFAULT '',
        fields TEXT NOT NULL DEFAULT '{}',
        scanned_at REAL,
        is_missing INTEGER NOT NULL DEFAULT 0
    );
    CREATE INDEX file_recording ON file (recording_id);
    CREATE INDEX file_missing ON file (id) WHERE is_missing;

    CREATE TABLE model (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL,
        weights_sha256 TEXT NOT NULL UNIQUE,
        specification TEXT NOT NULL,
        n_changes INTEGER NOT NULL DEFAULT 0,
        used_at REAL NOT NULL DEFAULT 0
    );

    CREATE TABLE analysis (
        model_id INTEGER NOT NULL REFERENCES model ON DELETE CASCADE,
        recording_id INTEGER NOT NULL REFERENCES recording ON DELETE CASCADE,
        outcome TEXT NOT NULL,
        message TEXT NOT NULL,
        created_at REAL NOT NULL,
        scores BLOB,
        embedding BLOB,
        PRIMARY KEY (model_id, recording_id)
    );
    CREATE INDEX analysis_recording ON analysis (recording_id);

    CREATE TABLE taggram (
        model_id INTEGER NOT NULL,
        recording_id INTEGER NOT NULL,
        chunk_hop REAL NOT NULL,
        last_chunk REAL NOT NULL,
        n_chunks INTEGER NOT NULL,
        scores BLOB NOT NULL,
        PRIMARY KEY (model_id, recording_id),
        FOREIGN KEY (model_id, recording_id) REFERENCES analysis ON DELETE CASCADE
    );

    CREATE TRIGGER analysis_added AFTER INSERT ON analysis BEGIN
        UPDATE model SET n_changes = n_changes + 1, used_at = max(used_at, NEW.created_at)
        WHERE id = NEW.model_id;
    END;
    CREATE TRIGGER analysis_removed AFTER DELETE ON analysis BEGIN
        UPDATE model SET n_changes = n_changes + 1 WHERE id = OLD.model_id;
    END;
    """,
    # 2: the user's own tags; examples are known by their sound, which may not be in the library
    """
    CREATE TABLE own_tag (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        category TEXT NOT NULL,
        created_at REAL NOT NULL
    );
    CREATE TABLE own_tag_example (
        own_tag_id INTEGER NOT NULL REFERENCES own_tag ON DELETE CASCADE,
        audio_hash BLOB NOT NULL,
        is_accepted INTEGER NOT NULL,
        created_at REAL NOT NULL,
        PRIMARY KEY (own_tag_id, audio_hash)
    ) WITHOUT ROWID;
    -- what was learned from the examples, until they change
    CREATE TABLE own_tag_classifier (
        own_tag_id INTEGER NOT NULL REFERENCES own_tag ON DELETE CASCADE,
        model_id INTEGER NOT NULL REFERENCES model ON DELETE CASCADE,
        weights BLOB NOT NULL,
        intercept REAL NOT NULL,
        adds_to_model INTEGER NOT NULL,
        quality TEXT NOT NULL,
        created_at REAL NOT NULL,
        PRIMARY KEY (own_tag_id, model_id)
    );
    """,
)
"""SQL that leads from each version of the schema to the next; the version is SQLite's `user_version`.

What has been released is never edited: a change is one more migration at the end.
"""


def default_path() -> Path:
    """Return where the user's own library lies; the environment variable `TAGGRAM_LIBRARY` comes first."""
    if chosen := os.environ.get(LIBRARY_VARIABLE):
        return Path(chosen).expanduser().resolve()
    from platformdirs import user_data_path

    return user_data_path("taggram", appauthor=False) / FILE_NAME


def connect(path: Path, *, must_exist: bool = False, is_passed_on: bool = False) -> sqlite3.Connection:
    """Open the database at `path`, make it if need be, and bring its schema up to date.

    The connection is in autocommit mode; `transaction` groups statements. It belongs to one thread,
    unless it `is_passed_on` from one to the other.

    Raises
    ------
    LibraryError
        If there is none but it must exist, or the file is damaged, no library, written by a newer
        version, or cannot be opened.
    """
    if must_exist and not path.exists():
        raise LibraryError(f"{path}: there is no library yet; `taggram library add DIR` makes one")
    with explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=not is_passed_on
        )
        try:
            _check_identity(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")  # a commit does not wait for the disk
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute("PRAGMA recursive_triggers = ON")  # so that REPLACE counts as a removal
            connection.execute("PRAGMA cache_size = -32768")  # KiB
            _migrate(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Do all of a block or nothing of it; a block within a block belongs to the outer one."""
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.OperationalError):  # SQLite rolls back by itself when a disk is full
            connection.execute("ROLLBACK")
        raise


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite and the operating system raise into a `LibraryError` with cause and remedy."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise LibraryError(f"{path}: {error}; {_remedy(error)}") from error


def check_integrity(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return what is wrong with the database, as SQLite says it; nothing if it is whole."""
    damage: list[str] = []
    try:
        damage += [row[0] for row in connection.execute("PRAGMA integrity_check") if row[0] != "ok"]
        damage += [
            f"row {row} of {table} refers to a row of {other} that is not there"
            for table, row, other, _ in connection.execute("PRAGMA foreign_key_check")
        ]
    except sqlite3.DatabaseError as error:  # damage that even the check stumbles over
        damage.append(str(error))
    return tuple(damage)


def _remedy(error: sqlite3.Error | OSError) -> str:
    text = str(error)
    if "locked" in text:
        return "another program is writing to the library: wait for it, or end it"
    if "full" in text:
        return "free some space and go on: nothing that was stored before is lost"
    if "malformed" in text or "not a database" in text:
        return "the file is damaged or no library: put a copy back, or move it away and add your music anew"
    return "check the path, the permissions and the disk"


def _check_identity(connection: sqlite3.Connection, path: Path) -> None:
    # One statement sees one state, also while another program makes the tables.
    ((application_id, n_tables),) = connection.execute(
        "SELECT application_id, (SELECT count(*) FROM sqlite_master) FROM pragma_application_id"
    )
    if n_tables and application_id != APPLICATION_ID:
        raise LibraryError(f"{path}: is the database of another program; name another file")


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    if _version(connection) == len(MIGRATIONS):
        return
    with transaction(connection):  # another program may do the same at the same moment
        version = _version(connection)
        if version > len(MIGRATIONS):
            raise LibraryError(
                f"{path}: was written by a newer Taggram (schema {version}, this one knows "
                f"{len(MIGRATIONS)}): update Taggram"
            )
        for script in MIGRATIONS[version:]:
            for statement in _statements(script):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")


def _version(connection: sqlite3.Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _statements(script: str) -> Iterator[str]:
    """Split a script at lines that end a statement; `executescript` would end the transaction around it."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
