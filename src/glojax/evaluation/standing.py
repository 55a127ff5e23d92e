"""Connects to a cluster that stands already."""

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

from glojax.errors import ClusterError, ConfigurationError
from glojax.evaluation.cluster_settings import StandingSettings

#: How long a scheduler may take to answer.
CONNECT_SECONDS: Final = 10


@contextlib.contextmanager
def connected(address: str, settings: StandingSettings) -> Iterator[Client]:
    """A client of the scheduler at `address`.

    Raises:
        ClusterError: It does not answer within ten seconds.
        ConfigurationError: It is to be reached encrypted and there are no certificates, or the other way round.
    """
    where = urlsplit(address)
    security = None
    if where.scheme == "tls":
        if settings.tls is None:
            raise ConfigurationError(f"{address} needs certificates; name them as [tls] in --cluster-config.")
        files = {name: _existing(path) for name, path in vars(settings.tls).items()}
        security = Security(
            tls_ca_file=files["ca_file"],
            tls_client_cert=files["cert_file"],
            tls_client_key=files["key_file"],
            require_encryption=True,
        )
    elif not (settings.unencrypted or _is_here(where.hostname or "")):
        raise ConfigurationError(
            f"{address} is on another machine, and not encrypted; give a tls:// address, or set unencrypted = true in "
            "--cluster-config, if you trust everybody on the network."
        )
    _require_answer(address, security)
    with Client(address, security=security, timeout=CONNECT_SECONDS) as client:
        yield client


def _require_answer(address: str, security: Security | None) -> None:
    """Raise ClusterError unless there is a scheduler. Dask's own timeouts do not see one that says nothing."""
    outcome = queue.SimpleQueue[Exception | None]()

    async def ask() -> None:
        arguments = {} if security is None else security.get_connection_args("client")
        async with rpc(address, timeout=CONNECT_SECONDS, connection_args=arguments) as scheduler:
            await scheduler.identity()

    def run() -> None:
        try:
            asyncio.run(ask())
        except Exception as error:
            outcome.put(error)
        else:
            outcome.put(None)

    threading.Thread(target=run, daemon=True).start()
    cause = f"nothing within {CONNECT_SECONDS} s"
    with contextlib.suppress(queue.Empty):
        # Dask tries for as long to connect, and says then why it could not.
        error = outcome.get(timeout=CONNECT_SECONDS + 1)
        if error is None:
            return
        words = re.sub(r" in <[^>]*>", "", str(error.__cause__ or error))  # where in Dask
        cause = " ".join(words.split()) or type(error).__name__
    raise ClusterError(
        f"The scheduler at {address} does not answer ({cause}); start one with `dask scheduler`, or correct the "
        "address."
    )


def _existing(path: Path) -> str:
    path = path.expanduser()
    if not path.is_file():
        raise ConfigurationError(f"There is no file {path}; correct [tls] in --cluster-config.")
    return str(path)


def _is_here(host: str) -> bool:
    """Whether a host is this machine's loopback."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"
