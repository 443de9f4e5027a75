"""Times `toolkit` and what people use instead in turn, A B A B, in one run, and prints medians and ratios as a Markdown table.

usage: python3 run.py --toolkit PATH [--works stage1,generate] [--more] [--rounds 5] [--folder target/peers] [--json OUT]
       [--before OLDER_TOOLKIT]

setup.sh makes the folder. Every timed process is alone on the machine as far as this driver knows; it says so on standard error when it is
not. What is run is in works.py. `--works generate` means every work whose name begins so, `--more` those for which `setup.sh --more` was
run too, as `--works llama --more`; `--show` prints the commands and runs nothing. What the machine can do is measured before each work.
The driver itself needs Python 3.10 and nothing else.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import sys
import tempfile
from importlib import metadata

import machine
import process
import table
import works

HERE = pathlib.Path(__file__).resolve().parent
MEDIAN = statistics.median
PEERS = ("torch", "torchvision", "webdataset", "transformers", "numpy", "pillow", "onnxruntime", "llama_cpp_python")


def note(text):
    print(text, file=sys.stderr, flush=True)


class Side:
    """One side of a work: its command, its environment, and how it says what it took."""

    def __init__(self, command, places, env, launches, per_item):
        self.command, self.places, self.launches, self.per_item = command, places, launches, per_item
        self.env = os.environ | dict(OMP_NUM_THREADS="2", RAYON_NUM_THREADS="2") | {k: v.format(**places) for k, v in env.items()}

    def words(self, fresh="FRESH"):
        return [word.format(**self.places, fresh=fresh) for word in self.command.split()]

    def round(self):
        """One process, or as many as are timed from outside: seconds of each iteration, and whatever else is known."""
        if self.launches is None:
            others = machine.Others()
            out, wall = process.run(self.words(), self.env)
            busy, said = others.cores(), json.loads(out)
            # `toolkit bench` says first what it is and where it ran, then what it timed.
            said = said | said.pop("works")[0] if "works" in said else said
            pieces = said["items"] if self.per_item else 1
            return said | dict(seconds=[s / pieces for s in said["seconds"]], process_seconds=wall, others_cores=busy)
        # Over all of them: the machine counts its work in hundredths of a second, too coarse for one short process.
        seconds, texts, others = [], set(), machine.Others()
        for _ in range(self.launches):
            fresh = tempfile.mkdtemp(prefix="peers-")
            try:
                out, wall = process.run(self.words(fresh), self.env)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
            seconds.append(wall)
            texts.add(out.strip())
        return dict(seconds=seconds, others_cores=others.cores(), output=sorted(texts))


def measure(work, ours, theirs, rounds):
    """All rounds of one work, raw, with medians and ratios."""
    pairs = []
    for number in range(min(rounds, work.most_rounds)):
        pair = dict(ours=ours.round(), peer=theirs.round())
        a, b = (MEDIAN(pair[side]["seconds"]) for side in ("ours", "peer"))
        pairs.append(pair | dict(ratio=b / a))
        note(f"{work.name} round {number + 1}: ours {table.seconds(a)}, {work.peer} {table.seconds(b)}, ratio {b / a:.2f}")
        for side in ("ours", "peer"):
            if pair[side]["others_cores"] > 0.1:
                note(f"warning: others kept {pair[side]['others_cores']:.2f} cores busy while {side} ran")
    said = {text for pair in pairs for side in ("ours", "peer") for text in pair[side].get("output", [])}
    if work.same_output and len(said) > 1:
        note(f"warning: {work.name}: the two sides do not say the same: {sorted(said)}")
    found = dict(name=work.name, title=work.title, peer=work.peer, target=work.target, memory_target=work.memory_target, rounds=pairs)
    for side, runner in dict(ours=ours, peer=theirs).items():
        peaks = [pair[side]["peak_bytes"] for pair in pairs if pair[side].get("peak_bytes")]
        if work.memory_launch:
            peaks = [process.peak(runner.words(), runner.env)]
        found[side + "_seconds"] = MEDIAN([MEDIAN(pair[side]["seconds"]) for pair in pairs])
        found[side + "_peak_bytes"] = max(peaks, default=None)
        found[side + "_command"] = " ".join(runner.words())
    ratios = [pair["ratio"] for pair in pairs]
    return found | dict(ratio=MEDIAN(ratios), ratio_least=min(ratios), ratio_most=max(ratios))


def sides(work, places):
    ours, theirs = work.launches or (None, None)
    return Side(work.ours, places, {}, ours, work.per_item), Side(work.theirs, places, work.env, theirs, work.per_item)


def installed(folder):
    """What the peers are, by their metadata; the Q-Former of LAVIS has a transformers of its own."""
    places = dict.fromkeys(folder.glob("venv/lib/python3*/site-packages"), PEERS)
    places |= {folder / "lavis": ("salesforce-lavis",), folder / "lavis_deps": ("transformers",)}
    found = [(d.metadata["Name"], d.version) for place, names in places.items() for d in metadata.distributions(path=[str(place)])
             if d.metadata["Name"].lower() in names]
    return [" ".join(pair) for pair in sorted(found)]


def limits(places):
    """What the machine can do at this moment: see limits.py."""
    return json.loads(process.run([str(places["python"]), str(HERE / "limits.py")], os.environ)[0])


def chosen(names, before, more):
    known = [work for work in works.WORKS if (before or "{before}" not in work.theirs) and (more or not work.more)]
    if names is None:
        return known
    for name in names.split(","):
        if not any(work.name.startswith(name) for work in known):
            sys.exit(f"no work begins with `{name}`; known: {', '.join(work.name for work in works.WORKS)} (ablation needs --before, others --more)")
    return [work for work in known if work.name.startswith(tuple(names.split(",")))]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--toolkit", required=True, type=pathlib.Path)
    parser.add_argument("--works")
    parser.add_argument("--more", action="store_true", help="works that need what `setup.sh --more` installs too")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("target/peers"))
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--before", type=pathlib.Path, help="an older toolkit, for the work `ablation`")
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    folder, flags = args.folder.resolve(), machine.described()["flags"]
    places = dict(toolkit=args.toolkit.resolve(), python=folder / "venv/bin/python", here=HERE, folder=folder,
                  pictures=folder / "pictures", shards=folder / "shards", onnx=folder / "vit-l.onnx", root=HERE.parents[1], before=args.before and args.before.resolve())
    picked = chosen(args.works, args.before, args.more)
    for work in picked:
        if work.needs and work.needs not in flags:
            note(f"{work.name} is left out: this processor has no {work.needs}")
    wanted = [(work, *sides(work, places)) for work in picked if not work.needs or work.needs in flags]
    if args.show:
        print("\n".join(f"{work.name}\n  {' '.join(ours.words())}\n  {' '.join(theirs.words())}" for work, ours, theirs in wanted))
        return 0
    # A request to end is taken as an interrupt, so that what is running is ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for script, option, place in (("images.py", "--images", "pictures"), ("shards.py", "--tars", "shards"), ("encode_onnx.py", "--onnx", "onnx")):
        if any(f"{{{place}}}" in work.ours + work.theirs for work, *_ in wanted):
            process.run([str(places["python"]), str(HERE / script), option, str(places[place]), "--write-only"], os.environ)
    version = process.run([str(places["toolkit"]), "--version"], os.environ)[0].strip()
    if against := machine.quiet():
        note(f"warning: not a quiet machine, do not quote these figures: {against}")
    results, failed = [], []
    try:
        for work, ours, theirs in wanted:
            try:
                can = limits(places)
                results.append(measure(work, ours, theirs, args.rounds) | dict(limits=can))
            except process.Failed as error:
                note(f"{work.name} failed: {error}")
                failed.append(work.name)
    except KeyboardInterrupt:
        note("interrupted: only what was finished is shown")
        failed.append("interrupted")
    built = [pair["ours"]["toolkit"] for found in results for pair in found["rounds"] if "toolkit" in pair["ours"]]
    about = machine.described() | dict(toolkit=f"toolkit {built[0]}" if built else version, peers=installed(folder), not_quiet=against)
    print(table.markdown(results, about))
    if args.json:
        args.json.write_text(json.dumps(dict(machine=about, works=results, failed=failed), indent=1))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
