"""Models in a GGUF file: converted once, then like any other; broken ones get a sentence."""

import json

import gguf
import numpy as np
import pytest
import torch
import transformers

from allrounder import ProjectError
from allrounder.encoders import Text, ggufs
from allrounder.encoders.locate import locate

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


def write(path, *, architecture="llama"):
    """Write a tiny model with random weights as a GGUF file."""
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(64)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
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
        (None, "bad.gguf could not be read"),
    ],
)
def test_broken_files_get_a_sentence_and_leave_nothing(tiny_gguf, tmp_path, content, words):
    whole = tiny_gguf.read_bytes()
    (tmp_path / "bad.gguf").write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ProjectError) as caught:
        locate("bad.gguf", tmp_path, at="inputs.text")
    assert str(caught.value).startswith("`inputs.text.model`: ")
    assert words in str(caught.value)
    assert not list(tmp_path.glob(".allrounder/models/*"))


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
    with pytest.raises(ProjectError, match=r"pip install 'allrounder\[gguf\]'"):
        locate("two/a.gguf", tmp_path)
