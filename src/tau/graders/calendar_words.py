"""Words of the calendar: months, weekdays and seasons of many languages."""

# ruff: noqa: RUF001  (words of many scripts)

import re

from tau.graders.letters import LETTER
from tau.graders.size_words import words

_MONTHS = words(
    "januar jänner februar märz april mai juni juli august september oktober november dezember"
    " janvier février fevrier mars avril juin juillet août aout septembre octobre novembre décembre"
    " enero febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre"
    " diciembre gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre"
    " janeiro fevereiro março maio junho julho setembro outubro novembro dezembro"
    " januari februari maart mei augustus december augusti maj marts desember"
    " stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada"
    " grudnia styczeń luty marzec kwiecień czerwiec lipiec sierpień wrzesień październik listopad"
    " grudzień ledna února března dubna května června července srpna září října listopadu prosince"
    " leden únor březen duben květen červen červenec srpen říjen prosinec januára februára apríla"
    " mája júna júla augusta septembra októbra novembra decembra siječnja veljače ožujka travnja"
    " svibnja lipnja kolovoza rujna studenog studenoga prosinca januara februara aprila"
    " ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık"
    " ianuarie februarie martie aprilie iunie iulie septembrie octombrie noiembrie decembrie"
    " január február március április május június július augusztus szeptember október"
    " maret agustus jaanuar veebruar märts aprill juuni juuli oktoober detsember"
    " января февраля марта апреля мая июня июля августа сентября октября ноября декабря январь"
    " февраль март апрель июнь июль август сентябрь октябрь ноябрь декабрь"
    " січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня"
    " януари февруари април юни юли септември октомври ноември декември"
    " ιανουαρίου φεβρουαρίου μαρτίου απριλίου μαΐου ιουνίου ιουλίου αυγούστου σεπτεμβρίου"
    " οκτωβρίου νοεμβρίου δεκεμβρίου gener febrer març maig juny juliol agost octubre desembre"
)
_FINNISH = "(?:tammi|helmi|maalis|huhti|touko|kesä|heinä|elo|syys|loka|marras|joulu)kuu(?:ta|n)?"
_OTHER_SCRIPTS = words(
    "يناير فبراير مارس أبريل ابريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر"
    " ב?ינואר ב?פברואר ב?מרץ ב?אפריל ב?מאי ב?יוני ב?יולי ב?אוגוסט ב?ספטמבר ב?אוקטובר ב?נובמבר"
    " ב?דצמבר जनवरी फरवरी फ़रवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर सितम्बर अक्टूबर अक्तूबर"
    " नवंबर नवम्बर दिसंबर दिसम्बर มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม"
    " สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม"
)
_ALL = "|".join(sorted({*_MONTHS}, key=len, reverse=True))
FOREIGN_MONTH = rf"(?i:(?:(?:{_ALL}|{_FINNISH})(?![{LETTER}])|tháng|{'|'.join(_OTHER_SCRIPTS)}))"
"""A month of another language than English, as a pattern."""

_WEEKDAYS = (
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tues?|wed|thurs?|fri|montag"
    "|dienstag|mittwoch|donnerstag|freitag|samstag|sonntag|lundi|mardi|mercredi|jeudi|vendredi"
    "|samedi|dimanche|lunes|martes|miércoles|jueves|viernes|sábado|domingo|lunedì|martedì"
    "|mercoledì|giovedì|venerdì|sabato|domenica|maandag|dinsdag|woensdag|donderdag|vrijdag"
    "|zaterdag|zondag|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье"
)
_SEASONS = (
    "spring|summer|autumn|fall|winter|frühling|frühjahr|sommer|herbst|printemps|été|automne|hiver"
    "|primavera|verano|otoño|invierno|estate|autunno|inverno|verão|outono|весна|лето|осень|зима"
)
PERIOD = re.compile(
    rf"(?<![{LETTER}\d])(?:(?:{_WEEKDAYS})\.?,?(?:\s+(?:the|den|der|le|el))?|(?:{_SEASONS})(?:\s+(?:of|de))?"
    r"|[QH][1-4],?(?:\s+of)?|FY|CY|AD|A\.D\.|BCE?|CE|anno)[\s-]*\Z",
    re.IGNORECASE,
)
"""A day of the week, a season, a quarter or an era in front of a number."""

ERA = re.compile(
    r"[ \u00a0]?(?:BCE?|B\.C\.(?:E\.)?|v\.\s?Chr\.?|av\.\s?J\.?-?C\.?|a\.\s?C\.|до\s+н\.?\s?э\.?"
    rf"|公元前)(?![{LETTER}])"
)
"""What puts a year before the common era."""
