"""Fields that are numbers: units, dates, amounts."""

from tau.sim.rules import OrderField, Variant, words

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def _part_of_day(hour: int) -> str:
    return "morning" if hour < 12 else "afternoon" if hour < 17 else "evening"


def _band(fahrenheit: int) -> str:
    return "cold" if fahrenheit < 45 else "mild" if fahrenheit < 75 else "hot"


DATE = OrderField(
    name="due",
    topic=words("dates?|due(?: dates?)?"),
    values=lambda draw: (2024 + draw("year", 4), 1 + draw("month", 12), 1 + draw("day", 28)),
    show=lambda v: f"{_MONTHS[v[1] - 1]} {v[2]}, {v[0]}",
    variants=(
        Variant(
            name="iso",
            action=words("iso|yyyy-mm-dd|year-month-day|year first, with dashes"),
            apply=lambda v: f"{v[0]}-{v[1]:02d}-{v[2]:02d}",
            phrasings=(
                "Due dates are written as YYYY-MM-DD.",
                "Give every date in ISO 8601 form.",
                "Write the due date in year-month-day order with dashes.",
            ),
        ),
        Variant(
            name="dotted",
            action=words(r"dd\.mm\.yyyy|day\.month\.year|dots|dotted|european"),
            apply=lambda v: f"{v[2]:02d}.{v[1]:02d}.{v[0]}",
            phrasings=(
                "Due dates are written as DD.MM.YYYY.",
                "Give every date as day, month and year with dots between them.",
                "Use the dotted European form for the due date.",
            ),
        ),
        Variant(
            name="compact",
            action=words("yyyymmdd|eight digits|8 digits|no separators"),
            apply=lambda v: f"{v[0]}{v[1]:02d}{v[2]:02d}",
            phrasings=(
                "Due dates are written as YYYYMMDD.",
                "Give every date as eight digits in a row, year first.",
                "The due date is year, month, day with no separators.",
            ),
        ),
    ),
)

WEIGHT = OrderField(
    name="weight",
    topic=words("weights?|pounds?|lbs?|heavy"),
    values=lambda draw: (20 + draw("pounds", 480),),
    show=lambda v: f"{v[0]} lb",
    variants=(
        Variant(
            name="kilograms",
            action=words("kilograms?|kilos?|kg"),
            apply=lambda v: f"{round(v[0] * 0.45359237)} kg",
            phrasings=(
                "Weights are converted to whole kilograms.",
                "Turn pounds into kg, rounded to a whole number.",
                "State the weight in kilos without decimals.",
            ),
        ),
        Variant(
            name="grams",
            action=words("grams?|g"),
            apply=lambda v: f"{round(v[0] * 453.59237)} g",
            phrasings=(
                "Weights are converted to whole grams.",
                "Turn pounds into grams, rounded to a whole number.",
                "State the weight in g.",
            ),
        ),
        Variant(
            name="stone",
            action=words("stones?|st"),
            apply=lambda v: f"{v[0] / 14:.1f} st",
            phrasings=(
                "Weights are converted to stone with one decimal.",
                "Turn pounds into stone, 14 to the stone.",
                "State the weight in st, one digit after the point.",
            ),
        ),
    ),
)

PRICE = OrderField(
    name="price",
    topic=words("prices?|amounts?|eur(?:o|os)?|money"),
    values=lambda draw: (1000 + draw("whole", 8000), 1 + draw("cents", 98)),
    show=lambda v: f"{v[0]:,}.{v[1]:02d} EUR",
    variants=(
        Variant(
            name="cents",
            action=words("(?:euro )?cents|ct|smallest unit"),
            apply=lambda v: f"{v[0]}{v[1]:02d} ct",
            phrasings=(
                "Prices are stated in cents with the unit ct.",
                "Give the price in euro cents, digits only, followed by ct.",
                "Every amount of money is a whole number of cents.",
            ),
        ),
        Variant(
            name="code_first",
            action=words("(?:currency )?code (?:goes |comes |stands )?(?:first|in front|before)"),
            apply=lambda v: f"EUR {v[0]}.{v[1]:02d}",
            phrasings=(
                "In prices the currency code comes first and there is no thousands comma.",
                "Write the price with the currency code in front of the number, no commas.",
                "For amounts the code goes before the number, as in EUR 1249.50.",
            ),
        ),
        Variant(
            name="rounded_up",
            action=words("round(?:ed|ing)? up|next whole|full euros?"),
            apply=lambda v: f"{v[0] + 1} EUR",
            phrasings=(
                "Prices are rounded up to full euros, without a thousands comma.",
                "Round up each price to the next whole number of EUR.",
                "Amounts of money are given as the next whole euro.",
            ),
        ),
    ),
)

TEMPERATURE = OrderField(
    name="keep at",
    topic=words("temperatures?|fahrenheit|keep at|degrees"),
    values=lambda draw: (34 + 2 * draw("fahrenheit", 30),),
    show=lambda v: f"{v[0]} F",
    variants=(
        Variant(
            name="celsius",
            action=words("celsius|centigrade"),
            apply=lambda v: f"{round((v[0] - 32) * 5 / 9)} C",
            phrasings=(
                "Temperatures are given in whole degrees Celsius.",
                "Convert Fahrenheit to Celsius and round.",
                "State the keep at temperature in Celsius with the letter C.",
            ),
        ),
        Variant(
            name="kelvin",
            action=words("kelvins?"),
            apply=lambda v: f"{round((v[0] - 32) * 5 / 9 + 273.15)} K",
            phrasings=(
                "Temperatures are given in whole kelvin.",
                "Convert Fahrenheit to Kelvin and round.",
                "State the keep at temperature in kelvins with the letter K.",
            ),
        ),
        Variant(
            name="band",
            action=words("cold, mild|cold / mild|bands?"),
            apply=lambda v: _band(v[0]),
            phrasings=(
                "Temperatures become a band: cold below 45, mild below 75, else hot.",
                "Replace degrees by one of cold, mild or hot (limits 45 and 75).",
                "For the keep at temperature name only its band (45 and 75 are the limits).",
            ),
        ),
    ),
)

