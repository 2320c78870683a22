"""The models on this machine."""

from fastapi import APIRouter

from taggram.server.context import Context
from taggram.server.schemas import Model

router = APIRouter(tags=["models"])


@router.get("/models")
def list_models(server: Context) -> list[Model]:
    """List the models on this machine, the default first."""
    return server.models.all()
