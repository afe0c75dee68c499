"""`python -m provider_api`: the API alone, with settings from the environment. What a container runs."""

from __future__ import annotations

import sys

import uvicorn
from pydantic import ValidationError

from provider_api.app import create_app
from provider_api.http.protocol import protocol_for
from provider_api.settings import PREFIX, load_settings
from provider_api.settings.text import problems
from provider_api.telemetry.logs import configure_logging

KEEP_ALIVE_SECONDS = 75  # longer than proxies in front keep idle connections, or they would use one that just closes


def main() -> None:
    try:
        settings = load_settings()
    except ValidationError as wrong:
        sys.exit(f"settings: {problems(wrong, PREFIX)}")
    except ValueError as problem:
        sys.exit(f"settings: {problem}")
    configure_logging(settings.log)
    uvicorn.run(
        create_app(settings),
        host=settings.server.host,
        port=settings.server.port,
        http=protocol_for(settings.server),
        proxy_headers=bool(settings.server.trusted_proxies),
        forwarded_allow_ips=list(settings.server.trusted_proxies),
        access_log=False,
        server_header=False,
        log_config=None,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.server.shutdown_seconds,
    )


if __name__ == "__main__":
    main()
