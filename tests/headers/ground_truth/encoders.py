"""Text encoders, language models, whole CLIPs and Whisper: transformers' own classes with the published numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import comfy.sd1_clip
import torch
import transformers
from truth import Header, Shape

_CONFIGS = Path(comfy.sd1_clip.__file__).parent


def shapes_of(make: Any, config: Any) -> dict[str, Shape]:
    """Build a class of transformers without memory; tied weights are one tensor in a file."""
    with torch.device("meta"):
        model = make(config)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def _numbers(file: str) -> dict[str, Any]:
    return json.loads((_CONFIGS / file).read_text())


# Name, base model that alone uses it, class of the configuration, class of the model, numbers.
def _models() -> Iterator[tuple[str, str | None, Any, Any, dict[str, Any]]]:
    t = transformers
    yield "clip-l", None, t.CLIPTextConfig, t.CLIPTextModel, _numbers("sd1_clip_config.json")
    yield "clip-g", None, t.CLIPTextConfig, t.CLIPTextModelWithProjection, _numbers("clip_config_bigg.json")
    yield "clip-h", "SD 2", t.CLIPTextConfig, t.CLIPTextModel, _numbers("text_encoders/sd2_clip_config.json")
    for name, base, file in (
        ("t5-xxl", None, "t5_config_xxl"),
        ("t5-xxl-old", "Cosmos", "t5_old_config_xxl"),
        ("t5-pile-xl", "AuraFlow", "t5_pile_config_xl"),
        ("t5-base", "Stable Audio", "t5_config_base"),
        ("byt5-glyph", None, "byt5_config_small_glyph"),
    ):
        yield name, base, t.T5Config, t.T5EncoderModel, _numbers(f"text_encoders/{file}.json")
    yield "mt5-xl", "HunyuanDiT", t.MT5Config, t.MT5EncoderModel, _numbers("text_encoders/mt5_config_xl.json")
    for name, base, file in (
        ("umt5-xxl", "Wan", "umt5_config_xxl"),
        ("umt5-base", "ACE-Step", "umt5_config_base"),
    ):
        yield name, base, t.UMT5Config, t.UMT5EncoderModel, _numbers(f"text_encoders/{file}.json")
    llama = {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
             "num_key_value_heads": 8, "vocab_size": 128320}  # fmt: skip
    yield "llama-3-8b", None, t.LlamaConfig, t.LlamaForCausalLM, llama
    gemma = {"hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8,
             "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 256000}  # fmt: skip
    yield "gemma-2-2b", "Lumina 2", t.Gemma2Config, t.Gemma2ForCausalLM, gemma
    gemma3 = {"hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34, "num_attention_heads": 8,
              "num_key_value_heads": 4, "head_dim": 256, "vocab_size": 262208}  # fmt: skip
    yield "gemma-3-4b", None, t.Gemma3TextConfig, t.Gemma3ForCausalLM, gemma3
    qwen3 = {"hidden_size": 2560, "intermediate_size": 9728, "num_hidden_layers": 36, "num_attention_heads": 32,
             "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936}  # fmt: skip
    yield "qwen3-4b", "Z-Image", t.Qwen3Config, t.Qwen3ForCausalLM, qwen3
    for name, base, width, inner, layers, heads, keys in (
        ("qwen25-3b", "OmniGen 2", 2048, 11008, 36, 16, 2),
        ("qwen25-7b", None, 3584, 18944, 28, 28, 4),
    ):
        numbers = {"hidden_size": width, "intermediate_size": inner, "num_hidden_layers": layers,
                   "num_attention_heads": heads, "num_key_value_heads": keys, "vocab_size": 152064}  # fmt: skip
        yield name, base, t.Qwen2Config, t.Qwen2ForCausalLM, numbers
    mistral = {"hidden_size": 5120, "intermediate_size": 32768, "num_hidden_layers": 40, "num_attention_heads": 32,
               "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 131072}  # fmt: skip
    yield "mistral-24b", "Flux 2", t.MistralConfig, t.MistralForCausalLM, mistral


def headers() -> Iterator[Header]:
    """Make them all."""
    for name, base, config, model, numbers in _models():
        tensors = shapes_of(model, config(**numbers))
        made_by = f"transformers.{model.__name__}"
        yield Header(name=name, kind="text_encoder", base_model=base, made_by=made_by, tensors=tensors)
    whisper = transformers.WhisperConfig(
        d_model=1280, encoder_layers=32, encoder_attention_heads=20, encoder_ffn_dim=5120, num_mel_bins=128,
        decoder_layers=32, decoder_attention_heads=20, decoder_ffn_dim=5120,
    )  # fmt: skip
    tensors = shapes_of(transformers.WhisperForConditionalGeneration, whisper)
    tensors = {key: shape for key, shape in tensors.items() if key.startswith("model.encoder.")}
    made_by = "transformers.WhisperForConditionalGeneration, its encoder"
    yield Header(name="whisper-large-v3", kind="audio_encoder", base_model=None, made_by=made_by, tensors=tensors)
    wav2vec = transformers.Wav2Vec2Config(hidden_size=1024, num_hidden_layers=24, intermediate_size=4096,
                                          num_attention_heads=16, feat_extract_norm="layer", conv_bias=True,
                                          do_stable_layer_norm=True)  # fmt: skip
    tensors = shapes_of(transformers.Wav2Vec2ForCTC, wav2vec)
    made_by = "transformers.Wav2Vec2ForCTC"
    yield Header(name="wav2vec2-ctc", kind="audio_encoder", base_model=None, made_by=made_by, tensors=tensors)
    vision = transformers.CLIPVisionConfig(hidden_size=1280, intermediate_size=5120, num_hidden_layers=32,
                                           num_attention_heads=16, patch_size=14, projection_dim=1024)  # fmt: skip
    tensors = shapes_of(transformers.CLIPVisionModelWithProjection, vision)
    made_by = "transformers.CLIPVisionModelWithProjection"
    yield Header(name="clip-vision-h", kind="clip_vision", base_model=None, made_by=made_by, tensors=tensors)
