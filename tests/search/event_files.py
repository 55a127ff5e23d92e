"""Event files of TensorBoard, read by their framing."""

import struct
from pathlib import Path
from typing import Any

from tensorboardX.proto.event_pb2 import Event


def events(folder: Path) -> list[Any]:
    """Return the events of the one file in a folder, once lengths and checksums are found right."""
    (path,) = folder.iterdir()
    content, found = path.read_bytes(), []
    while content:
        head, content = content[:12], content[12:]
        (length,), (mask,) = struct.unpack("<Q", head[:8]), struct.unpack("<I", head[8:])
        assert mask == _masked(head[:8])
        assert (struct.unpack("<I", content[length : length + 4])) == (_masked(content[:length]),)
        found.append(Event.FromString(content[:length]))
        content = content[length + 4 :]
    return found


def scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Return the steps and values of each scalar."""
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events(folder):
        for value in event.summary.value:
            found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def _masked(data: bytes) -> int:
    """Return the masked CRC-32C, bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
