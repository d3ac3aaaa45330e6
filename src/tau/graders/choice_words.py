"""The words by which people and models choose, deny, doubt and change their minds."""

# ruff: noqa: RUF001, E501  (words of many scripts, listed by language)

import re

SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3040-\u30ff\u3100-\u318f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
)
"""Scripts that write no spaces between words, or endings onto a foreign word."""


def _words(*listed: str) -> str:
    return "|".join(word for each in listed for word in each.split())


_OPEN = rf"(?<!(?-i:[^\W{SPACELESS}]))"
_SHUT = rf"(?!(?-i:[^\W{SPACELESS}]))"

NOUN = (
    rf"{_OPEN}(?:"
    + _words(
        "answer ans choice option label verdict classification category class sentiment prediction",
        "decision conclusion pick selection rating relationship relation stance intent topic tone",
        "priority severity emotion grade score",
        r"Antwort Lösung r[ée]ponse respuesta risposta resposta ответ відповідь odpowiedź odpověď",
        "antwoord svar svaret vastaus cevap yanıt jawaban उत्तर الجواب الإجابة תשובה",
    )
    + rf"){_SHUT}|答案|正解|答え|解答|回答|选择|選擇|正确选项|正確選項|정답|답변|답|ค(?:ำ|ํา)ตอบ|đáp\s+án"
)
"""What an answer is called."""

_ADJECTIVE = _words(
    "correct correcta correcte correto corretta right richtig korrekt bonne правильный верный",
    "most likely best final chosen prawidłowa poprawna doğru 正确的 正確的",
)
_ADVERB = _words(
    "clearly definitely therefore thus indeed most likely probably obviously simply certainly",
    "hence then",
)
_IS = (
    r"is|was|would\s+be|should\s+be|must\s+be|has\s+to\s+be|will\s+be|are|ist|w[äa]re|lautet"
    r"|est|serait|es|é|è|sería|jest|är|är|on|adalah|là|là|है|هو|هي"
)
_COPULA = rf"{_OPEN}(?:{_IS}){_SHUT}|是|为|為|は|가|이|은|는|คือ"
CONNECT = (
    rf"(?:\s+(?:to|for|of)\s+(?:the|this|your)\s+(?:\w+\s+)?(?:question|problem|review|text|task"
    rf"|message|ticket){_SHUT})?\s*(?:{_OPEN}(?:{_ADJECTIVE}){_SHUT}\s*){{0,2}}"
    rf"(?:(?:{_COPULA})\s*[:：]?|[:=]\s*|[-\u2013\u2014→]+>?\s+|\.?\s*:?\s*\n\s*)\s*"
)
"""What stands between that and the label."""
FILL = (
    rf"(?:[\s(\[{{<']|{_OPEN}(?:(?:the\s+)?(?:option|choice|letter|label|answer)|{_ADVERB}"
    rf"|{_ADJECTIVE}|die|la|opci[óo]n|Option|вариант|Antwort|r[ée]ponse|respuesta){_SHUT}|选项|選項|[:]){{0,24}}+"
)
"""What may stand before a label without a meaning of its own."""

CHOOSE = (
    rf"{_OPEN}(?:(?:I|we)(?:\s+(?:would|will|'d|'ll)|'d|'ll)?\s+)?(?:(?:confidently|therefore)\s+)?"
    r"(?:choose|pick|select|go\s+(?:with|for)|going\s+with|opt\s+for|vote\s+for|take|answer|chose"
    r"|think|believe|w[äa]hle|choisis|elijo|escolho|выбираю)(?:\s+(?:it\s+is|it's|that\s+it\s+is))?"
    rf"{_SHUT}\s*[:：]?\s*|{_OPEN}(?:(?:that|which|this)\s+(?:only\s+)?leaves(?:\s+us\s+with)?"
    r"|leaving(?:\s+us\s+with)?|left\s+with|belongs\s+(?:to|in|under)|falls\s+(?:under|into)"
    r"|(?:classif|categori[sz]|label|describ)\w*\s+(?:(?:it|this)\s+)?as|richtig\s+ist|korrekt\s+ist"
    rf"){_SHUT}\s*[:：]?\s*|我?(?:选择?|選擇?|應選|应选|应该选|故选|所以选)\s*[:：]?\s*"
    rf"|{_OPEN}(?:therefore|thus|hence|so|consequently|also|daher|donc){_SHUT}[,:]?\s*"
    rf"(?:(?:it|this|that)\s+(?:is|must\s+be)\s+|it's\s+)?|{_OPEN}(?:it|this)\s+must\s+be\s+"
    r"|∴\s*|所以是?\s*"
)
"""Words that choose what comes next."""

