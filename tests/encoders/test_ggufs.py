"""Models in a GGUF file: converted once, then like any other; broken ones get a sentence."""

import json
import os
import struct

import gguf
import numpy as np
import pytest
import torch
import transformers

from allrounder import ProjectError
from allrounder.encoders import Text, ggufs
from allrounder.encoders.headers import walk
from allrounder.encoders.locate import locate
from allrounder.errors import MissingExtra

WIDTH, LAYERS, HEADS, WORDS = 32, 2, 2, [*"abcdefgh", "ab", "cd", "abcd"]
SPECIALS = ["<unk>", "<s>", "</s>"]


def tensors(rng):
    """Return the weights of a tiny Llama, by the names that GGUF gives them."""
    size = len(SPECIALS) + len(WORDS)
    draw = lambda *shape: rng.normal(0, 0.3, shape).astype(np.float32)  # noqa: E731
    found = {"token_embd.weight": draw(size, WIDTH), "output.weight": draw(size, WIDTH),
             "output_norm.weight": np.ones(WIDTH, np.float32)}  # fmt: skip
    for at in range(LAYERS):
        layer = {name: draw(WIDTH, WIDTH) for name in ("attn_q", "attn_k", "attn_v", "attn_output")}
        layer |= {"ffn_gate": draw(64, WIDTH), "ffn_up": draw(64, WIDTH),
                  "ffn_down": draw(WIDTH, 64), "attn_norm": np.ones(WIDTH, np.float32),
                  "ffn_norm": np.ones(WIDTH, np.float32)}  # fmt: skip
        found |= {f"blk.{at}.{name}.weight": tensor for name, tensor in layer.items()}
    return found


