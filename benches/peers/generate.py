"""Text from OPT in transformers, after a prefix of given embeddings: exactly as many new tokens as asked for, greedy or by beams.

The prefix is 32 projected queries and the first token, batch 1. One iteration is one call of `generate`.
"""

import opt
import peer


def main():
    parser = peer.arguments(__doc__, warmup=1, rounds=5)
    parser.add_argument("--language", choices=opt.SIZES, default="opt-125m")
    parser.add_argument("--beams", type=int, default=1)
    parser.add_argument("--new-tokens", type=int, default=20)
    parser.add_argument("--prompt", type=int, default=33)
    args = parser.parse_args()
    torch = peer.start(args.threads)
    import transformers

    imported = peer.status("VmRSS")
    torch.manual_seed(args.seed)
    model = opt.build(torch, args.language)
    prefix = 0.02 * torch.randn(1, args.prompt, model.config.hidden_size)
    mask = torch.ones(prefix.shape[:2], dtype=torch.long)

    @torch.no_grad()
    def iteration():
        return model.generate(inputs_embeds=prefix, attention_mask=mask, do_sample=False, num_beams=args.beams, use_cache=True,
                              max_new_tokens=args.new_tokens, min_new_tokens=args.new_tokens)

    seconds, ids = peer.measure(args, iteration)
    assert ids.shape == (1, args.new_tokens), ids.shape
    peer.report("generate", seconds, modules=(torch, transformers), imported_bytes=imported, language=args.language,
                beams=args.beams, new_tokens=ids.shape[1], parameters=sum(p.numel() for p in model.parameters()))


if __name__ == "__main__":
    main()
