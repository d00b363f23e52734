"""Vision and sound models of every architecture that people bring: tiny ones, at random."""

import numpy as np
import pyarrow as pa
import pytest
import torch
import transformers
from making import read
from models import MODELS, drawing, tone

from allrounder.encoders import Audio, Image
from allrounder.encoders.pictures import picture
from allrounder.errors import ProjectError

HEARD = ("whisper", "wav2vec2", "hubert", "ast")
SEEN = tuple(name for name in MODELS if name not in HEARD)
VALUES = {
    Image: [drawing(0), drawing(1, 90, 20), drawing(2, 33, 31)],
    Audio: [tone(0, 0.4), tone(1, 1.3, 44_100, 2), tone(2, 0.02)],
}
LORA = pytest.mark.filterwarnings(
    "ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"
)  # peft


def encoder_of(models, name, **options):
    kind = Audio if name in HEARD else Image
    defaults = {"window": 1.0} if kind is Audio and name != "ast" else {}
    return kind(model=models(name), fields=["it"], **{**defaults, **options})


def said(encoder, module, rows):
    found = encoder.prepare([read(encoder, VALUES[type(encoder)])])
    with torch.no_grad():
        return module.eval()(encoder.collate(found, rows, [True] * len(rows)), tokens=True)


@LORA
@pytest.mark.parametrize("tune", ["full", "frozen", "top:1", "lora"])
@pytest.mark.parametrize("name", sorted(MODELS))
def test_an_answer_does_not_depend_on_its_batch(models, name, tune):
    encoder = encoder_of(models, name, tune=tune)
    module = encoder.module()
    together = said(encoder, module, [0, 1, 2])
    for row in range(3):
        alone = said(encoder, module, [row])
        n = alone.tokens.shape[1]
        torch.testing.assert_close(alone.pooled[0], together.pooled[row], atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(alone.tokens[0], together.tokens[row, :n], atol=2e-5, rtol=1e-4)
    learning = np.array([weight.requires_grad for weight in module.parameters()])
    assert learning.all() if tune == "full" else not learning.all()
    assert learning.any() == (tune != "frozen")


@pytest.mark.parametrize("name", sorted(MODELS))
def test_top_n_lets_the_last_layers_learn(models, name):
    module = encoder_of(models, name, tune="top:2").module()
    learning = {n for n, weight in module.named_parameters() if weight.requires_grad}
    assert {module.depth(n) for n in learning} == {0, 1}
    with pytest.raises(ProjectError, match="asks for more layers than the model has"):
        encoder_of(models, name, tune="top:9").module()


@pytest.mark.parametrize("name", sorted(MODELS))
def test_what_lies_below_the_layers_is_deeper_than_they(models, name):
    module = encoder_of(models, name).module()
    depths = {n: module.depth(n) for n, _ in module.named_parameters()}
    assert set(depths.values()) == set(range(module.num_layers + 1))
    lowest = [n for n, depth in depths.items() if depth == module.num_layers]
    assert all("layer." not in n and "layers.0" not in n.replace("conv_layers", "") for n in lowest)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_weights_are_those_of_the_file(models, name):
    module = encoder_of(models, name).module()
    whole = dict(transformers.AutoModel.from_pretrained(models(name)).named_parameters())
    for key, weight in module.network.named_parameters():
        there = [found for n, found in whole.items() if f".{n}".endswith(f".{key}")]
        assert any(torch.equal(weight, found[: len(weight)]) for found in there), key


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("pool", ["cls", "pooler"])
def test_other_ways_to_pool_pictures(models, name, pool):
    encoder = encoder_of(models, name, pool=pool)
    if pool == "cls" and name in {"convnext", "siglip"}:
        with pytest.raises(ProjectError, match=r"`pool: cls`: \w+ has no token before its patches"):
            encoder.module()
        return
    network = transformers.AutoModel.from_pretrained(encoder.folder).eval()
    network = getattr(network, "vision_model", network)
    pixels = np.stack([encoder.preprocessing(picture(held)) for held in VALUES[Image]])
    with torch.no_grad():
        found = network(pixel_values=torch.from_numpy(pixels))
    wanted = found.pooler_output.flatten(1) if pool == "pooler" else found.last_hidden_state[:, 0]
    torch.testing.assert_close(
        said(encoder, encoder.module(), [0, 1, 2]).pooled, wanted, atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("name", HEARD)
@pytest.mark.parametrize("pool", ["cls", "pooler"])
def test_other_ways_to_pool_sounds(models, name, pool):
    encoder = encoder_of(models, name, pool=pool)
    if name == "ast":
        assert said(encoder, encoder.module(), [0]).pooled.shape == (1, 16)
        return
    with pytest.raises(ProjectError, match=rf"`pool: {pool}`: \w+ has nothing but frames"):
        encoder.module()


@pytest.mark.parametrize("name", SEEN)
def test_another_size_makes_other_patches(models, name):
    encoder = encoder_of(models, name, size=96)
    found = said(encoder, encoder.module(), [0])
    assert found.tokens.shape[1] == encoder.reach == {"convnext": 9}.get(name, 144)


def test_a_long_sound_is_the_mean_of_its_windows(models):
    encoder = encoder_of(models, "hubert", window=0.5)
    module = encoder.module()
    whole = said(encoder, module, [1])
    assert whole.tokens.shape[1] == sum(
        map(encoder.hearing.tokens, encoder.hearing.windows(20_800))
    )
    torch.testing.assert_close(whole.pooled[0], whole.tokens[0].mean(0), atol=1e-5, rtol=1e-4)


def test_a_sound_beyond_max_seconds_is_cut_and_counted(models):
    encoder = encoder_of(models, "whisper", max_seconds=1.0, window=None)
    found = encoder.prepare([read(encoder, VALUES[Audio])])
    assert found.lengths.tolist() == [20, 50, 1]
    assert found.full.tolist() == [20, 65, 1]
    assert encoder.reach == 50


def test_whisper_reads_thirty_seconds_unless_told_otherwise(models):
    encoder = encoder_of(models, "whisper", window=None)
    found = encoder.prepare([read(encoder, VALUES[Audio])])
    assert encoder.length(found, np.zeros(3, bool)).tolist() == [1500] * 3
    assert encoder.collate(found, [0], [False]).values.shape == (1, 20, 3000)
    short = encoder_of(models, "whisper", window=1.0)
    assert short.module().network.embed_positions.weight.shape == (50, 16)


def test_nothing_about_a_missing_sound_is_read(models):
    encoder = encoder_of(models, "whisper")
    found = encoder.prepare([pa.nulls(3, encoder.field.type)])
    assert found.lengths.tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("kind", "fields", "words"),
    [
        (Image, {"tune": "half"}, "has `tune: half`. Expected frozen, top:N, lora or full."),
        (Image, {"size": 4}, "has `size: 4`. Expected 8 pixels or more."),
        (
            Image,
            {"tune": "frozen", "augment": True},
            "has `augment` and `tune: frozen`. A frozen encoder reads every record once, "
            "unchanged. Leave one of them out.",
        ),
        (
            Audio,
            {"tune": "frozen", "augment": ["noise"]},
            "has `augment` and `tune: frozen`. A frozen encoder reads every record once, "
            "unchanged. Leave one of them out.",
        ),
        (Audio, {"max_seconds": 0}, "has `max_seconds: 0`. Expected 0.1 seconds or more."),
        (Audio, {"window": 0.01}, "has `window: 0.01`. Expected 0.1 seconds or more."),
    ],
)
def test_settings_that_mean_nothing_are_refused(kind, fields, words):
    with pytest.raises(ValueError) as caught:
        kind(model="m", **fields)
    assert str(caught.value) == words


def test_a_model_that_reads_no_pictures_is_refused(models):
    encoder = Image(model=models("hubert"), fields=["it"])
    with pytest.raises(ProjectError) as caught:
        encoder.module()
    assert str(caught.value) == (
        f"{models('hubert')} holds a HubertModel, which reads no pictures. Expected a vision "
        "model, such as ViT, DINOv2, ConvNeXt, CLIP or SigLIP."
    )


def test_a_model_that_hears_nothing_is_refused_before_any_work(models, tmp_path):
    with pytest.raises(ProjectError, match="holds a model of type 'vit', which hears nothing"):
        Audio(model=models("vit"), fields=["it"]).at(tmp_path)