RIGHT = (
    rf"\s*[)\]}}>]*\s*(?:{_OPEN}(?:is|must\s+be|would\s+be|ist|est|es)\s+(?:(?:the|clearly|indeed"
    rf"|die|la|der)\s+)*(?:(?:correct|right|best|true|richtig|korrekt|correcta?|juste|bonne)\s*)+"
    rf"(?:(?:answer|option|choice|one|Antwort|r[ée]ponse|respuesta){_SHUT})?"
    rf"|{_OPEN}is\s+(?:the|my)\s+(?:\w+\s+)?(?:answer|choice|pick){_SHUT}"
    r"|选?项?(?:是)?(?:正确|正確|对的?|對的?)(?:的|答案)?|が?正解です?|が正しい(?:です)?"
    r"|[가이은는]\s*(?:정답|맞습니다|맞다|옳다|옳습니다)(?:입니다|이다|이에요)?)"
    rf"(?=\s*(?:[.,;!)\n。！，；]|$|{_OPEN}(?:and|because|since|as|here|weil|car|porque){_SHUT}))"
)
"""Words after a label that say it is the right one."""

NEGATION = re.compile(
    rf"{_OPEN}(?:"
    + _words(
        r"not cannot never neither nor none nothing no non \w+n't isnt arent wont cant dont doesnt",
        r"wrong incorrect false untrue invalid mistaken error except excluded? excluding unless",
        r"eliminat\w+ reject\w* rul(?:e|ed|es|ing)\s+out discard\w* instead rather without hardly",
        r"scarcely unlikely lacks? fails? avoid\w* distractors? trap any(?:thing|\s+\w+)?\s+but all\s+\w+\s+but far\s+from",
        r"less\s+than other\s+than implausible impossible doubt\w* least worst contradict\w* isn\u02bct flawed",
        r"opposite fewer deny denies denied disagree\w* refus\w+ incompatible inaccurate unfit bad",
        r"inappropriate improper misleading tempting ignor\w+ against disqualif\w+ everything\s+but",
        r"nicht kein\w* nie niemals weder noch falsch\w* nein ohne außer statt ausgeschlossen",
        r"ne n' n'est pas jamais aucune? faux fausse incorrecte? sauf sans",
        r"nunca ni tampoco incorrect[ao] falso excepto salvo sin n[ãa]o nem errad[ao] mai sbagliat[ao]",
        r"не нет неверн\w* неправильн\w* ни никогда кроме ні неправильно nie niet geen niets fout",
        r"inte ej icke fel ikke ei değil yanlış hayır bukan tidak salah không sai नहीं गलत لا ليس ليست",
        r"خطأ غير לא אינו",
    )
    + rf"){_SHUT}|{_OPEN}n'|[不没沒非错錯误誤未無无否勿莫]|别选|別選|并非|除了|排除|排外"
    r"|아니|아닙|아닌|않|틀[리렸린립]|못|말고|제외|오답|없|ない|ません|違[いうっ]|間違|ではな|以外|ぬ"
    r"|ไม่|ผิด|มิใช่|ยกเว้น",
    re.IGNORECASE,
)
"""Words that deny what stands in the same clause."""

DOUBT = re.compile(
    rf"{_OPEN}(?:"
    + _words(
        r"if when whether might may could would should\s+have perhaps maybe possibly some\s+people (?:some|one|you|they|people|students?|others)(?:\s+\w+){0,1}\s+(?:say|think|argue|believe)",
        r"seemed looks?\s+like\s+it appears tempted people\s+say many\s+say others?\s+say suppose",
        r"assum\w+ hypothetically unsure uncertain guess\w* either unclear which why quoted? claims?",
        r"claimed said says asks? asked question between except only partly partially half mixed both",
        r"vielleicht möglicherweise könnte wenn ob falls peut-[êe]tre si pourrait quiz[áa]s? podría",
        r"talvez forse может возможно если neutral\s+to leaning almost nearly initially first",
        r"previously originally thought",
    )
    + rf"){_SHUT}|如果|若|可能|也许|也許|或许|或許|大概|吗|嗎|是否|假如|もし|かも|かな|만약|아마|혹시|[?]",
    re.IGNORECASE,
)
"""Words that take back, in the same clause, that something was settled."""