DURATION = OrderField(
    name="handling time",
    topic=words("durations?|handling times?|how long"),
    values=lambda draw: (1 + draw("hours", 8), 15 * (1 + draw("quarters", 3))),
    show=lambda v: f"{v[0]} h {v[1]} min",
    variants=(
        Variant(
            name="minutes",
            action=words("(?:total|whole|in|to) minutes|minutes only"),
            apply=lambda v: f"{v[0] * 60 + v[1]} min",
            phrasings=(
                "Handling times are given in minutes alone.",
                "Convert each duration to minutes, hours included.",
                "State the handling time as total minutes.",
            ),
        ),
        Variant(
            name="decimal",
            action=words("decimal hours?|hours? with (?:two )?decimals?|decimals? of an hour"),
            apply=lambda v: f"{v[0] + v[1] / 60:.2f} h",
            phrasings=(
                "Handling times are given in decimal hours with two places.",
                "Convert each duration to hours with two decimals.",
                "State the handling time in decimals of an hour.",
            ),
        ),
        Variant(
            name="clock",
            action=words("hh:mm|colon"),
            apply=lambda v: f"{v[0]:02d}:{v[1]:02d}",
            phrasings=(
                "Handling times are given as HH:MM.",
                "Write each duration with a colon between two-digit hours and minutes.",
                "State the handling time in the form HH:MM.",
            ),
        ),
    ),
)

PICKUP = OrderField(
    name="pickup",
    topic=words("pick-?ups?|times? of day|clock times?"),
    values=lambda draw: (13 + draw("hour", 9), 5 * (1 + draw("minute", 11))),
    show=lambda v: f"{v[0] - 12}:{v[1]:02d} pm",
    variants=(
        Variant(
            name="day_clock",
            action=words("24[- ]hour(?: clock)?|twenty-four[- ]hour"),
            apply=lambda v: f"{v[0]:02d}:{v[1]:02d}",
            phrasings=(
                "Pickup times use the 24-hour clock.",
                "Write the time of day on the twenty-four-hour clock.",
                "Give the pickup in 24 hour form, no am or pm.",
            ),
        ),
        Variant(
            name="military",
            action=words("military|four digits(?: and|, then)? (?:an )?h"),
            apply=lambda v: f"{v[0]:02d}{v[1]:02d}h",
            phrasings=(
                "Pickup times are written in military form, as in 1630h.",
                "Write the time of day as four digits and an h.",
                "Give the pickup in military time.",
            ),
        ),
        Variant(
            name="part_of_day",
            action=words("parts? of (?:the )?day|afternoon or evening"),
            apply=lambda v: _part_of_day(v[0]),
            phrasings=(
                "Pickup times become a part of the day, evening from 5 pm on.",
                "Replace the clock time by afternoon or evening (from 5 pm).",
                "For the pickup name only the part of day, evening starting at 5 pm.",
            ),
        ),
    ),
)

QUANTITY = OrderField(
    name="quantity",
    topic=words("quantit(?:y|ies)|dozens?"),
    values=lambda draw: (2 + draw("dozens", 18),),
    show=lambda v: f"{v[0]} dozen",
    variants=(
        Variant(
            name="pieces",
            action=words("pieces|pcs|single items"),
            apply=lambda v: f"{v[0] * 12} pcs",
            phrasings=(
                "Quantities are counted in pieces with the unit pcs.",
                "Multiply dozens out to pcs.",
                "State the quantity in pieces, twelve to the dozen.",
            ),
        ),
        Variant(
            name="boxes",
            action=words("boxes"),
            apply=lambda v: f"{v[0] * 2} boxes",
            phrasings=(
                "Quantities are counted in boxes of six.",
                "Turn dozens into boxes, two boxes for each.",
                "State the quantity as a number of boxes.",
            ),
        ),
        Variant(
            name="pairs",
            action=words("pairs"),
            apply=lambda v: f"{v[0] * 6} pairs",
            phrasings=(
                "Quantities are counted in pairs.",
                "Turn dozens into pairs, six for each.",
                "State the quantity as a number of pairs.",
            ),
        ),
    ),
)

RETURNED = OrderField(
    name="returned",
    topic=words("returns?|returned|sent back"),
    values=lambda draw: (2 + draw("count", 40),),
    show=lambda v: f"{v[0]} back",
    variants=(
        Variant(
            name="negative",
            action=words("negative|minus"),
            apply=lambda v: f"-{v[0]}",
            phrasings=(
                "Returned goods are an exception and count as a negative number.",
                "Put a minus sign before the count of anything returned.",
                "For returns write only the number, as a negative one.",
            ),
        ),
        Variant(
            name="marked",
            action=words("ret"),
            apply=lambda v: f"RET {v[0]}",
            phrasings=(
                "Returned goods are an exception and are marked RET before the number.",
                "Write RET and the count for anything sent back.",
                "For returns use the mark RET, then the number.",
            ),
        ),
        Variant(
            name="zero",
            action=words("zero|nothing|0"),
            apply=lambda _: "0",
            phrasings=(
                "Returned goods are an exception and count as 0.",
                "Book zero for anything sent back.",
                "For returns write 0 whatever the number.",
            ),
        ),
    ),
)

MEASURES = (DATE, WEIGHT, PRICE, TEMPERATURE, DURATION, PICKUP, QUANTITY, RETURNED)
