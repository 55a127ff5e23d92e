"""Connects to a running scheduler."""

import asyncio
import contextlib
import ipaddress
import queue
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from distributed import Client, Security
from distributed.core import rpc

from glojax.cluster.settings import SchedulerSettings
from glojax.errors import ClusterError, ConfigurationError

#: How long a scheduler may take to answer.
CONNECT_SECONDS: Final = 10


@contextlib.contextmanager
def connected(address: str, settings: SchedulerSettings) -> Iterator[Client]:
    """Connect a client to the scheduler at `address`.

    Raises:
        ClusterError: The scheduler does not answer within ten seconds.
        ConfigurationError: The address asks for encryption and there are no certificates, or the scheduler is on
            another machine and the settings do not allow unencrypted messages.
    """
    url = urlsplit(address)
    security = None
    if url.scheme == "tls":
        if settings.tls is None:
            raise ConfigurationError(f"{address} needs certificates; name them as [tls] in --cluster-config.")
        files = {name: _existing_file(path) for name, path in vars(settings.tls).items()}
        security = Security(
            tls_ca_file=files["ca_file"],
            tls_client_cert=files["cert_file"],
            tls_client_key=files["key_file"],
            require_encryption=True,
        )
    elif not (settings.unencrypted or _is_local(url.hostname or "")):
        raise ConfigurationError(
            f"{address} is on another machine, and not encrypted; give a tls:// address, or set unencrypted = true in "
            "--cluster-config, if you trust everybody on the network."
        )
    _require_answer(address, security)
    with Client(address, security=security, timeout=CONNECT_SECONDS) as client:
        yield client


def _require_answer(address: str, security: Security | None) -> None:
    """Raise ClusterError unless a scheduler answers; Dask's own timeouts do not cover one that stays silent."""
    answer = queue.SimpleQueue[Exception | None]()

    async def ask() -> None:
        arguments = {} if security is None else security.get_connection_args("client")
        async with rpc(address, timeout=CONNECT_SECONDS, connection_args=arguments) as scheduler:
            await scheduler.identity()

    def run() -> None:
        try:
            asyncio.run(ask())
        except Exception as error:
            answer.put(error)
        else:
            answer.put(None)

    threading.Thread(target=run, daemon=True).start()
    cause = f"nothing within {CONNECT_SECONDS} s"
    with contextlib.suppress(queue.Empty):
        # Dask tries to connect for the same time, and then raises the cause.
        error = answer.get(timeout=CONNECT_SECONDS + 1)
        if error is None:
            return
        message = re.sub(r" in <[^>]*>", "", str(error.__cause__ or error))  # without Dask's objects
        cause = " ".join(message.split()) or type(error).__name__
    raise ClusterError(
        f"The scheduler at {address} does not answer ({cause}); start one with `dask scheduler`, or correct the "
        "address."
    )


def _existing_file(path: Path) -> str:
    path = path.expanduser()
    if not path.is_file():
        raise ConfigurationError(f"There is no file {path}; correct [tls] in --cluster-config.")
    return str(path)


def _is_local(host: str) -> bool:
    """Return whether a host is the loopback of this machine."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
