"""Skip-gram of gensim on walks of a file: rate of ``train`` alone, and the vectors.

The window is fixed (``shrink_windows=False``), so that the number of pairs is known exactly; ``sample=0`` and
``min_count=0`` drop nothing. gensim reads sentences either as Python lists or, free of the interpreter's lock, from a
text file (``corpus_file``).
"""

import tempfile
from pathlib import Path

import numpy as np
from child import Stopwatch, answer, request
from gensim.models import Word2Vec

asked = request()
walks = np.load(asked["walks"])
num_walks, length = walks.shape
window, passes = asked["window"], asked["passes"]
model = Word2Vec(
    vector_size=asked["dim"], window=window, sg=1, hs=0, negative=asked["num_negative"], sample=0, min_count=0,
    shrink_windows=asked.get("shrink_windows", False), workers=asked["num_thread"], seed=asked["seed"], epochs=passes,
)  # fmt: skip
with tempfile.TemporaryDirectory() as folder:
    if asked["source"] == "file":
        corpus = str(Path(folder, "walks.txt"))
        np.savetxt(corpus, walks, fmt="%d")
        model.build_vocab(corpus_file=corpus)
        with Stopwatch() as watch:
            model.train(corpus_file=corpus, total_words=model.corpus_total_words, epochs=passes)
    else:
        sentences = walks.astype(str).tolist()
        model.build_vocab(sentences)
        with Stopwatch() as watch:
            model.train(sentences, total_examples=model.corpus_count, epochs=passes)
if asked.get("shrink_windows", False):
    # gensim draws each centre's window uniformly from 1..window: the expectation over the draw.
    reach = [min(w, length - 1) for w in range(1, window + 1)]
    per_walk = float(np.mean([2 * r * length - r * (r + 1) for r in reach]))
else:
    reach = min(window, length - 1)
    per_walk = 2 * reach * length - reach * (reach + 1)
pairs = num_walks * per_walk * passes
for path, table in ((asked.get("vectors"), model.wv.vectors), (asked.get("contexts"), model.syn1neg)):
    if path:
        rows = np.zeros((asked["num_nodes"], asked["dim"]), np.float32)
        rows[np.array(model.wv.index_to_key, dtype=np.int64)] = table
        np.save(path, rows)
answer(seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, pairs=pairs, rate=pairs / watch.seconds)
