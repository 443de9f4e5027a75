"""Times `toolkit score captions` and the official caption scorers (pycocoevalcap 1.2, needs Java) in turn, on the same files.

usage: PYTHON captions.py FOLDER TOOLKIT [ROUNDS]
where PYTHON has pycocoevalcap==1.2 installed, FOLDER holds what `cargo bench -p toolkit-metrics --bench captions -- --write FOLDER`
wrote, and TOOLKIT is the program. Ours is timed as a whole command, with its start, reading files and METEOR's tables; theirs only from
the tokeniser to the last score. Prints one line of JSON for each round, then medians and the ratio.
"""

import contextlib
import io
import json
import pathlib
import statistics
import subprocess
import sys
import time

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.meteor import meteor
from pycocoevalcap.meteor.meteor import Meteor
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

NAMES = ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "METEOR", "ROUGE_L", "CIDEr"]


def theirs(folder):
    references, hypotheses = {}, {}
    for row in json.loads((folder / "annotations.json").read_text())["annotations"]:
        references.setdefault(row["image_id"], []).append(dict(caption=row["caption"]))
    for row in json.loads((folder / "results.json").read_text()):
        hypotheses[row["image_id"]] = [dict(caption=row["caption"])]
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        tokenizer = PTBTokenizer()
        references, hypotheses = tokenizer.tokenize(references), tokenizer.tokenize(hypotheses)
        found = [scorer.compute_score(references, hypotheses)[0] for scorer in (Bleu(4), Meteor(), Rouge(), Cider())]
    seconds = time.perf_counter() - start
    return seconds, dict(zip(NAMES, [*map(float, found[0]), *map(float, found[1:])]))


def ours(folder, program):
    tables = pathlib.Path(meteor.__file__).parents[1]
    call = [program, "score", "captions", "--annotations", folder / "annotations.json", "--results", folder / "results.json", "--meteor", tables, "--json", "--quiet"]
    start = time.perf_counter()
    said = subprocess.run(call, check=True, capture_output=True).stdout
    return time.perf_counter() - start, json.loads(said)


def main(folder, program, rounds):
    rows = []
    for _ in range(rounds):
        (a, own), (b, official) = ours(folder, program), theirs(folder)
        rows.append((a, b))
        largest = max(abs(own[name] - official[name]) for name in NAMES)
        print(json.dumps(dict(ours=round(a, 3), official=round(b, 3), ratio=round(b / a, 1), largest_difference=largest)), flush=True)
    a, b = (statistics.median(column) for column in zip(*rows))
    print(json.dumps(dict(rounds=rounds, ours=round(a, 3), official=round(b, 3), ratio=round(statistics.median(y / x for x, y in rows), 1))))


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 3)
