"""SmolLM2-135M by llama.cpp from its GGUF file, the weights as they lie in it: reads a prompt, then writes greedily.

One iteration is the prompt, read at once, and the new tokens, each but the last read after it. `--new-tokens 1` times the prompt alone,
`--prompt 2` next to nothing but the writing. Ids of the prompt are drawn.
"""

import peer


def main():
    parser = peer.arguments(__doc__, warmup=1, rounds=5)
    parser.add_argument("--gguf", required=True, help="the file of weights")
    parser.add_argument("--prompt", type=int, default=33)
    parser.add_argument("--new-tokens", type=int, default=64)
    args = parser.parse_args()
    peer.end_with_parent()
    import llama_cpp
    import numpy

    imported = peer.status("VmRSS")
    draw = numpy.random.default_rng(args.seed)
    model = llama_cpp.Llama(args.gguf, n_ctx=args.prompt + args.new_tokens, n_batch=512, n_threads=args.threads, n_threads_batch=args.threads, verbose=False)
    prompt = draw.integers(3, model.n_vocab(), args.prompt).tolist()

    def said():
        """The likeliest next token. The library keeps what the last token gave."""
        logits = llama_cpp.llama_get_logits_ith(model.ctx, -1)
        return int(numpy.ctypeslib.as_array(logits, (model.n_vocab(),)).argmax())

    def iteration():
        model.reset()
        model.eval(prompt)
        written = [said()]
        while len(written) < args.new_tokens:
            model.eval(written[-1:])
            written.append(said())
        return written

    seconds, written = peer.measure(args, iteration)
    tokens = args.new_tokens if args.new_tokens > 1 else args.prompt
    peer.report("llama", seconds, modules=(llama_cpp, numpy), imported_bytes=imported, prompt=args.prompt, new_tokens=len(written),
                tokens_per_second=tokens / min(seconds), written=written[:8])


if __name__ == "__main__":
    main()
