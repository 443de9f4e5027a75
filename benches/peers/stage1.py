"""Stage 1 in LAVIS: its own forward (ITC + ITM + ITG), backward and AdamW over a BERT-base Q-Former with given image features.

Dropout is 0. Hard negatives are drawn by LAVIS's own `multinomial`. One iteration is zero_grad, forward, backward, step.
`--write FOLDER` times nothing: it writes the model and one batch with losses and gradients, for `toolkit verify FOLDER`.
"""

import json
import pathlib

import peer

SIZE = dict(hidden=768, layers=12, heads=12, ffn=3072, vocab=30523, queries=32, embed=256, width=1408, patches=257, padded=32,
            shortest=8, longest=20, positions=512)
GRADIENTS = ["query_tokens", "temp", "ln_vision.weight", "vision_proj.weight", "text_proj.bias", "itm_head.weight",
             "Qformer.bert.embeddings.word_embeddings.weight", "Qformer.bert.encoder.layer.0.attention.self.query.weight",
             "Qformer.bert.encoder.layer.0.crossattention.self.key.weight", "Qformer.bert.encoder.layer.1.intermediate.dense.bias",
             "Qformer.bert.encoder.layer.1.output_query.dense.weight"]
CLS = 101


def batch(torch, size, count):
    """Features, token ids and mask: captions of `shortest` to `longest` tokens, padded."""
    features = torch.randn(count, size["patches"], size["width"])
    lengths = torch.randint(size["shortest"], size["longest"] + 1, (count, 1))
    lengths[0] = size["longest"]
    mask = (torch.arange(size["padded"]) < lengths).long()
    ids = torch.randint(1000, size["vocab"] - 1, mask.shape)
    ids[:, 0] = CLS
    return features, ids * mask, mask


def losses(model, features):
    return model.forward({"image": features, "text_input": [""] * len(features)})


def no_decay(name, parameter):
    """LAVIS's rule for parameters that weight decay leaves alone."""
    return parameter.ndim < 2 or any(part in name for part in ("bias", "ln", "bn"))


def optimizer(torch, model, fused):
    plain = [p for n, p in model.named_parameters() if no_decay(n, p)]
    decayed = [p for n, p in model.named_parameters() if not no_decay(n, p)]
    groups = [dict(params=decayed, weight_decay=0.05), dict(params=plain, weight_decay=0.0)]
    return torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), fused=fused or None)


def write(torch, model, data, size, folder):
    """One batch with everything that is random in it fixed, and what LAVIS makes of it."""
    from safetensors.torch import save_file

    features, ids, mask = data
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            # Zeros and ones would hide a parameter that is left out or read in the place of another.
            if name != "temp" and parameter.ndim == 1:
                parameter.add_(0.05 * torch.randn_like(parameter))
    # Any other row of the batch is a legal negative; LAVIS draws all images first, then all texts.
    rows = torch.arange(len(ids))
    image, text = ((rows + torch.randint(1, len(ids), (len(ids),))) % len(ids) for _ in range(2))
    chosen, drawn = iter(torch.cat([image, text]).tolist()), torch.multinomial
    torch.multinomial = lambda *_, **__: torch.tensor([next(chosen)])
    try:
        found = losses(model, features)
    finally:
        torch.multinomial = drawn
    found["loss"].backward()

    tensors = {"input/image_embeds": features, "input/input_ids": ids, "input/attention_mask": mask,
               "input/itm.negative_image": image, "input/itm.negative_text": text}
    for ours, theirs in dict(itc="itc", itm="itm", itg="lm").items():
        tensors[f"output/stage1.loss_{ours}"] = found[f"loss_{theirs}"].detach().reshape(1)
    for name in GRADIENTS:
        gradient = model.get_parameter(name).grad
        tensors[f"output/stage1.grad.{name}"] = gradient.reshape(1) if gradient.ndim == 0 else gradient
    config = dict(hidden_size=size["hidden"], num_hidden_layers=size["layers"], num_attention_heads=size["heads"],
                  intermediate_size=size["ffn"], encoder_hidden_size=size["width"], vocab_size=size["vocab"],
                  num_query_tokens=size["queries"], cross_attention_frequency=2, image_text_hidden_size=size["embed"],
                  max_position_embeddings=size["positions"], layer_norm_eps=1e-12, dropout=0.0,
                  decoder_start_token_id=size["vocab"] - 1, pad_token_id=0, label_smoothing=0.1)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"model": model.state_dict()}, folder / "checkpoint.pth")
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, folder / "reference.safetensors", metadata={"kind": "stage1"})
    return {name: loss.item() for name, loss in found.items()}


def main():
    parser = peer.arguments(__doc__, warmup=1, rounds=2)
    parser.add_argument("--lavis", required=True, help="the folder LAVIS was unpacked to")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--fused", action="store_true", help="torch's fused AdamW; LAVIS takes the default one")
    peer.forms(parser)
    parser.add_argument("--write", type=pathlib.Path, metavar="FOLDER")
    args = parser.parse_args()
    torch = peer.start(args.threads)
    import transformers

    import lavis_stage1

    imported = peer.status("VmRSS")
    torch.manual_seed(args.seed)
    model = lavis_stage1.build(args.lavis, SIZE).train()
    features, ids, mask = data = batch(torch, SIZE, args.batch)
    model.tokenizer = lavis_stage1.ReadyTokens(ids, mask, SIZE["vocab"] - 1)
    if args.write:
        print(json.dumps(write(torch, model, data, SIZE, args.write)))
        return
    step = optimizer(torch, model, args.fused)
    form = peer.formed(torch, args, model.Qformer.bert)

    def iteration():
        step.zero_grad()
        with form:
            found = losses(model, features)
        found["loss"].backward()
        step.step()
        return {name: loss.item() for name, loss in found.items()}

    seconds, last = peer.measure(args, iteration)
    count = sum(p.numel() for p in model.parameters())
    peer.report("stage1", seconds, modules=(torch, transformers), imported_bytes=imported, parameters=count, losses=last)


if __name__ == "__main__":
    main()
