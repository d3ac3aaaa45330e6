"""Which label was chosen: places people and models put it, and what never counts as choosing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tau.graders.choosing import chosen
E = "Option A is too small and C ignores the rate.\n"
L=("A","B","C","D")
J=tuple("ABCDEFGHIJ"); S=("positive","negative","neutral"); Y=("Yes","No")
GOOD = [
*[(E+x,"B",L) for x in ["**Answer**: B","**Answer**: **B**","***ANSWER***: ***B***","*Answer*: *B*","__Answer__: B","**Final Answer**: B","The answer is: B","The correct answer is: **B**","## Answer\nB","### Final Answer\n**B**","**Answer**\n\nB","Answer - B","Answer – B","Answer → B","Answer B","Ans: B","Ans. B","Answer: $B",r"$\boxed{\text{B}}$",r"\boxed{\mathrm{B}}",r"\boxed{\textbf{(B)}}","<answer>B</answer>",'{"answer": "B"}','```json\n{"answer": "B"}\n```',"Answer：B","答案：B","정답: B","Antwort: B","Réponse : B","Ответ: B","La respuesta correcta es B.","So the answer would be B.","I choose B.","Therefore, B is correct.","Answer: B","**Answer: B**","**Answer:** B","The answer is **B**","Answer: Option B",r"\boxed{B}","#### B","The correct option is B",
 "The answer is B because a car moves.","Die richtige Antwort ist B.","La bonne réponse est B.","Правильный ответ — B","正确答案是B","答えはBです","정답은 B입니다","So, it must be B.","I'd go with B.","B is the correct answer.","Option B is correct.","Hence the correct choice is (B).","Final answer: (B) 42 km","The best answer is option B: the rate.","My answer is B.","Answer: B) 42","**B**","B","The final answer is $\\boxed{B}$.","Answer: B.\n\nLet me know if you need more.","Answer: B\n\nExplanation:\nA. Too small.\nB. Right.\nC. Ignores the rate.", "A 答案：Ｂ","Correct answer: B","The answer is definitely B.","The answer is most likely B.", "Answer: [B]", "Answer: <B>","Answer = B","Answer: 'B'", 'Answer: "B"', "> Answer: B", "- Answer: B", "| Answer | B |","답: B","คำตอบคือ B","Đáp án: B", "Resposta: B","Risposta: B","Svar: B","الجواب: B","Answer is B","The answer is B, not A.","Not A. The answer is B.","A is wrong, so the answer is B.","The correct answer is B, since A is too small.","**Correct Answer: B) 42**", "Answer: `B`","Answer:\n\n**B**", "Answer:B"]],
("Yes, because no evidence is missing","Yes",Y),("**No.** There is yes-bias","No",Y),("positive.\n\nReason: nothing negative here","positive",S),
("C, I think","C",J),("I think C","C",J),("The answer is B. Note that A is a common distractor.","B",L),("The answer is B because a car moves.","B",L),
("Final answer: B\n\n(Answer: A would need x>0.)","B",L),
*[(x,"B",L) for x in ["答案是B","正确答案是B。","选B","B选项正确","正解はBです","정답은 B입니다","答案：Ｂ","我选B","应该选B","B。因为A太小","정답: B입니다.","B가 정답입니다","答案是B，不是A。","（B）","答案选B"]],
("답은 (I) 입니다","I",J),
("This is not spam.","not spam",("spam","not spam")),("Spam","spam",("spam","not spam")),("not_spam","not spam",("spam","not spam")),
("The sentiment is positive.","positive",S),("Sentiment: Positive","positive",S),("这条评论是正面的","正面",("正面","负面","中性")),("负面","负面",("正面","负面","中性")),
("Answer: 3","3",("1","2","3","4")),("I choose 3.","3",("1","2","3","4")),("(3)","3",("1","2","3","4")),("non-positive","non-positive",("positive","non-positive")),
("Yes.","Yes",Y),("No","No",Y),("No, it does not.","No",Y),("The answer is no.","No",Y),("Yes - the text says so.","Yes",Y),("Answer: No, because it is not.","No",Y),
('{"sentiment": "positive", "confidence": 0.9}',"positive",S),("False","False",("True","False")),("The statement is false.","False",("True","False")),("Option A","A",L),("**B)** Paris","B",L),("B) Paris","B",L),("B. Paris","B",L),
("是","是",("是","否")),("否。","否",("是","否")),("The category is Billing Issue.","billing issue",("billing issue","technical issue")),
]
BAD = [(x,y,l) for x,ys,l in [
("The answer is not B.","B",L),("B is wrong.","B",L),("Answer: A, B","AB",L),("Answer: A and B","AB",L),("Answer: A/B","AB",L),("Answer: B? No, C.","B",L),("not positive",["positive"],S),("non-positive",["positive"],S),
("The answer isn't B.","B",L),("It can't be B.","B",L),("never B","B",L),("Neither A nor B.","AB",L),("Anything but B.","B",L),("All except B","B",L),("不是B","B",L),("答案不是B","B",L),("B不对","B",L),("B가 아닙니다","B",L),("정답은 B가 아니다","B",L),("Nicht B.","B",L),("Ce n'est pas B.","B",L),("No es B.","B",L),("La respuesta no es B.","B",L),("Die Antwort ist nicht B.","B",L),("La réponse n'est pas B.","B",L),
("Answer: B\nWait, actually C.","B",L),("The answer is B. Actually, it is C.","B",L),("Answer: A or B","AB",L),("Both A and B","AB",L),("Either A or B.","AB",L),("B or maybe C","BC",L),("The wrong answer is B.","B",L),("Incorrect answer: B","B",L),("I don't think the answer is B.","B",L),("If x>0 the answer is B.","B",L),("The answer might be B.","B",L),("Maybe B","B",L),("Is it B?","B",L),("A car is a thing.","A",L),("I think so.","I",J),("I am not sure.","I",J),("The answer is a car.","A",L),("There is no evidence.",["No"],Y),("Yes and no.",["Yes","No"],Y),("It is not true.",["True"],("True","False")),("It isn't spam.",["spam"],("spam","not spam")),("mixed: positive and negative",["positive","negative"],S),
("Answer: A\nAnswer: B, no wait","AB",L),("Answer: B, but C is also correct.","B",L),("Answer: A, B and C","ABC",L),("Answer: A & B","AB",L),("Answer: A; B","AB",L),("Answer: A B","AB",L),("Answer: A + B","AB",L),("A, B","AB",L),("AB","AB",L),("B is not correct.","B",L),("B is incorrect.","B",L),("B isn't right","B",L),("Option B is not the answer.","B",L),("答案是B吗？","B",L),("Bではありません","B",L),("答案不可能是B","B",L),("Ответ не B.","B",L),("A resposta não é B.","B",L),("La risposta non è B.","B",L),("De juiste antwoord is niet B","B",L),("The answer is B - no, C.","B",L),("The answer is B... hmm, C","B",L),("Answer: B. C.","BC",L),("The answer is ~~B~~ C","B",L),(r"\boxed{A} or \boxed{B}","AB",L),(r"\boxed{A, B}","AB",L),("<answer>A</answer><answer>B</answer>","AB",L),('{"answer": ["A","B"]}',"AB",L),('{"answer": "not B"}',"B",L),("There are 3 reasons.","3",("1","2","3","4")),("Answer: 2.5","25",("1","2","3","4","5")),("Answer: 12","12",("1","2","3","4")),("The answer is B vitamins.","",L),("It is not at all positive.",["positive"],S),("hardly positive",["positive"],S),("unlikely positive",["positive"],S),("非正面",["正面"],("正面","负面","中性")),("不是正面的",["正面"],("正面","负面","中性")),("Definitely not B","B",L),("I would rule out B.","B",L),("B can be eliminated.","B",L),("I reject B","B",L),("The answer is none of A, B, C","ABC",L),("The question asks whether the answer is B.","B",L),("Not B","B",L),("~B","",L),("Answer: not B","B",L),("Answer: B (wrong)","B",L),("Answer: B is wrong","B",L),("The answer is B, which is wrong.","B",L),("The answer is B? ","B",L),("It is false that the answer is B.","B",L),("Some say the answer is B.","B",L),("Question: which is it? A or B","AB",L),("I chose B at first but C fits better.","B",L),("I was going to answer B, however it is C.","B",L),("Answer: B\nCorrection: C","B",L),("Answer: B\n\nAnswer: C","B",L),("B, C","BC",L),("选A或B","AB",L),("选A和B","AB",L),("A、B","AB",L),("B?","B",L),("Not sure, B?","B",L),("B is the worst answer.","B",L),("B is the least likely answer","B",L),("Not the answer: B","B",L),("B is a distractor.","B",L),("The correct answer is not listed. B","",L),
("No, wait, yes.",["No"],Y),("Answer: Yes/No",["Yes","No"],Y),
("Answer: the opposite of B","B",L),("Any answer but B","B",L),("The answer is certainly something other than B.","B",L),("I'm torn between B and C.","BC",L),("Not a single option except B","B",L),("B: no","B",L),("B - wrong","B",L),("B. Wrong!","B",L),("B: incorrect","B",L),("B? ","B",L),("You should not choose B.","B",L),("I didn't pick B.","B",L),("I won't go with B","B",L),("Do not select B","B",L),("I would not choose B.","B",L),("Therefore, B is out.","B",L),("So B is not it","B",L),("Therefore not B","B",L),("So it is not B","B",L),("If it were warm, I'd choose B.","B",L),("I might choose B","B",L),("Why is the answer B?","B",L),("What if the answer is B?","B",L),("The answer was B before, now it is C","B",L),("Answer: B -> C","B",L),("Answer: B → C","B",L),("Answer: from A to B","AB",L),("Answer: A-B","AB",L),("Answer: A–B","AB",L),("Answers: A, B","AB",L),("The answers are A and B","AB",L),("Answer: A as well as B","AB",L),("Answer: A with B","AB",L),("Answer: All of them: A, B, C, D","ABCD",L),("Answer: A (or B)","AB",L),("Answer: A (B also works)","A",L),("Answer: neither","A",L),("Answer: positive and negative",["positive","negative"],S),("Answer: positive/negative",["positive","negative"],S),("positive or neutral",["positive","neutral"],S),("somewhere between positive and neutral",["positive","neutral"],S),("Anything but positive",["positive"],S),("far from positive",["positive"],S),("It isn’t positive",["positive"],S),("lacks positive words",["positive"],S),("no positive words",["positive"],S),("B가 아니라 C","B",L),("B는 오답입니다","B",L),("B は間違いです","B",L),("答えはBではない","B",L),("選ばない B","B",L),("不选B","B",L),("排除B","B",L),("除了B都对","B",L),("B错误","B",L),("B选项错误","B",L),("答案是B？不，是C","B",L),("答案是B。等等，应该是C","B",L),("答案是B，不对，是C","B",L),("可能是B","B",L),("答案可能是B","B",L),("是不是B","B",L),("ไม่ใช่ B","B",L),("คำตอบไม่ใช่ B","B",L),("Не B","B",L),("Это не B","B",L),("Niet B","B",L),("Não é B","B",L),("Inte B","B",L),("B değil","B",L),("Bukan B","B",L),("B é errada","B",L),("B est faux","B",L),("B ist falsch","B",L),("B es incorrecta","B",L),("A: no. B: no. C: maybe","ABC",L),("Answer: B!? No!","B",L),("The answer is B. No, sorry.","B",L),("The answer is B. That is wrong.","B",L),("The answer is B. On reflection it is C.","B",L),("The answer is B. Hmm.","B",L),("The answer is B. But B is wrong.","B",L),("The answer is B. But that's not right.","B",L),("The answer is B, but that is incorrect","B",L),("The answer is B. I take that back.","B",L),("The answer is B, I mean C","B",L),("Answer: B. Or C.","BC",L),("Answer: B. C could also be right.","B",L),("Answer: B\nC","BC",L),("A is the answer. B is the answer.","AB",L),("I choose A. I choose B.","AB",L),("A is correct and B is correct","AB",L),

] for y in ys]
GOOD += [(x,"B",L) for x in ["The answer is B, as the rate is not ignored.","Answer: B. The other options are wrong.","Answer: B\n\nA is incorrect because it ignores the rate. C is not supported. D is false.","B\n\nThe rate is 5, not 6.","B. The others are wrong.","A is wrong. C is wrong. D is wrong. So B.","Thus, the correct option is B.","Let me think. A no. C no.\n\nFinal Answer: B","Wait, A would be wrong. Answer: B","Maybe A? No, C? No. The answer is B.","The correct answer is:\n\n**B) 42 km**\n\nbecause the rate is not zero.","The right choice here would be B.","B is correct because A is wrong.","B is right.","I believe the answer is B.","I think it is B.","My choice: B","Selected option: B","Option: B","ANSWER: B","answer: (b)","Antwort: B, weil A nicht passt.","La réponse correcte est B.","Lösung: B","B 是正确答案","选择B","综上所述，答案为B。","故选B。","故选：B","因此选B。","所以答案是B。","答えは B です。","따라서 정답은 B이다.","정답은 (B)","The final answer is: $\\boxed{\\text{(B)}}$","The answer is B.\n\nHope this helps!","Answer: B\n\nConfidence: 90%","Reasoning: if x is not 3 then y.\nAnswer: B","{\"reasoning\": \"A is not right, maybe C\", \"answer\": \"B\"}","{\"answer\": \"B\", \"reasoning\": \"A is not right\"}","<reasoning>not A</reasoning>\n<answer>\nB\n</answer>"]]

def lead(number: int) -> str:
    """What may stand before an answer line."""
    opening = ("Let us look at the options.", "Option A is too small.", "我们来看一下。", "The rate is 5.")
    return opening[number % len(opening)] + "\n"


def corpus() -> list[tuple[str, str]]:
    """Some 500 answers with their label: forms by labels by what stands around, in a fixed order."""
    forms = (
        "Answer: {}", "**Answer**: {}", "The answer is {}.", "The correct answer is **{}**", "答案：{}",
        "答案是{}。", "정답: {}", "Antwort: {}", "Réponse : {}", "La respuesta correcta es {}.",
        "\\boxed{{{}}}", "<answer>{}</answer>", '{{"answer": "{}"}}', "#### {}", "## Answer\n{}",
        "Final answer: ({})", "I choose {}.", "Therefore, {} is correct.", "Answer: {}, because it fits.",
        "Answer - {}", "ANSWER: {}", "Ответ: {}", "正解は{}です", "选{}", "Option {} is correct.",
        "Answer: {}\n\nThe others ignore the rate.", "My answer is {}.", "Correct answer: {}",
        "$\\boxed{{\\text{{{}}}}}$", "Selected option: {}", "Answer:\n\n**{}**",
    )
    return [
        (lead(number) + form.format(label), label)
        for number, form in enumerate(forms)
        for label in "BCD"
        for number in (number, number + 1, number + 2, number + 3, number + 4)
    ]


@pytest.mark.parametrize(("text", "label", "labels"), GOOD)
def test_the_label_is_found(text: str, label: str, labels: tuple[str, ...]) -> None:
    assert chosen(text, labels) == [label]


@pytest.mark.parametrize(("text", "label", "labels"), BAD)
def test_it_is_never_taken_for_chosen(text: str, label: str, labels: tuple[str, ...]) -> None:
    assert chosen(text, labels) != [label]


def test_a_corpus_is_read_right_and_nothing_wrong_is() -> None:
    said = corpus()
    found = [(chosen(text, L), label) for text, label in said]
    assert len(said) >= 450
    assert sum(got == [label] for got, label in found) >= 0.995 * len(said)
    assert all(len(got) != 1 or got == [label] for got, label in found)


WORDS = st.lists(
    st.sampled_from(["rate", "train", "so", "seven", "blue", "我们", "速度", "火车", "计算"]), max_size=6
)


@given(before=WORDS, after=WORDS, label=st.sampled_from(L))
def test_a_label_among_words_is_found_and_its_negation_is_not(
    before: list[str], after: list[str], label: str
) -> None:
    head, tail = " ".join(before), " ".join(after)
    for answer in (f"Answer: {label}.", f"答案是{label}。", f"The answer is {label}."):
        assert chosen(f"{head}. {answer} {tail}", L) == [label]
    for answer in (f"The answer is not {label}.", f"答案不是{label}。", f"{label} is wrong.", f"不是{label}"):
        assert chosen(f"{head}. {answer} {tail}", L) != [label]
