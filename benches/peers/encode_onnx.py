"""The pictures of encode.py by onnxruntime on the CPU: the same ViT-L/14 with random weights, exported by PyTorch and read from the file.

The file is written first if it is not there; a process that times has no PyTorch in it.
"""

import os
import pathlib

import peer

INPUT = "pixel_values"


def export(path, args):
    """Writes the model. It gets its name when it is whole."""
    torch = peer.start(args.threads)
    import encode

    torch.manual_seed(args.seed)
    model = encode.build(args.layers)
    part = path.with_name(path.name + ".tmp")
    pixels = torch.randn(args.batch, 3, encode.SIZE, encode.SIZE)
    model.config.return_dict = False
    torch.onnx.export(model, (pixels,), str(part), input_names=[INPUT], output_names=["features", "pooled"], opset_version=17, dynamo=False)
    part.rename(path)


def main():
    parser = peer.arguments(__doc__, warmup=1, rounds=4)
    parser.add_argument("--onnx", type=pathlib.Path, required=True, help="the file; written if it is not there")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--layers", type=int, default=23)
    parser.add_argument("--write-only", action="store_true", help="write the file and stop")
    args = parser.parse_args()
    peer.end_with_parent()
    if args.write_only:
        return args.onnx.exists() or export(args.onnx, args)
    os.environ.update(OMP_NUM_THREADS=str(args.threads))
    import numpy
    import onnxruntime

    imported = peer.status("VmRSS")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = args.threads, 1
    session = onnxruntime.InferenceSession(str(args.onnx), options, providers=["CPUExecutionProvider"])
    shape = session.get_inputs()[0].shape
    pixels = numpy.random.default_rng(args.seed).standard_normal(shape, numpy.float32)
    seconds, (features,) = peer.measure(args, lambda: session.run(["features"], {INPUT: pixels}))
    peer.report("encode", seconds, modules=(numpy, onnxruntime), imported_bytes=imported, shape=list(features.shape),
                finite=bool(numpy.isfinite(features).all()))


if __name__ == "__main__":
    main()
