"""OPT's published sizes with random weights: nothing is downloaded, and speed does not depend on what the weights say."""

SIZES = {
    "opt-125m": dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, ffn_dim=3072, word_embed_proj_dim=768),
    "opt-350m": dict(hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, ffn_dim=4096, word_embed_proj_dim=512, do_layer_norm_before=False),
    "opt-1.3b": dict(hidden_size=2048, num_hidden_layers=24, num_attention_heads=32, ffn_dim=8192, word_embed_proj_dim=2048),
    "opt-2.7b": dict(hidden_size=2560, num_hidden_layers=32, num_attention_heads=32, ffn_dim=10240, word_embed_proj_dim=2560),
}


def config(name):
    from transformers import OPTConfig

    return OPTConfig(**SIZES[name], dropout=0.0)


def build(torch, name):
    """A model in f32 for generation. Its matrices repeat one small block of normal numbers: drawing a billion takes minutes."""
    from transformers import OPTForCausalLM

    with torch.device("meta"):
        model = OPTForCausalLM(config(name))
    assert not list(model.buffers()), "buffers would be left without a value"
    model = model.to_empty(device="cpu").eval().requires_grad_(False)
    model.tie_weights()
    block = torch.empty(1 << 20).normal_(0.0, 0.02)
    for parameter_name, parameter in model.named_parameters():
        flat = parameter.view(-1)
        if parameter.ndim == 1:
            flat.fill_(1.0 if parameter_name.endswith("norm.weight") else 0.0)
            continue
        for begin in range(0, flat.numel(), block.numel()):
            part = flat[begin:begin + block.numel()]
            part.copy_(block[:part.numel()])
    return model
