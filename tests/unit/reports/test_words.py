from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tau.reports.words import Change, Piece, word_diff

TEXTS = st.text(alphabet="ab \n.,ä", max_size=60)


def old_of(pieces: tuple[Piece, ...]) -> str:
    return "".join(piece.text for piece in pieces if piece.change is not Change.ADDED)


def new_of(pieces: tuple[Piece, ...]) -> str:
    return "".join(piece.text for piece in pieces if piece.change is not Change.REMOVED)


@given(old=TEXTS, new=TEXTS)
def test_the_pieces_make_both_texts(old: str, new: str) -> None:
    pieces = word_diff(old, new)

    assert (old_of(pieces), new_of(pieces)) == (old, new)
    assert all(piece.text for piece in pieces)
    fates = [piece.change for piece in pieces]
    assert all(one is not other for one, other in pairwise(fates))


def test_words_that_stay_are_not_shown_as_changed() -> None:
    pieces = word_diff("Answer with a number.\nBe brief.", "Answer with one number.\nBe brief.")

    assert [(piece.change, piece.text) for piece in pieces] == [
        (Change.SAME, "Answer with "),
        (Change.REMOVED, "a"),
        (Change.ADDED, "one"),
        (Change.SAME, " number.\nBe brief."),
    ]


def test_long_texts_are_compared_by_lines_in_little_time() -> None:
    old = "".join(f"line {n} of many words that stay\n" for n in range(3_000))
    new = old.replace("line 1500 of", "line 1500 with")

    changed = [piece.text for piece in word_diff(old, new) if piece.change is not Change.SAME]

    assert changed == ["of", "with"]


def test_a_wholly_new_long_passage_is_replaced_whole() -> None:
    old, new = "a " * 5_000, "b " * 5_000

    assert [piece.text for piece in word_diff(old, new)] == [old, new]
