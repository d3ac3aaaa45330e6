"""Fields that are words: names, order, categories, marks."""

from itertools import permutations

from tau.sim.rules import Draw, OrderField, Value, Variant, words

_ITEMS = ("almonds", "figs", "pears", "walnuts", "plums", "oats", "raspberries", "leeks", "dates")
_FIRST = ("Anna", "Boris", "Chloe", "Derek", "Elena", "Farid", "Greta", "Henri")
_LAST = ("Larsson", "Moreau", "Novak", "Okafor", "Petrov", "Quinn", "Rossi", "Sato")
_CITIES = (
    ("Lima", "Peru"), ("Oslo", "Norway"), ("Porto", "Portugal"), ("Lagos", "Nigeria"),
    ("Kyoto", "Japan"), ("Quito", "Ecuador"), ("Turin", "Italy"), ("Perth", "Australia"),
)  # fmt: skip
_GOODS = ("glassware", "batteries", "cheese", "books")
_CLASSES = ("FRAGILE", "HAZARD", "CHILLED", "PLAIN")
_LANES = ("red", "black", "blue", "green")
_URGENCY = ("urgent", "soon", "whenever")
_LETTERS = "abcdefghkmnpqrstuvwxyz"


def _shown_items(draw: Draw) -> Value:
    """Three items in an order that none of the rules asks for."""
    start, step = draw("start", len(_ITEMS)), 1 + draw("step", 2)
    chosen = [(start + step * n) % len(_ITEMS) for n in range(3)]
    ordered = {_alphabetical(chosen), _reverse(chosen)}
    shown = [order for order in permutations(sorted(chosen)) if order not in ordered]
    return shown[draw("order", len(shown))]


def _alphabetical(items: Value | list[int]) -> Value:
    return tuple(sorted(items, key=lambda n: _ITEMS[n]))


def _reverse(items: Value | list[int]) -> Value:
    return tuple(reversed(_alphabetical(items)))


def _listed(items: Value, separator: str = ", ") -> str:
    return separator.join(_ITEMS[n] for n in items)


def _block(value: Value, start: int) -> str:
    return _LETTERS[value[start]] + _LETTERS[value[start + 1]]


ITEMS = OrderField(
    name="items",
    topic=words("items?|lists?|listed"),
    values=_shown_items,
    show=_listed,
    variants=(
        Variant(
            name="alphabetical",
            action=words("alphabetical(?:ly)?|from a to z|a-z"),
            apply=lambda v: _listed(_alphabetical(v)),
            phrasings=(
                "Items are listed alphabetically.",
                "Sort the items from A to Z.",
                "Put the list of items into alphabetical order.",
            ),
        ),
        Variant(
            name="reverse",
            action=words("from z to a|z-a|backwards?"),
            apply=lambda v: _listed(_reverse(v)),
            phrasings=(
                "Items are listed from Z to A.",
                "Sort the items backwards through the alphabet.",
                "Put the list of items into Z-A order.",
            ),
        ),
        Variant(
            name="joined",
            action=words("plus(?: signs?)?"),
            apply=lambda v: _listed(v, "+"),
            phrasings=(
                "Items are joined by plus signs without blanks.",
                "Write the items with a plus between them and no spaces.",
                "In the list of items replace each comma by a plus.",
            ),
        ),
    ),
)

CONTACT = OrderField(
    name="contact",
    topic=words("contacts?|names?|persons?|people"),
    values=lambda draw: (draw("first", len(_FIRST)), draw("last", len(_LAST))),
    show=lambda v: f"{_FIRST[v[0]]} {_LAST[v[1]]}",
    variants=(
        Variant(
            name="last_first",
            action=words("(?:last|family) name first|surname first|surname in capitals"),
            apply=lambda v: f"{_LAST[v[1]].upper()}, {_FIRST[v[0]]}",
            phrasings=(
                "Contacts are written surname first and in capitals, a comma, then the first name.",
                "For each person give the family name first, in capital letters, before a comma.",
                "Write a contact with the last name first in upper case, comma, first name.",
            ),
        ),
        Variant(
            name="initialled",
            action=words("initial and (?:the )?(?:surname|family name)|only the first initial"),
            apply=lambda v: f"{_FIRST[v[0]][0]}. {_LAST[v[1]]}",
            phrasings=(
                "Contacts are written as an initial and the surname.",
                "For each person give initial and surname only.",
                "Shorten a contact to initial and family name, with a full stop between.",
            ),
        ),
        Variant(
            name="initials",
            action=words("both initials|two initials|initials alone|just initials"),
            apply=lambda v: _FIRST[v[0]][0] + _LAST[v[1]][0],
            phrasings=(
                "Contacts are written as both initials without full stops.",
                "For each person give two initials and nothing else.",
                "Replace the contact by initials alone.",
            ),
        ),
    ),
)