def write(path, *, architecture="llama", layers=LAYERS, without=""):
    """Write a tiny model with random weights as a GGUF file, all weights but one."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(64)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(SPECIALS) + len(WORDS))
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list([*SPECIALS, *WORDS])
    writer.add_token_types([3] * len(SPECIALS) + [1] * len(WORDS))
    writer.add_token_merges(["a b", "c d", "ab cd"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    for name, tensor in tensors(np.random.default_rng(0)).items():
        if name != without:
            writer.add_tensor(name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="module")
def tiny_gguf(tmp_path_factory):
    """A folder with a tiny model in a GGUF file."""
    return write(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def test_it_says_what_transformers_says_of_the_file(tiny_gguf):
    folder = locate("tiny.gguf", tiny_gguf.parent)
    ids = torch.tensor([[1, 5, 6, 11, 13]])
    own = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    other = transformers.AutoModelForCausalLM.from_pretrained(
        tiny_gguf.parent, gguf_file="tiny.gguf", dtype=torch.float32
    )
    with torch.no_grad():
        torch.testing.assert_close(own(ids).logits, other(ids).logits, atol=0.1, rtol=0.05)
    assert json.loads((folder / "config.json").read_text()).get("quantization_config") is None
    assert not list(folder.parent.glob(".*"))


def test_it_is_converted_once_and_anew_when_the_file_changes(tiny_gguf, tmp_path, monkeypatch):
    copy = tmp_path / "tiny.gguf"
    copy.write_bytes(tiny_gguf.read_bytes())
    first = locate("tiny.gguf", tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(ggufs, "_convert", lambda *_: pytest.fail("it was converted again"))
        assert locate("tiny.gguf", tmp_path) == first
        (tmp_path / "folder").mkdir()
        copy.rename(tmp_path / "folder" / "tiny.gguf")
        assert locate("folder", tmp_path) == first
    other = tmp_path / "folder" / "tiny.gguf"
    found = bytearray(other.read_bytes())
    found[-3] ^= 1
    other.write_bytes(bytes(found))
    assert locate("folder/tiny.gguf", tmp_path) != first


def test_it_writes_and_is_read_like_any_other(tiny_gguf):
    encoder = Text(model="tiny.gguf", fields=["text"], max_tokens=8, tune="full")
    encoder = encoder.at(tiny_gguf.parent)
    assert [row.tolist() for row in encoder.words(["abcd", "h"])] == [[13], [10]]
    module = encoder.writing("reply")
    assert module.end == 2
    assert module.width == WIDTH


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"nothing of the sort", "bad.gguf is no GGUF file: expected it to begin with b'GGUF'"),
        (b"GGUF" + bytes(60), "bad.gguf could not be read"),
        (None, "bad.gguf could not be read (ValueError: it ends at byte"),
        (
            # one pair, "a": an array of 2⁶⁰ bytes, which a reader would look for without end
            b"GGUF" + struct.pack("<IQQQcIIQ", 3, 0, 1, 1, b"a", 9, 0, 1 << 60),
            "it ends at byte 49, before what its header promises",
        ),
        (
            b"GGUF" + struct.pack("<IQQQcI", 3, 0, 1, 1, b"a", 9) + struct.pack("<IQ", 9, 1) * 9,
            "arrays lie more than 4 deep in each other",
        ),
        (b"GGUF" + struct.pack("<IQQQcI", 3, 0, 1, 1, b"a", 99), "of an unknown kind, 99"),
    ],
)
def test_broken_files_get_a_sentence_and_leave_nothing(tiny_gguf, tmp_path, content, words):
    whole = tiny_gguf.read_bytes()
    (tmp_path / "bad.gguf").write_bytes(whole[:700] if content is None else content)
    with pytest.raises(ProjectError) as caught:
        locate("bad.gguf", tmp_path, at="inputs.text")
    assert str(caught.value).startswith("`inputs.text.model`: ")
    assert words in str(caught.value)
    assert not list(tmp_path.glob(".allrounder/models/*"))


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"layers": 1 << 30}, "it tells of 1,073,741,824 layers, and holds 21 tensors"),
        (
            {"without": "blk.1.ffn_up.weight"},
            "it lacks 1 weights, such as model.layers.1.mlp.up_proj.weight",
        ),
    ],
)
def test_a_file_that_holds_less_than_it_tells_of_is_refused(tmp_path, keys, words):
    write(tmp_path / "less.gguf", **keys)
    with pytest.raises(ProjectError, match=words):
        locate("less.gguf", tmp_path)
    assert not list(tmp_path.glob(".allrounder/models/*"))


def test_a_header_of_the_other_byte_order_is_walked(tmp_path):
    ends = b"GGUF" + struct.pack(">IQQQcIIQ", 3, 0, 1, 1, b"a", 9, 0, 1 << 60)
    (tmp_path / "other.gguf").write_bytes(ends)
    with pytest.raises(ValueError, match="it ends at byte 49"):
        walk(tmp_path / "other.gguf")


def test_a_change_in_the_middle_is_noticed(tiny_gguf, tmp_path, monkeypatch):
    monkeypatch.setattr(ggufs, "EDGE", 64)
    copy, found = tmp_path / "tiny.gguf", bytearray(tiny_gguf.read_bytes())
    copy.write_bytes(found)
    os.utime(copy, ns=(1, 1))
    first = locate("tiny.gguf", tmp_path)
    found[-1000] ^= 1
    copy.write_bytes(found)
    assert locate("tiny.gguf", tmp_path) != first


def test_another_process_may_be_quicker(tiny_gguf, tmp_path, monkeypatch):
    (tmp_path / "tiny.gguf").write_bytes(tiny_gguf.read_bytes())
    convert = ggufs._convert

    def twice(path, draft, at):
        convert(path, draft, at)
        if "quicker" not in draft.name:
            home = draft.with_name(draft.name[1:].rpartition(".")[0])
            convert(path, draft.with_name("quicker"), at)
            draft.with_name("quicker").replace(home)

    monkeypatch.setattr(ggufs, "_convert", twice)
    found = locate("tiny.gguf", tmp_path)
    assert [one.name for one in found.parent.iterdir()] == [found.name]


def test_a_disk_that_is_full_is_no_fault_of_the_file(tiny_gguf, tmp_path):
    (tmp_path / "tiny.gguf").write_bytes(tiny_gguf.read_bytes())
    (tmp_path / ".allrounder").write_text("no folder")
    with pytest.raises(ProjectError, match=r"cannot be kept in .* It takes two bytes a weight"):
        locate("tiny.gguf", tmp_path)


def test_a_kind_that_transformers_does_not_read_is_refused_with_those_that_it_reads(tmp_path):
    write(tmp_path / "odd.gguf", architecture="oddity")
    with pytest.raises(ProjectError, match=r"Expected a whole GGUF file .* gpt2"):
        locate("odd.gguf", tmp_path)


def test_what_is_not_there_or_not_one_is_refused(tiny_gguf, tmp_path, monkeypatch):
    with pytest.raises(ProjectError, match=r"there is no file 'gone\.gguf'"):
        locate("gone.gguf", tmp_path)
    (tmp_path / "two").mkdir()
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / "two" / name).write_bytes(b"GGUF")
    with pytest.raises(ProjectError, match=r"holds several models: a\.gguf, b\.gguf\. Name one"):
        locate("two", tmp_path)
    monkeypatch.setattr(ggufs, "find_spec", lambda name: None if name == "gguf" else True)
    with pytest.raises(MissingExtra, match=r"pip install 'allrounder\[gguf\]'"):
        locate("two/a.gguf", tmp_path)
