"""The table of results."""


def seconds(value):
    if value >= 1:
        return f"{value:.2f} s"
    return f"{value * 1e3:.3g} ms" if value >= 1e-3 else f"{value * 1e6:.3g} us"


def _size(count):
    if count is None:
        return "–"
    return f"{count / 1e9:.2f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _memory(found):
    ours, theirs = found["ours_peak_bytes"], found["peer_peak_bytes"]
    if not ours or not theirs:
        return "–"
    target = found["memory_target"]
    return f"{ours / theirs:.2g}x" + (f" (target {target:g}x)" if target else "")


def _limits(found):
    f32, bf16 = (found[f"{kind}_flops"] / 1e9 for kind in ("f32", "bf16"))
    return f"{f32:.0f} and {bf16:.3g} GFLOP/s, {found['read_bytes'] / 1e9:.1f} GB/s"


def markdown(results, about):
    """Speed is peer's seconds by ours: above 1 we are faster. Memory is ours by the peer's: below 1 we need less."""
    head = ["work", "peer", "ours", "peer's", "ratio", "least to most", "target", "peak, ours", "peak, peer's", "memory ratio", "machine"]
    rows = [head, ["---"] * 3 + ["---:"] * 8]
    rows[1][2] = "---:"
    for found in results:
        rows.append([found["title"], found["peer"], seconds(found["ours_seconds"]), seconds(found["peer_seconds"]),
                     f"**{found['ratio']:.2f}x**", f"{found['ratio_least']:.2f} to {found['ratio_most']:.2f}", f"{found['target']:g}x",
                     _size(found["ours_peak_bytes"]), _size(found["peer_peak_bytes"]), _memory(found), _limits(found["limits"])])
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    counts = sorted({len(found["rounds"]) for found in results})
    lines += ["", f"{about['cpu']}, {about['cores']} cores, {_size(about['memory_bytes'])}, {about['system']}, {' '.join(about['flags'])}; {about['toolkit']}; "
              + ", ".join(about["peers"])
              + f". Rounds: {', '.join(map(str, counts))}; ratio: median over rounds of the peer's median by ours. Machine: PyTorch's products of f32 and of bf16, "
              "and what is read from memory, two threads, just before the row."]
    if about["not_quiet"]:
        lines += ["", f"**Not to be quoted**: {about['not_quiet']}."]
    return "\n".join(lines)