PHONE = OrderField(
    name="phone",
    topic=words("(?:tele)?phones?|call-?back"),
    values=lambda draw: (201 + draw("area", 780), 200 + draw("line", 790), draw("end", 9000) + 999),
    show=lambda v: f"({v[0]}) {v[1]}-{v[2]:04d}",
    variants=(
        Variant(
            name="digits",
            action=words("digits only|only (?:the |its )?(?:ten )?digits|no punctuation"),
            apply=lambda v: f"{v[0]}{v[1]}{v[2]:04d}",
            phrasings=(
                "Phone numbers are written as digits only.",
                "Keep only the ten digits of a telephone number.",
                "A phone number has no punctuation and no blanks.",
            ),
        ),
        Variant(
            name="last_four",
            action=words("last (?:four|4)"),
            apply=lambda v: f"{v[2]:04d}",
            phrasings=(
                "Phone numbers are cut to the last four digits.",
                "Of a telephone number keep the last 4 digits.",
                "For the phone show the last four figures and nothing else.",
            ),
        ),
        Variant(
            name="international",
            action=words(r"international|country prefix|\+?1-"),
            apply=lambda v: f"+1-{v[0]}-{v[1]}-{v[2]:04d}",
            phrasings=(
                "Phone numbers are written in international form with +1 and dashes.",
                "Give each telephone number its country prefix +1 and join all groups by dashes.",
                "Put the phone into the international form +1-555-201-3344.",
            ),
        ),
    ),
)

CITY = OrderField(
    name="destination",
    topic=words("destinations?|city|cities|towns?"),
    values=lambda draw: (draw("city", len(_CITIES)),),
    show=lambda v: _CITIES[v[0]][0],
    variants=(
        Variant(
            name="capitals",
            action=words("capitals|capital letters|upper-?case|upper case"),
            apply=lambda v: _CITIES[v[0]][0].upper(),
            phrasings=(
                "Destinations are written in capital letters.",
                "Put the city into upper case.",
                "Spell the town of destination in capitals.",
            ),
        ),
        Variant(
            name="country",
            action=words("countr(?:y|ies)"),
            apply=lambda v: _CITIES[v[0]][1],
            phrasings=(
                "Destinations are replaced by their country.",
                "Name the country instead of the city.",
                "For the destination write the country in which it lies.",
            ),
        ),
        Variant(
            name="short",
            action=words("(?:first )?three letters|three-letter|3-letter"),
            apply=lambda v: _CITIES[v[0]][0][:3].lower(),
            phrasings=(
                "Destinations are shortened to three letters in lower case.",
                "Use the first three letters of the city, all small.",
                "Give the destination as a three-letter short form in small letters.",
            ),
        ),
    ),
)

REFERENCE = OrderField(
    name="reference",
    topic=words("refs?|references?|reference codes?"),
    values=lambda draw: (
        *(draw(f"letter{n}", 11) for n in range(2)),
        10 + draw("number", 89),
        *(11 + draw(f"letter{n}", 11) for n in range(2, 4)),
    ),
    show=lambda v: f"{_block(v, 0)}-{v[2]}-{_block(v, 3)}",
    variants=(
        Variant(
            name="solid",
            action=words(
                "(?:without|no|drop(?:ping)?|remove|removing) (?:the |its |any )?(?:dashes|hyphens)"
            ),
            apply=lambda v: f"{_block(v, 0)}{v[2]}{_block(v, 3)}".upper(),
            phrasings=(
                "References are written in capitals without dashes.",
                "Turn the reference to capital letters and drop the hyphens.",
                "A reference code is upper case with no dashes.",
            ),
        ),
        Variant(
            name="last_block",
            action=words("last (?:block|part|group)|final (?:block|part|group)"),
            apply=lambda v: _block(v, 3),
            phrasings=(
                "References are cut to their last block.",
                "Keep the final group of the reference.",
                "Of a reference code only the last part counts.",
            ),
        ),
        Variant(
            name="reversed",
            action=words("reversed?|opposite order|back to front"),
            apply=lambda v: f"{_block(v, 3)}-{v[2]}-{_block(v, 0)}",
            phrasings=(
                "References have their blocks in reverse.",
                "Write the groups of the reference in the opposite order.",
                "Turn each reference code back to front, block by block.",
            ),
        ),
    ),
)

