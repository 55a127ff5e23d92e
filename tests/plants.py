"""What may stand in the place of a file: links to a victim, pipes, devices and sockets."""

import os
import socket
from pathlib import Path


def symbolic_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim)


def dangling_link(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("nothing"))


def link_to_itself(path: Path, victim: Path) -> None:
    path.symlink_to(path.name)


def hard_link(path: Path, victim: Path) -> None:
    path.hardlink_to(victim)


def pipe(path: Path, victim: Path) -> None:
    os.mkfifo(path)


def device(path: Path, victim: Path) -> None:
    path.symlink_to("/dev/zero")


def bound_socket(path: Path, victim: Path) -> None:
    folder = Path.cwd()
    os.chdir(path.parent)  # a socket's path may have some hundred characters
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)
    os.chdir(folder)


PLANTS = (symbolic_link, dangling_link, link_to_itself, hard_link, pipe, device, bound_socket)
