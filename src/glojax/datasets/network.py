"""Whether a host can be reached, within a bounded time."""

import queue
import socket
import threading
import urllib.parse
import urllib.request


def can_connect(url: str, seconds: float) -> bool:
    """Try to connect to an address's host, or to the proxy that leads to it.

    Args:
        url: An http or https address.
        seconds: How long to try. Name look-ups count, which the socket's own time limit leaves out.

    Returns:
        Whether the host accepted a connection.
    """
    try:
        address = _host_and_port(url)
    except ValueError:  # from a proxy's address that is none
        return False
    outcome: queue.SimpleQueue[bool] = queue.SimpleQueue()

    def connect() -> None:
        try:
            socket.create_connection(address, timeout=seconds).close()
            outcome.put(True)
        except (OSError, UnicodeError):  # the latter from host names that cannot exist
            outcome.put(False)

    threading.Thread(target=connect, daemon=True).start()
    try:
        return outcome.get(timeout=seconds)
    except queue.Empty:
        return False


def _host_and_port(url: str) -> tuple[str, int]:
    """Of an address, or of the proxy that leads to it."""
    address = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(address.scheme)
    if proxy and not urllib.request.proxy_bypass(address.hostname or ""):
        address = urllib.parse.urlsplit(proxy if "//" in proxy else f"//{proxy}")
    return address.hostname or "", address.port or (443 if address.scheme == "https" else 80)
