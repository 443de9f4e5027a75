"""Pictures through CLIP's ViT-L/14 in transformers: no gradient, its default attention.

23 blocks by default, as BLIP-2 uses it (the second-to-last layer's output) and `toolkit` with it; CLIP itself has 24.
"""

import peer

SIZE = 224


def build(layers):
    from transformers import CLIPVisionConfig, CLIPVisionModel

    return CLIPVisionModel(CLIPVisionConfig(hidden_size=1024, intermediate_size=4096, num_hidden_layers=layers, num_attention_heads=16,
                                            image_size=SIZE, patch_size=14, hidden_act="quick_gelu", projection_dim=768)).eval()


def main():
    parser = peer.arguments(__doc__, warmup=1, rounds=4)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--layers", type=int, default=23)
    peer.forms(parser)
    args = parser.parse_args()
    torch = peer.start(args.threads)
    import transformers

    imported = peer.status("VmRSS")
    torch.manual_seed(args.seed)
    model = build(args.layers)
    form = peer.formed(torch, args, model)
    pixels = torch.randn(args.batch, 3, SIZE, SIZE).to(model.dtype)

    @torch.no_grad()
    def iteration():
        with form:
            return model(pixel_values=pixels).last_hidden_state

    seconds, features = peer.measure(args, iteration)
    peer.report("encode", seconds, modules=(torch, transformers), imported_bytes=imported, shape=list(features.shape),
                attention=model.config._attn_implementation, precision=args.precision, compiled=args.compile,
                finite=bool(features.isfinite().all()))


if __name__ == "__main__":
    main()
