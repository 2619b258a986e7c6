"""For the platform: is it alive, may it take traffic."""

from fastapi import Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import Field

from service.api.problems import problem_responses
from service.api.routing import api_router
from service.mail.model import Value

router = api_router(tags=["health"], responses=problem_responses("internal-error"))
metrics = api_router(include_in_schema=False)
"""For operators who want the metrics on the port of the API too. They are not part of the contract."""


class Health(Value):
    """The state of the service. Probes need only the HTTP status."""

    status: str = Field(description="`alive`, `ready` or `not ready`.")


@router.get("/healthz", response_model_exclude_none=True)
async def get_health() -> Health:
    """Liveness: 200 while the process runs. Depends on nothing outside the process."""
    return Health(status="alive")


@router.get(
    "/readyz",
    responses={503: {"model": Health, "description": "The service is starting or shutting down."}},
    response_model_exclude_none=True,
)
async def get_readiness(request: Request, response: Response) -> Health:
    """Readiness: 200 if the service accepts traffic, 503 while it starts and from the moment its shutdown begins."""
    if not request.app.state.is_ready:
        response.status_code = 503
        return Health(status="not ready")
    return Health(status="ready")


@metrics.get("/metrics")
async def get_metrics() -> Response:
    """All metrics of this process, in Prometheus' text format."""
    return exposition()


def exposition() -> Response:
    """The metrics in Prometheus' text format."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
