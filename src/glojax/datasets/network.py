"""A check that a host can be reached, within a bounded time."""

import queue
import socket
import threading
import urllib.parse
import urllib.request


def can_connect(url: str, seconds: float) -> bool:
    """Return whether the host of an address, or the proxy for it, accepts a connection.

    Args:
        url: An http or https address.
        seconds: Time limit. It includes the look-up of the name, which the socket's own time limit does not.
    """
    try:
        address = _host_and_port(url)
    except ValueError:  # the proxy's address is invalid
        return False
    outcome: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=seconds).close()
            outcome.put(True)
        except (OSError, UnicodeError):  # UnicodeError: the host name is invalid
            outcome.put(False)

    threading.Thread(target=connect, daemon=True).start()
    try:
        return outcome.get(timeout=seconds)
    except queue.Empty:
        return False


def _host_and_port(url: str) -> tuple[str, int]:
    """Return the host and port of an address, or of the proxy for it."""
    address = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(address.scheme)
    if proxy and not urllib.request.proxy_bypass(address.hostname or ""):
        address = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
