"""Trains the forest of the speed target, and times the libraries on one thread.

    pip install lightgbm==4.7.0 numpy          and, where it can be had:
    pip install lleaves==1.3.0 llvmlite==0.43  or tl2cgen treelite
    taskset -c 1 python3 forest_speed.py DIR [--trees 500] [--leaves 64] [--features 30]

Writes DIR/model.txt, DIR/rows.f64 (columns one after the other) and DIR/scores.f64 (LightGBM's
raw scores); `forest_speed.rs` reads them. Peers that are not installed are named and left out.
"""

import argparse
import time
from pathlib import Path

import lightgbm as lgb
import numpy as np


def best_of(runs, call):
    """The shortest of some runs, in seconds, and the answer."""
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        answer = call()
        best = min(best, time.perf_counter() - start)
    return best, answer


def report(name, rows, seconds, answer, expected):
    far = np.max(np.abs(answer - expected) / np.maximum(1, np.abs(expected)))
    print(f"{name:>10}  {rows / seconds / 1e6:.4f} M rows/s, at most {far:.1e} from LightGBM")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dir", type=Path)
    parser.add_argument("--trees", type=int, default=500)
    parser.add_argument("--leaves", type=int, default=64)
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--rows", type=int, default=20_000)
    args = parser.parse_args()
    args.dir.mkdir(parents=True, exist_ok=True)

    rng = np.random.default_rng(1)
    train = rng.normal(size=(50_000, args.features))
    label = np.sin(train).sum(axis=1) + train[:, 0] * train[:, 1] + rng.normal(size=50_000)
    rows = rng.normal(size=(args.rows, args.features))
    params = {"objective": "regression", "num_leaves": args.leaves, "verbose": -1, "seed": 1}
    booster = lgb.train(params | {"num_threads": 1}, lgb.Dataset(train, label), args.trees)
    booster.save_model(args.dir / "model.txt")
    booster = lgb.Booster(model_file=str(args.dir / "model.txt"))

    seconds, scores = best_of(3, lambda: booster.predict(rows, raw_score=True, num_threads=1))
    report("LightGBM", args.rows, seconds, scores, scores)
    rows.T.astype("<f8").tofile(args.dir / "rows.f64")
    scores.astype("<f8").tofile(args.dir / "scores.f64")

    one = rows[:1]
    seconds, _ = best_of(200, lambda: booster.predict(one, raw_score=True, num_threads=1))
    print(f"  LightGBM, one row at a time from Python: {seconds * 1e6:.0f} µs")

    try:
        import lleaves

        compiled = lleaves.Model(model_file=str(args.dir / "model.txt"))
        compiled.compile(cache=args.dir / "lleaves.o")
        seconds, answer = best_of(3, lambda: compiled.predict(rows, n_jobs=1))
        report("lleaves", args.rows, seconds, answer, scores)
    except ImportError as error:
        print(f"lleaves: {error}")
    try:
        import tl2cgen
        import treelite

        model = treelite.frontend.load_lightgbm_model(args.dir / "model.txt")
        library = args.dir / "tl2cgen.so"
        tl2cgen.export_lib(model, toolchain="gcc", libpath=library, params={"parallel_comp": 8})
        predictor = tl2cgen.Predictor(library, nthread=1)
        matrix = tl2cgen.DMatrix(rows, dtype="float64")
        seconds, answer = best_of(3, lambda: predictor.predict(matrix).reshape(-1))
        report("TL2cgen", args.rows, seconds, answer, scores)
    except ImportError as error:
        print(f"TL2cgen: {error}")


if __name__ == "__main__":
    main()
