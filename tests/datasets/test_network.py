import socket
import time
from collections.abc import Iterator

import pytest

from glojax.datasets.prepared import can_connect


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine with a listening server."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts no connection and refuses none: its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(8)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for client in waiting:
            client.close()


def test_a_listening_port(port: int) -> None:
    assert can_connect(f"http://127.0.0.1:{port}/file", 2)
    assert can_connect(f"https://127.0.0.1:{port}", 2)


def test_a_closed_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    assert not can_connect(f"http://127.0.0.1:{port}", 2)


def test_gives_up_in_time(silent_port: int) -> None:
    start = time.perf_counter()

    assert not can_connect(f"http://127.0.0.1:{silent_port}", 0.2)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 64 + ".invalid", "a..b"])
def test_a_host_that_does_not_exist(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")

    assert not can_connect(f"https://{host}/file", 2)


def test_a_proxy_stands_for_the_host(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for proxy in (f"http://127.0.0.1:{port}", f"127.0.0.1:{port}"):
        monkeypatch.setenv("https_proxy", proxy)
        assert can_connect("https://nowhere.invalid", 2)
    assert not can_connect("http://nowhere.invalid", 2)


@pytest.mark.parametrize("proxy", ["http://127.0.0.1:80a", "http://127.0.0.1:99999", "http://[::1"])
def test_a_proxy_that_is_no_address(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.delenv("HTTPS_PROXY")

    assert not can_connect("https://nowhere.invalid", 2)
