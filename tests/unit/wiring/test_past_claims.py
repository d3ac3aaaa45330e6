"""Which rows carried claims before: counted row by row, across configurations and seeds."""

from tau.domain.dataset import ROW_KEY_DIGITS, Split, examples
from tau.ports.algorithm import CERTIFICATION_KEYS
from tau.wiring.history import certified_rows


def test_the_keys_of_a_claim_are_those_of_its_rows() -> None:
    rows = examples(Split.TEST, [{"prompt": f"{n}"} for n in range(5)])
    text = "".join(key for row in rows for key in row.row_keys)

    assert certified_rows({CERTIFICATION_KEYS: text}) == {row.row_keys[0] for row in rows}
    assert {len(key) for key in certified_rows({CERTIFICATION_KEYS: text})} == {ROW_KEY_DIGITS}
    assert certified_rows({}) == certified_rows({CERTIFICATION_KEYS: None}) == frozenset()
