"""A page in parts: nothing is lost, and a change of one part is only that."""

import orjson

from tau.gateway.pages.parts import SKELETON, encode, split, whole

PAGE = (
    '<header class="top"><a>Tau</a></header><main><h1>x</h1>'
    '<section class="answers"><div class="card good"><p>1</p></div>'
    '<div class="card">2</div></section>'
    '<section class="panel"><h2>a</h2><div class="scroll">{}</div></section></main>'
)


def test_parts_make_the_page_again_with_their_names() -> None:
    text = PAGE.format("t &lt;section class=&quot;panel&quot;&gt;")
    parts = split(text)
    assert len(parts) == 5
    again = whole(parts)
    for name in parts:
        again = again.replace(f' data-part="{name}"', "")
    assert again == text


def test_a_change_inside_a_part_changes_no_other() -> None:
    before, after = split(PAGE.format("1")), split(PAGE.format("2"))
    assert [name for name in before if before[name] != after[name]] == ["part-3"]
    sent = encode(7, {"part-3": after["part-3"].encode()}, False)
    head, _, data = sent.partition(b"data: ")
    assert b"page-7" in head
    assert orjson.loads(data) == {"part-3": after["part-3"]}
    assert SKELETON in before
