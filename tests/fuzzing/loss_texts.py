"""Loss expressions by the million: each is a tree that keeps all promises, or an error that says why not.

    python -m tests.fuzzing.loss_texts grammar --texts 500000
    pip install -e '.[fuzz]' && python -m tests.fuzzing.loss_texts atheris --texts 500000

`grammar` writes expressions and breaks them; `atheris`, which is libFuzzer, looks for bytes that take new ways through
the code. What came of them is added to `results/loss_texts.json`; a run that was stopped goes on from there. The exit
status is 1 if a promise was broken.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable
from datetime import datetime
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks import machine
from tests.fuzzing.tally import MEMORY_LIMIT_MB, TIME_LIMIT, Tally

RESULTS = Path(__file__).parent / "results" / "loss_texts.json"

#: Texts after which the results are written.
BLOCK = 5_000
#: How many texts of the grammar atheris begins with, and the longest that it makes of them, in bytes.
NUM_SEED_TEXTS = 500
MAX_BYTES = 3_000


def main(arguments: list[str]) -> None:
    """Try texts until there are as many as asked for, and exit."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing.loss_texts")
    parser.add_argument("engine", choices=("grammar", "atheris"), help="where texts come from")
    parser.add_argument("--texts", type=int, default=500_000, help="how many in all, earlier runs included")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the file to add to")
    options = parser.parse_args(arguments)
    warnings.simplefilter("error")
    run = by_grammar if options.engine == "grammar" else by_atheris
    run(options.texts, options.results)


def by_grammar(num_texts: int, results: Path) -> None:
    """Texts of the grammar."""
    from tests.fuzzing.promises import outcome
    from tests.fuzzing.texts import texts

    tally = earlier("grammar", results)
    while tally.texts < num_texts:
        for text in islice(texts(seed=tally.texts), min(BLOCK, num_texts - tally.texts)):
            tally.add(text, outcome)
        save("grammar", tally, results)
    sys.exit(not tally.holds)


def by_atheris(num_texts: int, results: Path) -> None:
    """Texts that libFuzzer makes."""
    import atheris

    with atheris.instrument_imports(include=["glojax.expressions"]):
        from tests.fuzzing.promises import outcome
    from tests.fuzzing.texts import PIECES, texts

    tally = earlier("atheris", results)
    folder = Path(tempfile.mkdtemp(prefix="glojax-fuzzing-"))

    def try_bytes(data: bytes) -> None:
        if tally.texts < num_texts:
            tally.add(data.decode("utf-8", "surrogateescape"), outcome)
        if tally.texts % BLOCK == 0 or tally.texts >= num_texts:
            save("atheris", tally, results)
        if tally.texts >= num_texts:
            shutil.rmtree(folder)
            os._exit(not tally.holds)  # libFuzzer knows no other way to end

    corpus = folder / "corpus"
    corpus.mkdir()
    for number, text in enumerate(islice(texts(seed=0), NUM_SEED_TEXTS)):
        (corpus / str(number)).write_bytes(text.encode("utf-8", "surrogatepass")[:MAX_BYTES])
    dictionary = folder / "dictionary"
    dictionary.write_text("\n".join(quoted(PIECES)))
    options = [f"-seed={tally.texts + 1}", f"-max_len={MAX_BYTES}", f"-dict={dictionary}", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, "-rss_limit_mb=0", str(corpus)], try_bytes)
    atheris.Fuzz()


def quoted(pieces: Iterable[str]) -> list[str]:
    """The shorter ones as libFuzzer reads a dictionary."""
    encoded = [piece.encode("utf-8", "surrogatepass") for piece in pieces if len(piece) < 20]
    return ['"' + "".join(f"\\x{byte:02x}" for byte in piece) + '"' for piece in encoded]


def earlier(engine: str, results: Path) -> Tally:
    """What has come of texts so far."""
    fields = read(results)["engines"].get(engine)
    return Tally.from_json(fields["tally"]) if fields else Tally()


def save(engine: str, tally: Tally, results: Path) -> None:
    """Put what came of texts in the place of what was known before."""
    fields = read(results)
    fields["engines"][engine] = {
        "measured": datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": machine.commit(),
        "processor": machine.processor(),
        "versions": machine.versions() | ({"atheris": version("atheris")} if engine == "atheris" else {}),
        "tally": tally.as_json(),
    }
    results.parent.mkdir(exist_ok=True)
    new = results.with_suffix(".new")
    new.write_text(json.dumps(fields, indent=2) + "\n")
    new.replace(results)


def read(results: Path) -> dict[str, Any]:
    """The results so far."""
    limits = {"time_limit_seconds": TIME_LIMIT, "memory_limit_mb": MEMORY_LIMIT_MB}
    fields: dict[str, Any] = json.loads(results.read_text()) if results.exists() else {"engines": {}}
    return limits | fields


if __name__ == "__main__":
    main(sys.argv[1:])
