"""What every resource works with."""
from typing import Annotated, Any
from fastapi import Depends, Request
def get_server(request: Request) -> Any:
    return request.app.state.server
Context = Annotated[Any, Depends(get_server)]
