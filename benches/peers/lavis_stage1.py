"""LAVIS's own stage-1 model at any size, over features that are there already.

Two files of the unpacked package are loaded and called: its Q-Former and the model around it. Everything else they import (registry,
base classes, datasets, a tokenizer that would be downloaded) is replaced by an empty stand-in, since none of it computes anything here.
Needs transformers 4.33.3 first on the path. For one process, LAVIS's gathering over devices returns its argument; so does the stand-in.
"""

import importlib.util
import pathlib
import sys
import types

import torch
from torch import nn
from transformers.models.bert.configuration_bert import BertConfig

BLIP2 = "lavis.models.blip2_models"


def _stand_in(name, **members):
    module = types.ModuleType(name)
    module.__path__ = []
    vars(module).update(members)
    sys.modules[name] = module


def _load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load(folder):
    """The modules of the Q-Former and of the stage-1 model, from the folder that LAVIS was unpacked to."""
    source = pathlib.Path(folder) / "lavis/models/blip2_models"
    keep = types.SimpleNamespace(register_model=lambda _: lambda model: model)
    for name in ("lavis", "lavis.common", "lavis.models", BLIP2, "lavis.models.blip_models"):
        _stand_in(name)
    _stand_in("lavis.common.registry", registry=keep)
    _stand_in("lavis.models.base_model", all_gather_with_grad=lambda x: x, concat_all_gather=lambda x: x)
    _stand_in(f"{BLIP2}.blip2", Blip2Base=nn.Module, compute_sim_matrix=None, disabled_train=None)
    _stand_in("lavis.models.blip_models.blip_outputs", BlipOutput=dict, BlipOutputFeatures=dict)
    return _load(f"{BLIP2}.Qformer", source / "Qformer.py"), _load(f"{BLIP2}.blip2_qformer", source / "blip2_qformer.py")


class ReadyTokens:
    """Takes the tokenizer's place: whatever the text, these tokens."""

    pad_token_id = 0

    def __init__(self, input_ids, attention_mask, bos_token_id):
        self.input_ids, self.attention_mask, self.bos_token_id = input_ids, attention_mask, bos_token_id

    def __call__(self, _text, **_settings):
        return self

    def to(self, _device):
        return self


def build(folder, size):
    """A model with random weights as LAVIS draws them (normal, 0.02). `size` is as in `stage1.py`."""
    qformer, stage1 = load(folder)
    # All it asks of a process group is its rank.
    stage1.dist = types.SimpleNamespace(get_rank=lambda: 0)
    config = BertConfig(hidden_size=size["hidden"], num_hidden_layers=size["layers"], num_attention_heads=size["heads"],
                        intermediate_size=size["ffn"], vocab_size=size["vocab"], max_position_embeddings=size["positions"],
                        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    config.add_cross_attention, config.cross_attention_freq = True, 2
    config.encoder_width, config.query_length = size["width"], size["queries"]
    model = stage1.Blip2Qformer.__new__(stage1.Blip2Qformer)
    nn.Module.__init__(model)
    model.Qformer = qformer.BertLMHeadModel(config)
    # What `init_weights` and `tie_weights` of later transformers are for; done by hand, so that it does not depend on their version.
    head, words = model.Qformer.cls.predictions, model.Qformer.bert.embeddings.word_embeddings
    head.decoder.weight, head.decoder.bias = words.weight, head.bias
    model.query_tokens = nn.Parameter(torch.empty(1, size["queries"], size["hidden"]).normal_(0.0, config.initializer_range))
    model.visual_encoder, model.ln_vision = nn.Identity(), nn.LayerNorm(size["width"])
    model.vision_proj = nn.Linear(size["hidden"], size["embed"])
    model.text_proj = nn.Linear(size["hidden"], size["embed"])
    model.itm_head = nn.Linear(size["hidden"], 2)
    model.temp = nn.Parameter(torch.tensor(0.07))
    model.max_txt_len = size["padded"]
    return model
