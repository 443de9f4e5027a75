"""Times the official caption scorers (pycocoevalcap 1.2, needs Java) on the captions of our own benchmark.

usage: PYTHON captions.py FOLDER
where PYTHON has pycocoevalcap==1.2 installed, and FOLDER holds the captions.json that
`cargo bench -p toolkit-metrics --bench captions -- --write FOLDER` wrote. Prints one line of JSON.
"""
import json, pathlib, sys, time
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer


def main(folder):
    data = json.loads((pathlib.Path(folder) / "captions.json").read_text())
    references = {i: [dict(caption=c) for c in image] for i, image in enumerate(data["references"])}
    hypotheses = {i: [dict(caption=c)] for i, c in enumerate(data["hypotheses"])}
    parts, start = {}, time.perf_counter()
    tokenizer = PTBTokenizer()
    references, hypotheses = tokenizer.tokenize(references), tokenizer.tokenize(hypotheses)
    parts["tokenize"] = time.perf_counter() - start
    scores = {}
    for name, scorer in [("bleu", Bleu(4)), ("rouge", Rouge()), ("cider", Cider())]:
        before = time.perf_counter()
        options = dict(verbose=0) if name == "bleu" else {}
        scores[name] = scorer.compute_score(references, hypotheses, **options)[0]
        parts[name] = time.perf_counter() - before
    total = time.perf_counter() - start
    print(json.dumps(dict(images=len(references), seconds=total, parts=parts, Bleu_4=scores["bleu"][3],
                          ROUGE_L=float(scores["rouge"]), CIDEr=float(scores["cider"]))))


if __name__ == "__main__":
    main(sys.argv[1])
