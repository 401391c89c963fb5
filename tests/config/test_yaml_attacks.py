"""Texts that are no configuration: each ends in one message with file and line, in time in proportion to it."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from nodeloom.config import load_config
from nodeloom.config.yaml_tree import LARGEST, MOST, parse, scalar
from nodeloom.errors import ConfigError
from nodeloom.words import of_yaml, spoken

BOMB = "a: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"b{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 16)
)

GROUPS = "a: &a0 {x: 1, y: 2}\n" + "".join(f"b{i}: &a{i} {{x: *a{i - 1}, y: *a{i - 1}}}\n" for i in range(1, 40))
TEXTS = {
    "bomb": (BOMB, "Do aliases"),
    "bomb of groups": (GROUPS, "Do aliases"),
    "recursion": ("graph: &a [*a]\n", "holds itself"),
    "recursion of groups": ("graph: &a\n  b: *a\n", "holds itself"),
    "blocks": ("\n".join(" " * i + "a:" for i in range(900)), "nested without end"),
    "brackets": ("graph: " + "[" * 100_000, "nested without end"),
    "braces": ("{" * 50_000, "nested without end"),
    "digits": (f"resource:\n  dim: {'9' * 5000}\n", "y:2: expected what YAML can read as int"),
    "hexadecimal": (f"resource:\n  dim: 0x{'f' * 5000}\n", "too large to write"),
    "sexagesimal": (f"resource:\n  dim: {'9' * 4400}:59\n", "y:2: expected what YAML can read as int"),
    "float": ("resource:\n  dim: 1e999999\n", "resource.dim: expected"),
    "control": ("graph:\n  file_name: a\x01b\n", "y:2: this is not YAML: the character 0x1"),
    "null": ("graph:\n\n  file_name: a\x00b\n", "y:3: this is not YAML: the character 0x0"),
    "int": ("train:\n  num_epoch: !!int x\n", "y:2: expected what YAML can read as int, got 'x'"),
    "no float": ("train:\n  num_epoch: !!float x\n", "y:2: expected what YAML can read as float"),
    "no bool": ("train:\n  num_epoch: !!bool x\n", "y:2: expected what YAML can read as bool"),
    "no timestamp": ("train:\n  num_epoch: !!timestamp x\n", "y:2: expected what YAML can read as timestamp"),
    "month": ("train:\n  num_epoch: 2001-99-99\n", "y:2: expected what YAML can read as timestamp"),
    "zone": ("train:\n  num_epoch: 2001-01-01 00:00:00 +99:99\n", "y:2: "),
    "key": ("train:\n  !!int x: 1\n", "y:2: expected what YAML can read as int"),
    "key of a date": ("train:\n  2001-99-99: 1\n", "y:2: "),
    "list as key": ("train:\n  ? [a]\n  : 1\n", "y:2: expected a name as key"),
    "tag": ("train: !!python/object/apply:os.system [ls]\n", "y:1: "),
    "tag of a scalar": ("train: !!python/name:os.system x\n", "y:1: "),
    "set": ("train: !!set {a, b}\n", "y:1: train: expected plain groups"),
    "omap": ("train: !!omap [a: 1]\n", "y:1: train: expected plain groups"),
    "binary": ("train: !!binary '='\n", "y:1: "),
    "no end": ("graph: 'abc\n", "y:2: this is not YAML"),
    "alias": ("graph: *nothing\n", "y:1: this is not YAML"),
    "documents": ("a: 1\n---\nb: 1\n", "this is not YAML"),
    "merge": ("graph: {<<: {a: 1}}\n", "merges are not supported"),
    "large": ("# " + "x" * LARGEST, "Put edges into a file of their own"),
    "key without value": ("graph: {file_name: e}\nresource:\n  dmi:\n", "y:3: resource.dmi: unknown key"),
    "bytes": (b"graph:\n  file_name: \xff\n", "y:2: this is not a text file in UTF-8 (byte 20)"),
    "UTF-16": ("graph: 1".encode("utf-16"), "y:1: this is not a text file in UTF-8"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "words"), TEXTS.values(), ids=TEXTS)
def test_every_text_ends_in_one_message(tmp_path, text, words):
    path = tmp_path / "y"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    begin = time.process_time()
    with pytest.raises(ConfigError) as caught, spoken(of_yaml):
        load_config(path)
    assert time.process_time() - begin < 5
    assert words in str(caught.value)
    assert str(caught.value).startswith(str(path)[:20])
    assert len(str(caught.value)) < 3000


def test_many_keys_take_time_in_proportion(tmp_path):
    """The sentences about unknown keys were compared with one another: 200,000 keys took hours."""
    seconds = []
    for count in (4000, 16000):
        path = tmp_path / "y"
        path.write_text("".join(f"k{i}: 1\n" for i in range(count)))
        begin = time.process_time()
        with pytest.raises(ConfigError, match=rf"and {count - 20:,} more|: unknown key"):
            load_config(path)
        seconds.append(time.process_time() - begin)
    assert seconds[1] < 8 * seconds[0] + 1


@given(
    st.text(max_size=60)
    | st.sampled_from([text for text, _ in TEXTS.values() if isinstance(text, str) and len(text) < 400])
)
def test_a_value_on_the_command_line_is_a_value_or_text(text):
    scalar(text)


@given(st.binary(max_size=80))
def test_any_text_is_parsed_or_refused(content):
    try:
        assert isinstance(parse(content.decode(errors="replace"), "y").values, dict)
    except ConfigError as error:
        assert str(error).startswith("y")


def test_scalars_are_what_yaml_says():
    for text in ("5", "1e-3", "true", "[1, 2]", "a: 1", "'5'", "~", "", "x"):
        assert scalar(text) == yaml.safe_load(text)
    assert scalar("9" * 5000) == "9" * 5000
    assert scalar("&a [*a]") == "&a [*a]"
    assert MOST >= 100_000
