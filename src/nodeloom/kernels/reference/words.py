"""Words of a text and their pairs with the methods of ``str`` and a dictionary: what :mod:`nodeloom.kernels.cpu.words` does."""

from __future__ import annotations

import re
from collections import Counter


def sentences(text: str, delimiters: str, comment: str) -> list[list[str]]:
    r"""Return the words of each line that has some.

    >>> sentences("the cat sat # x\n\nthe dog", " ", "#")
    [['the', 'cat', 'sat'], ['the', 'dog']]
    """
    found = []
    for line in re.split(r"[\r\n]", text):
        words = [word for word in re.split(f"[{re.escape(delimiters)}]", line) if word]
        if comment:
            hidden = next((i for i, word in enumerate(words) if word.startswith(comment)), len(words))
            words = words[:hidden]
        if words:
            found.append(words)
    return found


def vocabulary(lines: list[list[str]], min_count: int) -> list[str]:
    """Return the words that are there `min_count` times, by falling count; of equal ones the first to come first.

    >>> vocabulary([["b", "a"], ["a", "c", "c", "a"]], 2)
    ['a', 'c']
    """
    counts = Counter(word for line in lines for word in line)
    return [word for word, count in counts.most_common() if count >= min_count]


def word_pairs(lines: list[list[str]], words: list[str], window: int) -> dict[tuple[int, int], int]:
    """Return how often two words are at most `window` words apart in a line, once other words are left out.

    >>> word_pairs([["a", "x", "b", "a"]], ["a", "b"], 1)
    {(0, 1): 2}
    """
    number = {word: i for i, word in enumerate(words)}
    pairs: Counter[tuple[int, int]] = Counter()
    for line in lines:
        kept = [number[word] for word in line if word in number]
        for i, u in enumerate(kept):
            for v in kept[i + 1 : i + 1 + window]:
                pairs[min(u, v), max(u, v)] += 1
    return dict(pairs)
