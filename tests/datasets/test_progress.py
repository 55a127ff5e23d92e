import io
import logging
from pathlib import Path

from rich.console import Console

from glojax.datasets.progress import FetchDisplay

LOGGER = logging.getLogger("glojax.datasets.somewhere")


def test_plain_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()

    with FetchDisplay(Console(file=out)):
        LOGGER.info("Reading %s", "MNIST")
        LOGGER.warning("The cache is damaged.")
        LOGGER.debug("Not for people.")
    LOGGER.info("Too late.")

    assert out.getvalue() == "Reading MNIST\nwarning: The cache is damaged.\n"


def test_a_terminal_shows_how_much_has_come(tmp_path: Path) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80)
    (tmp_path / "before").write_bytes(bytes(5_000_000))

    with FetchDisplay(console) as display:
        LOGGER.info("Downloading", extra={"folder": tmp_path, "num_bytes": 3_000_000})
        (tmp_path / "new").mkdir()
        (tmp_path / "new" / "file").write_bytes(bytes(2_000_000))
        console.print(display._render())
        LOGGER.info("Reading")
        (tmp_path / "more").write_bytes(bytes(2_000_000))
        console.print(display._render())

    assert "0 s, 2.0 of 3.0 MB  Downloading" in out.getvalue()
    assert "0 s  Reading" in out.getvalue()


def test_leaves_the_logger_as_it_was() -> None:
    logger = logging.getLogger("glojax.datasets")
    before = (logger.level, logger.propagate, list(logger.handlers))

    with FetchDisplay(Console(file=io.StringIO())):
        assert logger.isEnabledFor(logging.INFO)

    assert (logger.level, logger.propagate, logger.handlers) == before
