"""From nothing to a caption with transformers: the whole process is what is timed, from outside.

usage: python cold.py FOLDER IMAGE [--beams N] [--new-tokens N]
"""

import argparse

import peer


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("image")
    parser.add_argument("--beams", type=int, default=5)
    parser.add_argument("--new-tokens", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch = peer.start(args.threads)
    from PIL import Image
    from transformers import Blip2ForConditionalGeneration, Blip2Processor

    processor = Blip2Processor.from_pretrained(args.folder)
    model = Blip2ForConditionalGeneration.from_pretrained(args.folder).eval()
    inputs = processor(images=Image.open(args.image), text="", return_tensors="pt")
    with torch.no_grad():
        ids = model.generate(**inputs, num_beams=args.beams, max_new_tokens=args.new_tokens, do_sample=False)
    new = ids[0, inputs.input_ids.shape[1]:]
    print(processor.tokenizer.decode(new, skip_special_tokens=True).strip())


if __name__ == "__main__":
    main()
