from __future__ import annotations

import pytest

from autoft_plugins.tasks.texts import LENGTHS, clean, language, length_cap, likely_tokens


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("en", "The film was not what I expected, but it is still good and worth the money."),
        ("de", "Der Film war nicht gut und ich habe das Geld auch nicht zurück bekommen, sehr schade."),
        ("fr", "Le film est très bon et je ne suis pas déçu, avec une histoire pour les enfants."),
        ("es", "La película es muy buena y no está mal para los niños, pero el final es lo que menos me gusta."),
        ("it", "Il film è molto bello ma non mi è piaciuto il finale della storia, che è una noia."),
        ("pt", "O filme é muito bom mas não gostei do final da história, que é uma chatice para os fãs."),
        ("nl", "De film is niet goed en het is ook heel lang, maar ik vind het wel leuk voor de kinderen."),
        ("zh", "这个东西很好用，我会再买的 iPhone 手机壳"),
        ("ja", "この商品はとても良いです。また買いたい"),
        ("ko", "이 제품은 정말 좋습니다"),
        ("ru", "Очень хороший товар, всем советую"),
        ("uk", "Дуже гарний товар, раджу всім, їжа смачна"),
        ("ar", "هذا المنتج رائع جدا"),
        ("fa", "این محصول خیلی خوب است و پیشنهاد می‌کنم چون کیفیت دارد"),
        ("el", "Πολύ καλό προϊόν"),
        ("he", "מוצר טוב מאוד"),
        ("th", "สินค้าดีมาก"),
        ("hi", "बहुत अच्छा उत्पाद"),
        (None, "Qwx zzt plk vbn"),
        (None, "12345 !!!"),
    ],
)
def test_language(code, text):
    assert language([text] * 5) == code


def test_no_texts():
    assert language([]) is None
    assert length_cap([]) == LENGTHS[0]


@pytest.mark.parametrize(
    ("words", "cap"),
    [(5, 64), (38, 64), (60, 128), (150, 256), (300, 512), (5000, 512)],
)
def test_the_cap_covers_the_texts(words, cap):
    assert length_cap(["word " * words] * 10) == cap


def test_the_cap_spares_the_longest_percent():
    assert length_cap(["short text"] * 995 + ["word " * 500] * 5) == 64
    assert length_cap(["short text"] * 980 + ["word " * 500] * 20) == 512


def test_tokens_are_not_underestimated():
    assert likely_tokens("好" * 100) >= 102
    assert likely_tokens("https://example.org/" + "a1b2" * 50) > 60
    assert likely_tokens("Очень хороший товар") > 8


def test_clean_keeps_what_is_sound():
    text = "plain ünïcode 😀 \n\t"
    assert clean(text) is text
