"""A page, as a parser of HTML reads it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Reads a page.

    Attributes:
        tags: The names of its elements.
        texts: Each text between two tags.
        code: The texts of its `pre` elements.
        values: Each value of an attribute, with its name.
    """

    def __init__(self, source: str):
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.code: list[str] = []
        self.values: list[tuple[str, str]] = []
        self.feed(source)
        self.close()

    @property
    def text(self) -> str:
        return " ".join(self.texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self.tags[-1:] == ["pre"]:
            self.code.append(data)
