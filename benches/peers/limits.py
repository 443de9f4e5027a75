"""What this machine can do with two threads, by PyTorch: products of f32 and of bf16 a second, and bytes read a second.

The limits of a row are measured just before it. A product is [2048, 2048] by itself; what is read is a buffer larger than every cache.
The best of several counts: what is asked for is a limit, and whatever else runs only takes from it.
"""

import json
import time

import peer

SIDE, SMALL, BYTES, WORTH = 2048, 256, 1 << 30, 1e10


def best(count, work):
    """The fewest seconds of `count` times."""
    fewest = float("inf")
    for _ in range(count + 1):
        begin = time.perf_counter()
        work()
        fewest = min(fewest, time.perf_counter() - begin)
    return fewest


def products(torch, dtype, side, rounds):
    """Operations a second in a square product."""
    a, b = (torch.randn(side, side).to(dtype) for _ in range(2))
    out = torch.empty(side, side, dtype=dtype)
    return 2 * side ** 3 / best(rounds, lambda: torch.mm(a, b, out=out))


def main():
    parser = peer.arguments(__doc__, warmup=1, rounds=8)
    args = parser.parse_args()
    torch = peer.start(args.threads)
    found = {}
    for name, dtype in dict(f32=torch.float32, bf16=torch.bfloat16).items():
        found[f"{name}_flops"] = products(torch, dtype, SMALL, 2)
        # Without products of bf16 in the processor a large one can take minutes.
        if found[f"{name}_flops"] > WORTH:
            found[f"{name}_flops"] = products(torch, dtype, SIDE, args.rounds)
    buffer = torch.ones(BYTES // 4)
    found["read_bytes"] = BYTES / best(args.rounds, buffer.sum)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
