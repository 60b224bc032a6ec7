from __future__ import annotations

import pytest

from wavegate.config.document import NODE_LIMIT, Position, read_document


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("name", (1, 1)),
        ("waves", (2, 1)),
        ("waves[0]", (3, 5)),
        ("waves[0].name", (3, 5)),
        ("waves[0].batch", (4, 5)),
        ("waves[0].batch[1]", (4, 16)),
        ("probes.web.http.json.data.version", (5, 30)),
    ],
)
def test_every_key_path_has_its_line_and_column(path, place):
    text = "name: a\nwaves:\n  - name: b\n    batch: [1, 50%]\n"
    text += "probes: {web: {http: {json: {data.version: x}}}}\n"
    assert read_document(text).positions[path] == Position(*place)


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("a: yes", {"a": True}),
        ("a: 1.10", {"a": 1.1}),
        ("a: 0x1F", {"a": 31}),
        ("a: 2024-01-01", {"a": "2024-01-01"}),
        ("a: ~", {"a": None}),
        ("on: 1", {"on": 1}),
        ("8080: 1", {"8080": 1}),
        ("vars: {a: !vault abc}", {"vars": {"a": {"__ansible_vault": "abc"}}}),
        ("vars: {a: [!unsafe '{{ x }}']}", {"vars": {"a": [{"__ansible_unsafe": "{{ x }}"}]}}),
        ("a: &x {b: 1}\nc: *x", {"a": {"b": 1}, "c": {"b": 1}}),
        ("a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}", {"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
        ("a: &x {b: 1}\nc: &y {b: 2}\nd: {<<: [*x, *y]}", {"a": {"b": 1}, "c": {"b": 2}, "d": {"b": 1}}),
    ],
)
def test_yaml_is_read_as_json_data(text, data):
    document = read_document(text)
    assert document.problems == ()
    assert document.data == data


BILLION_LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40))
MERGED_LAUGHS = "a0: &a0 {x: 1}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 40)
)


@pytest.mark.parametrize(
    ("text", "line", "column", "message", "hint"),
    [
        ("a: 1\na: 2", 2, 1, "written twice; the first is in line 1", ""),
        ("a: {b: 1, b: 2}", 1, 11, "written twice", ""),
        ("a: [1\nb: 2", 2, 2, "not YAML", ""),
        ("a:\n\tb: 1", 2, 1, "not YAML", "no tabs"),
        ("a: {{ x }}/y", 1, 11, "not YAML", "must stand in quotes"),
        ("a: {{ x }}", 1, 5, "a mapping cannot be a key", "must stand in quotes"),
        ("[1]: 2", 1, 1, "a list cannot be a key", ""),
        ("a: 1\n---\nb: 2", 2, 1, "single document", "one rollout a file"),
        ("a: b\x07", 1, 5, "control character", ""),
        ("a: !vault x", 1, 4, "only possible in vars", "as a template"),
        ("vars: {a: !vault [x]}", 1, 11, "only mark a single text", ""),
        ("a: !!python/object:os.system x", 1, 4, "means nothing here", ""),
        ("a: !!binary aGk=", 1, 4, "means nothing here", ""),
        ("a: &x [*x]", 1, 4, "alias contains itself", ""),
        ("a: &x {<<: *x}", 1, 4, "<< takes a mapping", ""),
        ("a: .inf", 1, 4, "not a number that JSON can carry", ""),
        ("a: !!int x", 1, 4, "not a value", ""),
        ("a: !!bool x", 1, 4, "not a value", ""),
        ("a: !!int ''", 1, 4, "not a value", ""),
        ('a: "\\0"', 1, 4, "cannot be stored", ""),
        ('a: "\\ud800"', 1, 4, "cannot be stored", ""),
        ("vars: {x: {8080: y}}", 1, 12, "variables travel as JSON", '"8080" in quotes'),
        (BILLION_LAUGHS, 0, 0, f"more than {NODE_LIMIT} values", "fewer YAML aliases"),
        (MERGED_LAUGHS, 0, 0, f"more than {NODE_LIMIT} values", "fewer YAML aliases"),
        ("[" * 5000, 0, 0, "nested too deeply", ""),
        ("a: " + "9" * 5000, 1, 4, "not a value", ""),
    ],
)
def test_what_yaml_gets_wrong_is_one_problem_with_its_place(text, line, column, message, hint):
    (problem,) = read_document(text).problems
    assert (problem.line, problem.column) == (line, column)
    assert message in problem.message
    assert hint in problem.hint


def test_all_problems_of_a_document_are_found_at_once():
    problems = read_document("a: !x 1\nb: .nan\nb: 2\n? [c]\n: 3").problems
    assert [problem.line for problem in problems] == [1, 2, 3, 4]