CORRECTION = re.compile(
    rf"(?:^|(?<=[\n.!?;,()\u2014\u2013。！？，；…-]))\W{{0,12}}(?:{_OPEN}(?:and|but|oh|or|no|hmm+|und|et|y|but\s+then)"
    rf"{_SHUT}\W{{0,12}})?(?:{_OPEN}(?:wait|actually|nope|correction|scratch\s+that|sorry|oops|hmm+|i\s+mean"
    r"|hold\s+on|strike\s+that|my\s+(?:mistake|bad)|on\s+second\s+thoughts?|no(?=\s*[,.!:;\u2014-])"
    r"|on\s+reflection|let\s+me\s+(?:re|check|think|double|correct)\w*|or\s+rather|rather|instead"
    r"|changed?\s+my\s+mind|i\s+take\s+(?:that|it)\s+back|i\s+retract|ignore\s+that|never\s?mind"
    r"|(?:wrong|incorrect|false|not\s+(?:correct|right|true))(?=\s*(?:[.,!;)]|$))|i\s+(?:made|was\s+(?:wrong|mistaken))|that(?:'s|\s+is)\s+(?:wrong|not)"
    r"|this\s+is\s+(?:wrong|not)|edit|update|revised|not\s+quite|moment|nein|doch|halt|Korrektur"
    r"|non(?=\s*[,.!])|en\s+fait|pardon|attendez|perd[óo]n|mejor\s+dicho|espera|en\s+realidad|digo"
    rf"|нет|точнее|постойте|вернее|aslında|hayır|não|aliás|anzi){_SHUT}"
    r"|等等|等一下|不对|不對|不，|更正|抱歉|其实|其實|아니[,. ]|잠깐|정정|다시|いや|訂正|待って|やっぱり)",
    re.IGNORECASE,
)
"""Words at the head of a clause that take back what was said before."""

RIVAL = re.compile(
    rf"{_OPEN}(?:"
    + _words(
        r"or also both equally too(?=\s*(?:$|[^\w\s])) alternatively otherwise maybe perhaps possibly could might well",
        "either better instead actually correct right acceptable valid plausible leaning partly ok",
        "mixed oder auch oder vielleicht ou aussi o también или также eller",
    )
    + rf"){_SHUT}|或|也|还是|還是|또는|도|または|も",
    re.IGNORECASE,
)
"""Words by which another label claims a place beside the chosen one."""

LISTED = re.compile(
    rf"[\s)\]}}>]*(?:[,/&+、|，]|\\&|~|->|{_OPEN}(?:and|or|und|oder|et|ou|y|o|e|u|or\s+else|and/or|plus"
    rf"|и|или|och|eller|en|of|ve|veya|dan|atau|và|with|to|through|versus|vs\.?){_SHUT}|和|或|与|與|及|跟|还是|與|または|か|と|또는|및|과|와)"
    rf"[\s(\[{{<,]*(?:{_OPEN}(?:and|or|option|choice|maybe|perhaps|possibly|also|both|then|even){_SHUT}[\s,]*)*$",
    re.IGNORECASE,
)
"""What stands between two labels of one list."""

FOLLOWS = re.compile(
    rf"\s*(?:$|[^\w\s]|\n|(?-i:[{SPACELESS}])|(?-i:[A-Z])\b|{_OPEN}(?:because|since|as|due|is|are|was|to|through|with|versus|vs|for|given|by|and|answer"
    rf"|or|but|rather|not|instead|over|here|weil|da|porque|ist|est|es|so|therefore|where|final){_SHUT})",
    re.IGNORECASE,
)
"""What may follow a short label; before other words it is a word itself ("A car", "No evidence")."""
