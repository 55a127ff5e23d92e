"""Connects to a running scheduler."""

import asyncio
import contextlib
import ipaddress
import queue
import re
import threading
from collections.abc import Iterator
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
    """Connect a client to the scheduler at `address`; raise ClusterError if it does not answer within ten seconds."""
    url = urlsplit(address)
    security = None
    if url.scheme == "tls":
        if settings.tls is None:
            raise ConfigurationError(f"{address} needs certificates; name them as [tls] in --cluster-config.")
        paths = [path.expanduser() for path in vars(settings.tls).values()]
        if missing := [path for path in paths if not path.is_file()]:
            raise ConfigurationError(f"There is no file {missing[0]}; correct [tls] in --cluster-config.")
        ca_file, cert_file, key_file = map(str, paths)
        security = Security(
            tls_ca_file=ca_file, tls_client_cert=cert_file, tls_client_key=key_file, require_encryption=True
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
            answer.put(None)
        except Exception as error:
            answer.put(error)

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


def _is_local(host: str) -> bool:
    """Return whether a host is the loopback of this machine."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
