"""The database: made, migrated, shared, and refused when it is not ours."""

import sqlite3
import threading
from pathlib import Path

import pytest

from taggram.errors import LibraryError
from taggram.library import Library, database
from taggram.library.database import MIGRATIONS, connect, default_path, transaction


def tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


def test_a_new_library_has_every_table_and_pragma(tmp_path: Path) -> None:
    connection = connect(tmp_path / "new" / "library.db")
    assert {"recording", "file", "root", "model", "analysis", "taggram", "settings"} <= tables(connection)
    pragmas = ("journal_mode", "foreign_keys", "user_version", "application_id")
    found = [connection.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas]
    assert found == ["wal", 1, len(MIGRATIONS), database.APPLICATION_ID]
    connection.close()


def test_every_version_migrates_to_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    following = """
        CREATE TABLE more (x);
        CREATE TRIGGER t AFTER INSERT ON more BEGIN SELECT 1; SELECT 2; END;
    """
    for version in range(1, len(MIGRATIONS) + 1):
        path = tmp_path / f"{version}.db"
        with monkeypatch.context() as patch:
            patch.setattr(database, "MIGRATIONS", MIGRATIONS[:version])
            connect(path).close()
        with monkeypatch.context() as patch:
            patch.setattr(database, "MIGRATIONS", (*MIGRATIONS, following))
            connection = connect(path)
            assert {"file", "more", "t"} <= tables(connection)
            assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS) + 1,)
            connection.close()


def test_a_migration_that_fails_leaves_all_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "library.db"
    connect(path).close()
    before = path.read_bytes()
    monkeypatch.setattr(
        database, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE more (x);\nCREATE TABLE file (x);")
    )
    with pytest.raises(LibraryError, match="already exists"):
        connect(path)
    monkeypatch.undo()
    connection = connect(path)
    assert "more" not in tables(connection)
    connection.close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("attempt", range(5))
def test_programs_may_make_the_same_library_at_once(tmp_path: Path, attempt: int) -> None:
    del attempt
    errors: list[Exception] = []

    def make() -> None:
        try:
            connect(tmp_path / "library.db").close()
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    with Library.open(tmp_path / "library.db", must_exist=True) as library:
        assert library.check_integrity() == ()


def test_a_newer_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    connection = connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(LibraryError, match=r"newer Taggram \(schema 99, this one knows \d+\): update"):
        connect(path)


def test_the_database_of_another_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE file (x)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(LibraryError, match=r"other\.db: is the database of another program"):
        connect(path)
    assert path.read_bytes() == before


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "song.mp3"
    path.write_bytes(b"ID3" + bytes(5000))
    with pytest.raises(LibraryError, match="not a database; the file is damaged or no library"):
        connect(path)
    with pytest.raises(LibraryError, match="check the path"):
        connect(tmp_path)


def test_damage_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "library.db"
    with Library.open(path) as library, library.transaction() as connection:
        for number in range(2000):
            connection.execute(
                "INSERT INTO file (path, size, mtime_ns) VALUES (?, 0, 0)", (b"/%d" % number * 9,)
            )
    data = bytearray(path.read_bytes())
    data[20 * 4096 : 24 * 4096] = b"\xff" * (4 * 4096)
    path.write_bytes(data)
    with Library.open(path) as library:
        with pytest.raises(LibraryError, match="malformed; the file is damaged"):
            list(library.files())
        assert library.check_integrity() != ()


def test_it_must_exist_if_asked(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="`taggram library add DIR` makes one"):
        connect(tmp_path / "none.db", must_exist=True)
    assert not list(tmp_path.iterdir())


def test_a_transaction_is_all_or_nothing(tmp_path: Path) -> None:
    connection = connect(tmp_path / "library.db")

    def begin_and_fail() -> None:
        with transaction(connection):
            connection.execute("INSERT INTO root VALUES (x'61')")
            with transaction(connection):
                connection.execute("INSERT INTO root VALUES (x'62')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        begin_and_fail()
    assert connection.execute("SELECT count(*) FROM root").fetchone() == (0,)
    with transaction(connection):
        connection.execute("INSERT INTO root VALUES (x'61')")
    assert connection.execute("SELECT count(*) FROM root").fetchone() == (1,)
    connection.close()


def test_a_busy_library_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT", 0.05)
    with Library.open(tmp_path / "l.db") as one, Library.open(tmp_path / "l.db") as other:
        with one.transaction() as connection:
            connection.execute("INSERT INTO root VALUES (x'61')")
            assert other.roots() == ()  # readers see the state before, and do not wait
            with (
                pytest.raises(LibraryError, match=r"locked; another program is writing"),
                other.transaction(),
            ):
                pass
        assert len(other.roots()) == 1


def test_the_environment_names_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAGGRAM_LIBRARY", str(tmp_path / "mine.db"))
    assert default_path() == tmp_path / "mine.db"
    with Library.open() as library:
        assert library.path == tmp_path / "mine.db"
    monkeypatch.delenv("TAGGRAM_LIBRARY")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert default_path().name == "library.db"
