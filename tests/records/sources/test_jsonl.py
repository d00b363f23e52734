def test_objects_are_rows_and_missing_keys_null(reading):
    assert reading.rows("jsonl", '{"a": 1, "b": [{"c": "多面手"}]}\n\n  \n{"d": true}') == [
        {"a": 1, "b": [{"c": "多面手"}], "d": None},
        {"a": None, "b": None, "d": True},
    ]


def test_values_of_mixed_types_become_strings(reading):
    content = '{"a": 1}\n{"a": "x"}\n{"a": [1, "é"]}\n{"a": null}\n'
    assert reading.rows("jsonl", content) == [
        {"a": "1"}, {"a": "x"}, {"a": '[1, "é"]'}, {"a": None},
    ]  # fmt: skip


def test_a_line_separator_within_a_string_is_no_line_end(reading):
    content = '{"a": "x\u2028y\u0085z"}\r\n\n{"a": "b"}\n'
    assert reading.rows("jsonl", content) == [{"a": "x\u2028y\u0085z"}, {"a": "b"}]
    assert reading.lines("jsonl", content) == [1, 3]


def test_what_is_not_json_is_named_with_line_and_column(reading):
    assert reading.refused("jsonl", '{"a": 1}\n{"a": }\n') == (
        "a.x, line 2, column 7: this is not JSON: Expecting value. Every line must be one whole "
        'JSON object, such as {"text": "…"}.'
    )


def test_what_is_no_object_is_shown(reading):
    assert reading.refused("jsonl", '["a", 1]\n') == (
        'a.x, line 1: expected a JSON object with keys, found ["a", 1]. Every line must be one '
        'whole JSON object, such as {"text": "…"}.'
    )


def test_an_empty_object_is_refused(reading):
    assert reading.refused("jsonl", '{"a": 1}\n{}\n').startswith(
        "a.x, line 2: expected a JSON object with keys, found {}."
    )


def test_half_a_character_is_named(reading):
    assert reading.refused("jsonl", '{"a": "x"}\n{"a": "\\ud83d"}\n') == (
        "a.x, line 2: found half a character, \\ud83d. Escapes from \\ud800 to \\udfff only stand "
        "in pairs: write the character itself, or drop it."
    )


def test_a_number_too_large_for_arrow_becomes_a_string(reading):
    assert reading.rows("jsonl", '{"a": 123456789012345678901234567890}') == [
        {"a": "123456789012345678901234567890"}
    ]


def test_json_nested_too_deeply_is_named(reading):
    assert reading.refused("jsonl", '{"a": ' + "[" * 100_000) == (
        "a.x, line 1: the JSON is nested too deeply."
    )
