"""Times RecBole's training; run by the Python of RecBole's own environment: ``recbole_epochs.py FOLDER THREADS EPOCHS``.

FOLDER holds train.csv, valid.csv and test.csv. Prints one JSON object.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import scipy.sparse
import torch

# Names that RecBole 1.2.1 uses and that newer releases of its dependencies dropped.
for old, new in (("bool_", np.bool_), ("float_", np.float64), ("complex_", np.complex128), ("unicode_", np.str_), ("object_", np.object_)):
    if not hasattr(np, old):
        setattr(np, old, new)
scipy.sparse.dok_matrix._update = lambda matrix, entries: matrix._dict.update(entries)

from recbole.config import Config  # noqa: E402
from recbole.data import create_dataset, data_preparation  # noqa: E402
from recbole.utils import get_model, get_trainer, init_seed  # noqa: E402


def main() -> None:
    folder, threads, epochs = Path(sys.argv[1]).resolve(), int(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)  # RecBole writes logs where it runs
        atomic = Path(scratch, "split")
        atomic.mkdir()
        for part in ("train", "valid", "test"):
            with (folder / f"{part}.csv").open() as source, (atomic / f"split.{part}.inter").open("w") as target:
                target.write("user_id:token\titem_id:token\n")
                target.writelines(f"{row[0]}\t{row[1]}\n" for row in list(csv.reader(source))[1:])
        sys.argv = sys.argv[:1]  # RecBole reads options from there
        config = Config(
            model="LightGCN",
            dataset="split",
            config_dict={
                "data_path": scratch,
                "checkpoint_dir": scratch,
                "benchmark_filename": ["train", "valid", "test"],
                "load_col": {"inter": ["user_id", "item_id"]},
                "embedding_size": 64,
                "n_layers": 2,
                "reg_weight": 1e-5,
                "learning_rate": 1e-3,
                "train_batch_size": 2048,
                "use_gpu": False,
                "show_progress": False,
                "state": "ERROR",
            },
        )
        init_seed(config["seed"], config["reproducibility"])
        dataset = create_dataset(config)
        train, _, _ = data_preparation(config, dataset)
        torch.set_num_threads(threads)
        trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, get_model("LightGCN")(config, train.dataset))
        seconds = []
        for epoch in range(epochs + 1):
            started = time.perf_counter()
            trainer._train_epoch(train, epoch, show_progress=False)
            seconds.append(time.perf_counter() - started)
        # The first epoch warms up.
        print(json.dumps({"seconds": seconds[1:], "updates": len(train), "interactions": len(train.dataset)}))


if __name__ == "__main__":
    main()
