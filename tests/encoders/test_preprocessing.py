"""Pictures and sounds reach models as transformers' own processors would hand them over."""

import json

import numpy as np
import pytest
from models import tone
from PIL import Image
from transformers import (
    ASTFeatureExtractor,
    Wav2Vec2FeatureExtractor,
    WhisperFeatureExtractor,
)
from transformers.models.bit.image_processing_pil_bit import BitImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil
from transformers.models.deit.image_processing_pil_deit import DeiTImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil
from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

from allrounder.encoders.hearing import Kaldi, Mels, Waves, read_hearing
from allrounder.encoders.preprocessing import read_preprocessing
from allrounder.encoders.sounds import sound
from allrounder.errors import ProjectError

DINO = {
    "size": {"shortest_edge": 256},
    "crop_size": {"height": 224, "width": 224},
    "image_mean": [0.485, 0.456, 0.406],
    "image_std": [0.229, 0.224, 0.225],
}
PROCESSORS = [
    (ViTImageProcessorPil, {}),
    (ViTImageProcessorPil, {"size": {"height": 100, "width": 60}, "resample": 0}),
    (ViTImageProcessorPil, {"do_normalize": False}),
    (ViTImageProcessorPil, {"do_rescale": False}),
    (ViTImageProcessorPil, {"do_resize": False, "do_center_crop": True, "crop_size": 101}),
    (CLIPImageProcessorPil, {}),
    (CLIPImageProcessorPil, {"size": {"shortest_edge": 30}, "crop_size": 41}),
    (SiglipImageProcessorPil, {}),
    (BitImageProcessorPil, DINO),
    (DeiTImageProcessorPil, {}),
    (ConvNextImageProcessorPil, {}),
    (ConvNextImageProcessorPil, {"size": {"shortest_edge": 224}}),
    (ConvNextImageProcessorPil, {"size": {"shortest_edge": 288}, "crop_pct": 0.95}),
]


@pytest.mark.parametrize("size", [(300, 200), (51, 333), (224, 224), (17, 23)])
@pytest.mark.parametrize(("processor", "options"), PROCESSORS)
def test_pixels_are_those_of_the_processor_on_pillow(processor, options, size, rng, tmp_path):
    theirs = processor(**options)
    theirs.save_pretrained(tmp_path)
    colours = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    image = Image.fromarray(colours)
    wanted = theirs(image, return_tensors="np")["pixel_values"][0]
    steps = read_preprocessing(tmp_path)
    found = steps(image)
    assert found.dtype == np.float32
    assert found.shape == wanted.shape == (3, *steps.shape)
    np.testing.assert_allclose(found, wanted, atol=1e-5 if theirs.do_rescale else 1e-3)


def written(folder, said, name="preprocessor_config.json"):
    (folder / name).write_text(json.dumps(said), encoding="utf-8")
    return folder


def test_files_of_older_releases_are_understood(tmp_path):
    old = {"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 200}
    steps = read_preprocessing(written(tmp_path, old))
    assert (steps.resize, steps.crop, steps.resample) == (224, (200, 200), 3)
    old = {"feature_extractor_type": "ViTFeatureExtractor", "size": 96, "resample": 2}
    steps = read_preprocessing(written(tmp_path, old))
    assert (steps.resize, steps.crop) == ((96, 96), None)


def test_the_file_of_a_two_sided_processor_is_understood(tmp_path):
    said = {"image_processor": {"image_processor_type": "SiglipImageProcessor",
                                "size": {"height": 64, "width": 64}}}  # fmt: skip
    assert read_preprocessing(written(tmp_path, said, "processor_config.json")).shape == (64, 64)


def test_another_size_cuts_off_as_much_as_before(tmp_path):
    steps = read_preprocessing(
        written(tmp_path, {"image_processor_type": "BitImageProcessor", **DINO})
    )
    assert (steps.sized(448).resize, steps.sized(448).crop) == (512, (448, 448))
    plain = read_preprocessing(written(tmp_path, {"size": 224})).sized(96)
    assert (plain.resize, plain.crop, plain.shape) == ((96, 96), None, (96, 96))


def test_a_folder_without_preprocessing_is_refused(tmp_path):
    with pytest.raises(ProjectError) as caught:
        read_preprocessing(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} holds no preprocessor_config.json, so nobody knows how the model wants "
        "pictures."
    )


