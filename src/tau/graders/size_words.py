"""Words of size behind a number, in the languages that people and models answer in."""

import re


def words(listed: str) -> list[str]:
    """Words that are listed with blanks between them."""
    return listed.split()


def _all(factor: int, *listed: str) -> dict[str, int]:
    return {word: factor for each in listed for word in words(each)}


SIZES: dict[str, int] = (
    {"dozen": 12, "dozens": 12}
    | _all(10**2, "hundred hundreds hundert honderd hundra hundre hundrede ratus yüz сто")
    | _all(
        10**3,
        "thousand thousands tausend tsd duizend tusen tusind tuhat tuhatta ezer tisíc tisíce",
        "tisícov tysiąc tysiące tysięcy tys tisuća tisuće hiljada hiljade hiljadu tisoč mila mie",
        "mii bin ribu nghìn ngàn tūkstantis tūkstančiai tūkstančių tūkstoši tūkstotis elfu libo",
        "χίλια χιλιάδες χιλιάδων χιλ тыс тысяч тысячи тысяча тис тисяч тисячі тисяча хиляди хиляда",
        "хиљада хиљаде",
    )
    | _all(10**5, "lakh lakhs lac lacs")
    | _all(
        10**6,
        "million millions millionen mio mln miljoen miljoenen miljon miljoner miljoonaa miljoona",
        "millioner millió milió milione milioni milijun milijuna milijon milijona milion miliony",
        "milionů milionu milión milióny miliónov milionów milioane milioni milions millón millones",
        "milhão milhões milyon juta triệu milijonas milijonai milijonų miljons miljoni miljonit",
        "εκατομμύριο εκατομμύρια εκατομμυρίων εκατ млн миллион миллиона миллионов мільйон мільйона",
        "мільйони мільйонів милион милиона милиони",
    )
    | _all(10**7, "crore crores cr")
    | _all(
        10**9,
        "billion billions bn bln mrd mld md milliard milliards milliarde milliarden milliarder",
        "milliárd miljard miljarden miljarder miljardi miljardia miliardo miliardi miliard",
        "miliardy miliarda miliárd miliardů miliardu miliardów miliarde milijarda milijarde",
        "bilhão bilhões milyar miliar tỷ tỉ δισεκατομμύριο δισεκατομμύρια δισ млрд миллиард",
        "миллиарда миллиардов мільярд мільярда мільярди мільярдів милиард милиарда милиарди",
    )
    | _all(10**12, "trillion trillions tn trn trilyun triliun trilyon trilhão trilhões nghìn-tỷ")
    | _all(10**12, "biljoen biljoner триллион триллиона триллионов")
    | {"quadrillion": 10**15}
)
"""Words of size that mean one thing, in lower case."""

UNSURE_SIZES = frozenset(
    words(
        "billionen billones billón billiarde billioner biljon bilion biliony bilionów bilione"
        " bilioni mil mille gross score bi trilión trillionen trillones trilhon quintillion myriad"
    )
)
"""Words of size that mean different things to different people."""

LETTERS: dict[str, int] = {"k": 10**3, "K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
"""Letters of size behind money; `k` and `M` also right behind other numbers."""

CJK_SIZES: dict[str, int] = {
    "十": 10, "百": 100, "千": 1000, "万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8,
    "천": 1000, "백": 100, "만": 10**4, "억": 10**8,
}  # fmt: skip
UNSURE_CJK_SIZES = "兆조"
"""10^6 or 10^12."""

_SCRIPTS: dict[str, int] = (
    {"ร้อย": 10**2, "พัน": 10**3, "หมื่น": 10**4, "แสน": 10**5, "ล้าน": 10**6}
    | _all(10**2, "सौ শত ਸੌ સો مئة مائة صد מאה מאות")
    | _all(10**3, "हजार हज़ार হাজার ஆயிரம் వేల వేలు ಸಾವಿರ ആയിരം હજાર ਹਜ਼ਾਰ हजारों")
    | _all(10**3, "ألف الف آلاف ألفا ألفًا هزار ہزار אלף אלפים ພັນ ពាន់ ათასი հազար")
    | _all(10**5, "लाख লাখ লক্ষ லட்சம் இலட்சம் లక్ష లక్షల లక్షలు ಲಕ್ಷ ലക്ഷം લાખ ਲੱਖ لاکھ")
    | _all(10**6, "मिलियन मिलियन् মিলিয়ন মিলিয়ন مليون ملايين مليونا میلیون ملین מיליון מליון")
    | _all(10**6, "מיליונים ລ້ານ លាន მილიონი միլիոն")
    | _all(10**7, "करोड़ करोड কোটি கோடி కోటి కోట్లు కోట్ల ಕೋಟಿ കോടി કરોડ ਕਰੋੜ کروڑ")
    | _all(10**9, "अरब बिलियन বিলিয়ন مليار مليارات بليون میلیارد ارب מיליארד מיליארדים")
    | _all(10**11, "खरब کھرب")
    | _all(10**12, "ट्रिलियन تريليون טריליון")
)
_LONGEST_FIRST = "|".join(sorted(map(re.escape, _SCRIPTS), key=len, reverse=True))
_SCRIPT = re.compile(rf"[ \u00a0\u2009]?(?P<word>{_LONGEST_FIRST})")
_APART = re.compile(
    rf"[ \u00a0\u2009](?P<word>[{''.join(CJK_SIZES)}]+|[{UNSURE_CJK_SIZES}])(?P<rest>.?)"
)
_COUNTED = "원명개권대마리달톤엔위점년元円人个個只本名"
"""What is counted, right behind a Korean or Chinese word of size."""


def foreign_size(text: str, end: int) -> tuple[int | None, int] | None:
    """The factor of a word of size in a script of its own at `end`, and where the word ends.

    A factor of None: the word means several things. None: there is no such word.
    """
    word = _SCRIPT.match(text, end)
    if word:
        return _SCRIPTS[word["word"]], word.end()
    apart = _APART.match(text, end)
    if apart is None:
        return None
    rest = apart["rest"]
    if apart["word"] in UNSURE_CJK_SIZES or (rest.isalnum() and rest not in _COUNTED):
        return None, apart.end("word")
    factor = 1
    for character in apart["word"]:
        factor *= CJK_SIZES[character]
    return factor, apart.end("word")
