"""Who is let in: each test is a row of the table of threats in docs/server.md."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from taggram.errors import TaggramError
from taggram.server.guard import COOKIE, is_allowed_host
from taggram.server.settings import Limits, Settings
from tests.server.conftest import ADDRESS, API, make_settings, running

TOKEN = "correct horse battery staple"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guarded")


@pytest.fixture(scope="module")
def guarded(folder: Path) -> Iterator[TestClient]:
    """A server with a token."""
    with running(make_settings(folder, token=TOKEN)) as client:
        yield client


@pytest.fixture
def stranger(guarded: TestClient) -> Iterator[TestClient]:
    """A client of the same server who has nothing yet."""
    guarded.cookies.clear()
    yield guarded
    guarded.cookies.clear()


def test_beyond_this_machine_a_token_is_needed() -> None:
    with pytest.raises(TaggramError, match="needs a token"):
        Settings(host="0.0.0.0")
    with pytest.raises(TaggramError, match="could be guessed"):
        Settings(host="0.0.0.0", token="short")
    assert Settings(host="127.0.0.1").token is None
    assert Settings(host="::1").token is None


def test_without_the_token_nothing_is_told(stranger: TestClient) -> None:
    for path in ("/library", "/tracks", "/jobs", "/models", "/jobs/events", "/openapi.json"):
        answer = stranger.get(f"{API}{path}")
        assert answer.status_code == 401, path
        assert answer.headers["www-authenticate"] == "Bearer"
    assert stranger.get("/metrics").status_code == 401
    assert stranger.post(f"{API}/analyses", files={"file": b"x"}).status_code == 401
    health = stranger.get(f"{API}/health").json()
    assert (health["status"], health["library"], health["queue"]) == ("ok", None, None)


@pytest.mark.parametrize("given", ["", "wrong", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "ä"])
def test_a_wrong_token_is_none(stranger: TestClient, given: str) -> None:
    header = {"Authorization": f"Bearer {given}".encode()}
    assert stranger.get(f"{API}/models", headers=header).status_code == 401  # type: ignore[arg-type]
    answer = stranger.post(f"{API}/session", json={"token": given})
    assert answer.status_code in (401, 422)
    assert COOKIE not in answer.cookies


def test_programs_send_the_token_in_a_header(stranger: TestClient) -> None:
    assert stranger.get(f"{API}/models", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_page_changes_the_token_for_a_cookie_and_back(stranger: TestClient) -> None:
    answer = stranger.post(f"{API}/session", json={"token": TOKEN})
    cookie = answer.headers["set-cookie"].lower()
    assert answer.status_code == 204
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    session = stranger.cookies[COOKIE]
    assert stranger.get(f"{API}/models").status_code == 200
    assert stranger.delete(f"{API}/session", headers={"X-Taggram": "1"}).status_code == 204
    stranger.cookies.set(COOKIE, session)
    assert stranger.get(f"{API}/models").status_code == 401, "an ended session is worth nothing"


def test_a_cookie_outlives_the_server_but_not_the_token(folder: Path, stranger: TestClient) -> None:
    stranger.post(f"{API}/session", json={"token": TOKEN})
    session = stranger.cookies[COOKIE]
    cookie = {"Cookie": f"{COOKIE}={session}"}
    with running(make_settings(folder, token=TOKEN)) as again:
        assert again.get(f"{API}/models", headers=cookie).status_code == 200
    with running(make_settings(folder, token="another token, long enough")) as other:
        assert other.get(f"{API}/models", headers=cookie).status_code == 401


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "localhost.evil"]
)
def test_another_name_for_this_machine_is_refused(client: TestClient, host: str) -> None:
    """DNS rebinding: the name of a page is made to resolve to this machine."""
    for path in (f"{API}/models", "/", "/metrics"):
        answer = client.get(path, headers={"Host": host})
        assert answer.status_code == 400, path


@pytest.mark.parametrize("host", ["localhost:8765", "127.0.0.1", "[::1]:8765"])
def test_the_own_names_are_let_in(client: TestClient, host: str) -> None:
    assert client.get(f"{API}/models", headers={"Host": host}).status_code == 200


def test_behind_a_proxy_its_name_is_allowed() -> None:
    everywhere = Settings(host="0.0.0.0", token=TOKEN, allowed_hosts=("Music.example.org",))
    assert is_allowed_host("music.example.org", everywhere)
    assert is_allowed_host("192.168.1.7:8765", everywhere), "an address is no name that could be made to lie"
    assert not is_allowed_host("evil.example", everywhere)
    assert not is_allowed_host("192.168.1.7:8765", Settings())


FOREIGN: tuple[dict[str, str], ...] = (
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:9999"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_other_sites_may_neither_write_nor_read(client: TestClient, headers: dict[str, str]) -> None:
    before = client.get(f"{API}/jobs").json()
    assert client.post(f"{API}/library/scan", headers={**headers, "X-Taggram": "1"}).status_code == 403
    assert client.get(f"{API}/tracks", headers=headers).status_code == 403
    assert client.get(f"{API}/jobs").json() == before


def test_a_form_of_another_site_lacks_the_header(client: TestClient) -> None:
    """Also from a browser that tells no origin, if it has a cookie to send."""
    for headers in ({"Origin": ADDRESS}, {"Sec-Fetch-Site": "same-origin"}, {"Cookie": "a=b"}):
        assert client.post(f"{API}/library/scan", headers=headers).status_code == 403
    own = {"Origin": ADDRESS, "Sec-Fetch-Site": "same-origin", "X-Taggram": "1"}
    wrong = client.post(f"{API}/plans", json={"nonsense": 1}, headers=own)
    assert wrong.status_code == 422, "it was let in, and understood"


def test_every_answer_forbids_what_a_page_does_not_need(client: TestClient) -> None:
    for path in ("/", "/nothing.txt", f"{API}/models", f"{API}/jobs/{'0' * 32}", f"{API}/tracks?limit=x"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in headers
    assert client.get(f"{API}/models").headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/../settings.py",
        "/%2e%2e/settings.py",
        "/assets/..%2f..%2fsettings.py",
        "//etc/passwd",
        "/..\\app.py",
    ],
)
def test_the_page_gives_no_file_beside_itself(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert "Settings" not in answer.text
    assert "root:" not in answer.text


def test_a_track_whose_link_leads_elsewhere_is_not_played(music: Path, client: TestClient) -> None:
    secret = music.parent / "secret.wav"
    track = next(t for t in client.get(f"{API}/tracks").json()["items"] if t["path"] == "album 1/song 1.wav")
    path = music / track["path"]
    assert client.get(f"{API}/tracks/{track['id']}/audio").status_code == 200
    path.rename(secret)
    try:
        path.symlink_to(secret)
        for what in ("audio", "peaks"):
            answer = client.get(f"{API}/tracks/{track['id']}/{what}")
            assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "outside")
    finally:
        path.unlink()
        secret.rename(path)
    assert client.get(f"{API}/tracks/{track['id']}/audio").status_code == 200


def test_bodies_are_limited(tmp_path: Path) -> None:
    with running(make_settings(tmp_path, limits=Limits(n_workers=1, request_bytes=1000))) as client:

        def pieces() -> Iterator[bytes]:  # of no announced length
            for _ in range(100):
                yield b" " * 100

        for body in (b" " * 2000, pieces()):
            answer = client.post(f"{API}/plans", content=body, headers={"Content-Type": "application/json"})
            assert answer.status_code == 413


def test_an_error_of_ours_tells_nothing_of_the_inside(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("the secret of the inside")

    monkeypatch.setattr(client.app.state.server.models, "all", fail)  # type: ignore[attr-defined]
    answer = client.get(f"{API}/models")
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert "secret" not in answer.text
    assert "content-security-policy" in answer.headers