def test_pictures_that_would_keep_their_shape_are_refused(tmp_path):
    said = {"image_processor_type": "CLIPImageProcessor", "do_center_crop": False}
    with pytest.raises(ProjectError) as caught:
        read_preprocessing(written(tmp_path, said))
    assert str(caught.value) == (
        f"{tmp_path} says in preprocessor_config.json that pictures keep their shape. Set "
        "`do_center_crop` and `crop_size`, so that they can stand in one batch."
    )


# ------------------------------------------------------------------ sounds

WAVE = sound(tone(3, 2.34), rate=16_000, num_samples=37_440)


def extracted(extractor, name):
    return extractor(WAVE, sampling_rate=16_000, return_tensors="np")[name][0]


@pytest.mark.parametrize("num_mels", [80, 128])
def test_whispers_spectrogram_is_that_of_its_feature_extractor(num_mels):
    hearing = Mels(rate=16_000, reach=480_000, num_mels=num_mels, hop=160, size=400)
    wanted = extracted(WhisperFeatureExtractor(feature_size=num_mels), "input_features")
    np.testing.assert_allclose(hearing.heard(WAVE), wanted, atol=2e-5)


@pytest.mark.filterwarnings("ignore:At least one mel filter has all zero:UserWarning")
def test_the_spectrogram_of_ast_is_that_of_its_feature_extractor():
    hearing = Kaldi(rate=16_000, reach=164_080, num_mels=128, num_columns=1024, patches=1212,
                    mean=-4.2677393, std=4.5689974)  # fmt: skip
    wanted = extracted(ASTFeatureExtractor(), "input_values")
    np.testing.assert_allclose(hearing.heard(WAVE).T, wanted, atol=1e-5)


@pytest.mark.parametrize("normal", [True, False])
def test_waveforms_are_those_of_the_feature_extractor(normal):
    hearing = Waves(rate=16_000, reach=320_000, kernels=[10, 3], strides=[5, 2], normal=normal,
                    masks=True)  # fmt: skip
    wanted = extracted(Wav2Vec2FeatureExtractor(do_normalize=normal), "input_values")
    np.testing.assert_allclose(hearing.heard(WAVE), wanted, atol=1e-6)


def test_a_model_that_hears_nothing_known_is_refused(tmp_path):
    written(tmp_path, {"model_type": "bert"}, "config.json")
    with pytest.raises(ProjectError) as caught:
        read_hearing(str(tmp_path), window=None)
    assert str(caught.value) == (
        f"{tmp_path} holds a model of type 'bert', which hears nothing known here. Known: whisper, "
        "audio-spectrogram-transformer, and models over waveforms such as wav2vec2 and hubert."
    )


def test_a_window_of_spectrograms_of_one_length_is_refused(models):
    folder = models("ast")
    with pytest.raises(ProjectError) as caught:
        read_hearing(folder, window=2.0)
    assert str(caught.value) == (
        f"`window: 2`: the model in {folder} reads spectrograms of one length. Leave it out."
    )


@pytest.mark.parametrize("samples", [1, 9, 10, 400, 16_000, 77_777])
@pytest.mark.parametrize("masks", [True, False])
def test_frames_are_counted_as_the_convolutions_make_them(models, samples, masks):
    import torch
    import transformers

    network = transformers.AutoModel.from_pretrained(models("wav2vec2"))
    config = network.config
    hearing = Waves(rate=16_000, reach=10**6, kernels=config.conv_kernel,
                    strides=config.conv_stride, normal=True, masks=masks)  # fmt: skip
    heard = hearing.heard(np.random.default_rng(0).normal(size=samples))
    with torch.no_grad():
        frames = network.feature_extractor(torch.from_numpy(heard)[None]).shape[-1]
    assert hearing.read(samples) == frames
    assert 1 <= hearing.tokens(samples) <= frames