GOODS = OrderField(
    name="goods",
    topic=words("goods|categor(?:y|ies)|glassware|batteries|cheese"),
    values=lambda draw: (draw("goods", len(_GOODS)),),
    show=lambda v: _GOODS[v[0]],
    variants=(
        Variant(
            name="class",
            action=words("fragile|hazard|chilled"),
            apply=lambda v: _CLASSES[v[0]],
            phrasings=(
                "Goods are replaced by a class, glassware by FRAGILE, batteries by HAZARD, cheese "
                "by CHILLED, books by PLAIN.",
                "Name the category of goods: FRAGILE for glassware, HAZARD for batteries, CHILLED "
                "for cheese and PLAIN for books.",
                "For goods write glassware = FRAGILE, batteries = HAZARD, cheese = CHILLED, books "
                "= PLAIN.",
            ),
        ),
        Variant(
            name="lane",
            action=words("lanes?|colou?rs?"),
            apply=lambda v: _LANES[v[0]],
            phrasings=(
                "Goods are replaced by a lane, glassware by red, batteries by black, cheese by "
                "blue, books by green.",
                "Name the colour for the category of goods: red for glassware, black for "
                "batteries, blue for cheese and green for books.",
                "For goods write the lane: glassware = red, batteries = black, cheese = blue, "
                "books = green.",
            ),
        ),
        Variant(
            name="code",
            action=words("k1|k-codes?"),
            apply=lambda v: f"K{v[0] + 1}",
            phrasings=(
                "Goods are replaced by a code, glassware by K1, batteries by K2, cheese by K3, "
                "books by K4.",
                "Name the code for the category of goods: K1 for glassware, K2 for batteries, K3 "
                "for cheese and K4 for books.",
                "For goods write glassware = K1, batteries = K2, cheese = K3, books = K4.",
            ),
        ),
    ),
)

PRIORITY = OrderField(
    name="priority",
    topic=words("priorit(?:y|ies)|urgen(?:t|cy)"),
    values=lambda draw: (draw("urgency", len(_URGENCY)),),
    show=lambda v: _URGENCY[v[0]],
    variants=(
        Variant(
            name="level",
            action=words("p1"),
            apply=lambda v: f"P{v[0] + 1}",
            phrasings=(
                "Priorities become P1 for urgent, P2 for soon, P3 for whenever.",
                "Translate the urgency: urgent to P1, soon to P2, whenever to P3.",
                "Write the priority as P1 (urgent), P2 (soon) or P3 (whenever).",
            ),
        ),
        Variant(
            name="hours",
            action=words("24h"),
            apply=lambda v: ("24h", "72h", "168h")[v[0]],
            phrasings=(
                "Priorities become a limit, 24h for urgent, 72h for soon, 168h for whenever.",
                "Translate the urgency: urgent to 24h, soon to 72h, whenever to 168h.",
                "Write the priority as 24h (urgent), 72h (soon) or 168h (whenever).",
            ),
        ),
        Variant(
            name="stars",
            action=words("stars?|asterisks?"),
            apply=lambda v: "*" * (3 - v[0]),
            phrasings=(
                "Priorities become stars, three for urgent, two for soon, one for whenever.",
                "Translate the urgency to asterisks: urgent to 3, soon to 2, whenever to 1.",
                "Write the priority as stars, the more the sooner, three at most.",
            ),
        ),
    ),
)

SIGNATURE = OrderField(
    name="signature",
    topic=words("signatures?|signed|signing"),
    values=lambda draw: (draw("signature", 2),),
    show=lambda v: ("needed", "not needed")[v[0]],
    variants=(
        Variant(
            name="mark",
            action=words("nosig"),
            apply=lambda v: ("SIG", "NOSIG")[v[0]],
            phrasings=(
                "Signatures are marked SIG where needed and NOSIG otherwise.",
                "Write SIG or NOSIG for the signature.",
                "The signature field is SIG when one is needed, else NOSIG.",
            ),
        ),
        Variant(
            name="bit",
            action=words("1 (?:or|where|when|if|and)|one or zero|as a bit"),
            apply=lambda v: ("1", "0")[v[0]],
            phrasings=(
                "Signatures are 1 where needed and 0 otherwise.",
                "Write 1 or 0 for the signature.",
                "The signature field is 1 when one is needed, else 0.",
            ),
        ),
        Variant(
            name="letter",
            action=words("y (?:or|where|when|if|and)|yes/no letter"),
            apply=lambda v: ("Y", "N")[v[0]],
            phrasings=(
                "Signatures are Y where needed and N otherwise.",
                "Write Y or N for the signature.",
                "The signature field is Y when one is needed, else N.",
            ),
        ),
    ),
)

WORDINGS = (ITEMS, CONTACT, PHONE, CITY, REFERENCE, GOODS, PRIORITY, SIGNATURE)
