"""Stage 2 in transformers: a Q-Former with its queries and projection trained under a frozen OPT of 125M's size, on given features.

Sequences are 32 projected queries and 24 text tokens, all of which are labels. Dropout is 0 in both. One iteration is zero_grad,
forward, backward, AdamW step.
"""

import peer
from opt import config as opt_config

TEXT, QUERIES, WIDTH, PATCHES = 24, 32, 1408, 257


def main():
    parser = peer.arguments(__doc__, warmup=1, rounds=4)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--language", default="opt-125m")
    parser.add_argument("--fused", action="store_true", help="torch's fused AdamW")
    peer.forms(parser)
    args = parser.parse_args()
    torch = peer.start(args.threads)
    import transformers
    from transformers import Blip2QFormerConfig, Blip2QFormerModel, OPTForCausalLM

    imported = peer.status("VmRSS")
    torch.manual_seed(args.seed)
    language = OPTForCausalLM(opt_config(args.language)).requires_grad_(False).train()
    qformer = Blip2QFormerModel(Blip2QFormerConfig(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, encoder_hidden_size=WIDTH)).train()
    form = peer.formed(torch, args, language, qformer)
    hidden = qformer.config.hidden_size
    queries = torch.nn.Parameter(torch.empty(1, QUERIES, hidden).normal_(0.0, qformer.config.initializer_range))
    projection = torch.nn.Linear(hidden, language.config.hidden_size)
    trained = [*qformer.parameters(), queries, *projection.parameters()]
    groups = [dict(params=[p for p in trained if p.ndim > 1], weight_decay=0.05), dict(params=[p for p in trained if p.ndim < 2], weight_decay=0.0)]
    step = torch.optim.AdamW(groups, lr=1e-4, betas=(0.9, 0.98), fused=args.fused or None)
    features = torch.randn(args.batch, PATCHES, WIDTH)
    seen = torch.ones(args.batch, PATCHES, dtype=torch.long)
    ids = torch.randint(4, language.config.vocab_size, (args.batch, TEXT))
    labels = torch.cat([torch.full((args.batch, QUERIES), -100), ids], 1)
    mask = torch.ones_like(labels)

    def iteration():
        step.zero_grad()
        with form:
            said = qformer(query_embeds=queries.expand(args.batch, -1, -1), encoder_hidden_states=features, encoder_attention_mask=seen)
            embeds = torch.cat([projection(said.last_hidden_state), language.get_input_embeddings()(ids)], 1)
            loss = language(inputs_embeds=embeds, attention_mask=mask, labels=labels, use_cache=False).loss
        loss.backward()
        step.step()
        return loss.item()

    seconds, loss = peer.measure(args, iteration)
    peer.report("stage2", seconds, modules=(torch, transformers), imported_bytes=imported, loss=loss,
                trained=sum(p.numel() for p in trained), frozen=sum(p.numel() for p in language.parameters()))


if __name__ == "__main__":
    main()
