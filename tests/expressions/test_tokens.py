import pytest
from hypothesis import given, strategies as st

from glojax.errors import ExpressionError
from glojax.expressions.tokens import MAX_TEXT_LENGTH, MAX_TOKENS, error_at, tokenize


def test_reads_numbers_names_and_signs() -> None:
    tokens = tokenize(" 1.5e-3*log(y**2)")
    assert [token.text for token in tokens] == ["1.5e-3", "*", "log", "(", "y", "**", "2", ")", ""]
    assert [token.position for token in tokens] == [1, 7, 8, 11, 12, 13, 15, 16, 17]


@pytest.mark.parametrize("text", ["1.", ".5", "1.5", "1e5", "1E+5", "0.1e-07"])
def test_a_point_or_an_exponent_makes_a_decimal(text: str) -> None:
    assert [token.kind for token in tokenize(text)] == ["decimal", "end"]


@given(st.text(alphabet="xy+-*/^()., \n0123456789eE"))
def test_tokens_are_the_text_without_its_spaces(text: str) -> None:
    try:
        tokens = tokenize(text)
    except ExpressionError:
        return
    assert "".join(token.text for token in tokens) == "".join(text.split())
    assert all(text.startswith(token.text, token.position) for token in tokens)


def test_a_long_text_is_an_error() -> None:
    tokenize(" " * MAX_TEXT_LENGTH)
    with pytest.raises(ExpressionError, match="60,001 characters; at most 60,000"):
        tokenize(" " * (MAX_TEXT_LENGTH + 1))


def test_many_tokens_are_an_error() -> None:
    assert len(tokenize("(" * MAX_TOKENS)) == MAX_TOKENS + 1
    with pytest.raises(ExpressionError, match="At character 8001: too long; expected at most 8,000 names, numbers"):
        tokenize("x" + "(" * MAX_TOKENS + " " * 100)


def test_an_error_points_at_the_character() -> None:
    _, text, pointer = str(error_at("x + z", 4, "wrong")).split("\n")
    assert text[pointer.index("^")] == "z"


def test_an_error_shows_a_window_of_a_long_text() -> None:
    message, text, pointer = str(error_at("x" * 500 + "z" + "y" * 500, 500, "wrong")).split("\n")
    assert message == "At character 501: wrong."
    assert text[pointer.index("^")] == "z"
    assert len(text) < 100


def test_an_error_shows_no_control_characters() -> None:
    message = str(error_at("x\n\x1b[31m + z", 9, "wrong"))
    assert message.count("\n") == 2
    assert "\x1b" not in message
