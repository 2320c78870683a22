"""Whatever the OpenAPI document allows or forbids: the server answers as it says, and never fails."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from taggram.server.openapi import make_document
from tests.server.conftest import API, Service, fill_library, serving, write_song

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
ENDLESS = f"{API}/jobs/events"


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A server of its own, with some of everything, that may come to any harm."""
    music = tmp_path_factory.mktemp("fuzzed") / "music"
    for seed in range(3):
        write_song(music / f"{seed}.wav", seed, duration=1.5)
    fill_library(music.parent / "library.db", music)
    with serving(music.parent) as service:
        yield service


def document() -> dict[str, Any]:
    from fastapi import FastAPI

    from taggram.server.openapi import add_routes

    app = FastAPI()
    add_routes(app)
    return make_document(app)


schema = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig())


@schema.exclude(path=ENDLESS).parametrize()
@settings(
    max_examples=12,
    derandomize=True,
    database=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.filter_too_much,
    ],
)
def test_every_operation(case: "schemathesis.Case[Any]", fuzzed: Service) -> None:
    answer = case.call(base_url=f"http://127.0.0.1:{fuzzed.port}")
    case.validate_response(answer, checks=CHECKS)


def test_the_document_is_of_version_3_1_and_whole() -> None:
    found = document()
    assert found["openapi"].startswith("3.1")
    operations = [operation for path in found["paths"].values() for operation in path.values()]
    assert len(operations) > 50
    for operation in operations:
        assert operation["summary"]
        assert operation["description"], "what it does, for people"
        assert "application/problem+json" in operation["responses"]["default"]["content"]


def test_the_document_is_served_and_written(client: TestClient, capsys: pytest.CaptureFixture[str]) -> None:
    from taggram.server.openapi import main

    main()
    written = json.loads(capsys.readouterr().out)
    assert client.get("/openapi.json").json() == written
    assert client.get(f"{API}/openapi.json").json() == written


def test_every_resource_is_in_the_catalogue() -> None:
    from taggram.server import resources

    folder = Path(resources.__file__).parent
    assert len(resources.ROUTERS) == len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
