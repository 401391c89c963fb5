"""Which mistakes the tests notice: lines of kernels and readers are changed at random, and the tests that concern them are run.

One command::

    python benchmarks/mutations.py --number 20 --seed 0 [--before TREE] [--record FILE]

A mutation is a comparison, an operator or a number that is another one, two arguments that have changed places, a condition that is turned
round or a statement that is left out. It is made in a copy of the project, one at a time. It is caught if a test fails, hangs or crashes.
With ``--before``, a checkout of an older commit, what is missed is tried with the source and the tests of that one as well, and mutations
are drawn of lines that both have.

Mutations of the same seed are the same as long as nothing changes in the files. With ``--record`` they are written to a file with what
became of them, and taken from there, if it exists, as long as their lines exist. The test that noticed a mutation is run first then, and
what somebody has found to be the same program (`equivalent`, with the reason) is not run.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
TREE = HERE.parent
SOURCE = Path("src") / "nodeloom"
GROUPS = {
    "kernels": ("kernels/reference/*.py", "kernels/cpu/**/*.py", "kernels/gpu/*.py"),
    "readers": ("io/*.py", "io/formats/*.py", "graph/sources.py", "graph/adapters.py", "graph/storage.py", "graph/build.py"),
}  # fmt: skip
NOT_READERS = {"atomic.py", "export.py", "spill.py"}
TESTS = {"kernels": ["kernels", "io", "graph"], "io": ["io", "graph"], "graph": ["graph", "io"]}
"""The folders of tests that concern a folder of the source. Of the first all are run, of the others those that a name leads to."""
CPU_SECONDS = 400
"""Of one run of tests; one that takes more hangs."""

FIELDS = ("file", "line", "old", "new", "by", "equivalent")
"""Of a mutation, in a record."""

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv,
    ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd, ast.LShift: ast.RShift, ast.RShift: ast.LShift,
}  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """A change of one piece of the text of a file.

    Attributes
    ----------
    file : str
        Path below the package.
    line : int
        Number of its first line, from 1.
    old, new : str
        All lines that it touches, as they are and as they would be.
    by : str
        The test that noticed it in an earlier run, if one did.
    equivalent : str
        Why it changes nothing, if it does not.
    """

    file: str
    line: int
    old: str
    new: str
    by: str = ""
    equivalent: str = ""

    def __str__(self) -> str:
        lines = zip(self.old.splitlines(), self.new.splitlines(), strict=False)
        old, new = next(((a, b) for a, b in lines if a != b), (self.old, self.new))
        return f"{self.file}:{self.line}: {old.strip()} -> {new.strip() or 'pass'}"

    def apply(self, tree: Path) -> None:
        """Change the file in a tree; its lines are found wherever they stand."""
        path = tree / SOURCE / self.file
        path.write_text(path.read_text().replace(self.old, self.new))

    def where_it_is(self, tree: Path) -> Mutation:
        """Return it with the number that its first line has in a tree."""
        before, _, _ = (tree / SOURCE / self.file).read_text().partition(self.old)
        return replace(self, line=before.count("\n") + 1)

    def fits(self, tree: Path) -> bool:
        """Tell whether a tree has the lines, once."""
        path = tree / SOURCE / self.file
        return path.exists() and path.read_text().count(self.old) == 1


# ------------------------------------------------------------------------------------------------------ what is changed


def _changed(node: ast.AST) -> Iterator[ast.AST | str]:
    """Yield what may stand in the place of a node."""
    if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
        yield ast.Compare(node.left, [COMPARISONS[type(node.ops[0])](), *node.ops[1:]], node.comparators)
    elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        yield ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right)
    elif isinstance(node, ast.BoolOp):
        yield ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        yield ast.Constant(node.value + 1 if isinstance(node.value, int) else 2 * node.value + 1.0)
    elif isinstance(node, ast.Call):
        for at in range(len(node.args) - 1):
            first, second = node.args[at : at + 2]
            if (
                ast.dump(first) != ast.dump(second)
                and not isinstance(first, ast.Starred)
                and not isinstance(second, ast.Starred)
            ):
                yield ast.Call(node.func, [*node.args[:at], second, first, *node.args[at + 2 :]], node.keywords)
    if isinstance(node, ast.Assign | ast.AugAssign | ast.Expr | ast.Continue | ast.Break):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not is_text:
            yield "pass"


def _nodes(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the nodes that may be changed: of the bodies of functions, no annotations, messages or type checks."""
    waiting: list[ast.AST] = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    waiting = [statement for function in waiting for statement in function.body]  # type: ignore[attr-defined]
    seen = set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr):
            continue
        seen.add(id(node))
        yield node
        waiting += [
            child for field, child in _children(node) if field not in ("annotation", "returns", "decorator_list")
        ]


def _children(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for field, value in ast.iter_fields(node):
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield field, child


def mutations_of(tree: Path, file: Path) -> list[Mutation]:
    """Return all mutations of a file, in the order of its lines."""
    text = (tree / SOURCE / file).read_text()
    lines, found = text.splitlines(keepends=True), set()
    for node in _nodes(ast.parse(text)):
        if isinstance(node, ast.If | ast.While):
            options: list[tuple[ast.AST, ast.AST | str]] = [(node.test, ast.UnaryOp(ast.Not(), node.test))]
        else:
            options = [(node, other) for other in _changed(node)]
        for place, other in options:
            first, last = place.lineno - 1, place.end_lineno - 1  # type: ignore[attr-defined]
            old = "".join(lines[first : last + 1])
            before, after = lines[first].encode()[: place.col_offset], lines[last].encode()[place.end_col_offset :]  # type: ignore[attr-defined]
            there = other if isinstance(other, str) else f"({ast.unparse(ast.fix_missing_locations(other))})"
            found.add(Mutation(str(file), first + 1, old, f"{before.decode()}{there}{after.decode()}"))
    return sorted(found, key=lambda m: (m.line, m.new))


def drawn(group: str, number: int, seed: int, trees: list[Path]) -> list[Mutation]:
    """Return mutations of a group of files, drawn at random of those whose lines stand once in every tree."""
    package = TREE / SOURCE
    files = sorted({path.relative_to(package) for pattern in GROUPS[group] for path in package.glob(pattern)})
    every = [m for file in files if file.name not in NOT_READERS for m in mutations_of(TREE, file)]
    random.Random(seed).shuffle(every)
    fitting = (m for m in every if all(m.fits(tree) for tree in trees))
    return [m for m, _ in zip(fitting, range(number), strict=False)]


def recorded(record: Path | None, groups: list[str]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return what an earlier run wrote of the groups, and of others."""
    rows = json.loads(record.read_text()) if record and record.exists() else []
    return [row for row in rows if row["group"] in groups], [row for row in rows if row["group"] not in groups]


def chosen(group: str, number: int, seed: int, trees: list[Path], rows: list[dict[str, Any]]) -> list[Mutation]:
    """Return the recorded mutations of a group whose lines stand once in every tree, and as many drawn ones as it takes."""
    every = [Mutation(**{key: row[key] for key in FIELDS}) for row in rows if row["group"] == group]
    old = [m.where_it_is(TREE) for m in every if all(m.fits(tree) for tree in trees)][:number]
    known = {(m.file, m.old, m.new) for m in old}
    new = [m for m in drawn(group, number + len(old), seed, trees) if (m.file, m.old, m.new) not in known]
    return old + new[: number - len(old)]


# ------------------------------------------------------------------------------------------------------ what is run


def tests_of(tree: Path, file: str) -> list[list[str]]:
    """Return the arguments of the runs that concern a file: of the tests named for it or for what imports it, then of the others."""
    words = {word.rstrip("s") for stem in users_of(tree, file) for word in stem.split("_") if len(word) > 2}
    near, rest = [], []
    home = file.split("/")[0]
    for folder in TESTS[home]:
        for path in sorted((tree / "tests" / folder).rglob("test_*.py")):
            if any(word in path.stem for word in words):
                near.append(str(path.relative_to(tree)))
            elif folder == TESTS[home][0] or home != "kernels":
                rest.append(str(path.relative_to(tree)))
    family = {"kernels/gpu": ["-k", "gpu or bf16"], "kernels/cpu": ["-k", "not gpu and not bf16"]}
    chosen = family.get("/".join(file.split("/")[:2]), [])
    return [[*chosen, *files] for files in (near, rest) if files]


def users_of(tree: Path, file: str) -> set[str]:
    """Return the names of a module and of those that import it: of its family or folder by way of others too, elsewhere at once."""
    package = tree / SOURCE
    home = package / "/".join(file.split("/")[: 2 if file.startswith("kernels/") else 1])
    texts = {path: path.read_text() for path in package.rglob("*.py")}
    found, waiting = set(), [package / file]
    while waiting:
        path = waiting.pop()
        found.add(path)
        speaks = re.compile(rf"(from|import) .*\b{path.stem}\b")
        if path == package / file or home in path.parents:
            waiting += [
                user for user in texts if user not in found and home in user.parents and speaks.search(texts[user])
            ]
        if path == package / file:
            *above, stem = path.relative_to(package).with_suffix("").parts
            whole = re.compile(rf"from \S*{'.'.join(above)}(\.{stem} import| import .*\b{stem}\b)")
            found |= {user for user in texts if whole.search(texts[user])}
    return {path.stem for path in found}


class Copy:
    """A copy of a tree, in which one mutation at a time is made."""

    def __init__(self, tree: Path, folder: Path, name: str) -> None:
        self.name, self.root = name, folder / name
        for part in ("src", "tests", "docs", "pyproject.toml", "README.md", "CHANGELOG.md"):
            if (tree / part).is_dir():
                shutil.copytree(tree / part, self.root / part, ignore=shutil.ignore_patterns("__pycache__"))
            elif (tree / part).exists():
                shutil.copy(tree / part, self.root / part)
        self.environment = {
            **os.environ, "PYTHONPATH": str(self.root / "src"), "NUMBA_CACHE_DIR": str(folder / f"{name}-numba"),
            "PYTHONDONTWRITEBYTECODE": "1",
        }  # fmt: skip

    def verdict(self, mutation: Mutation) -> tuple[str, str]:
        """Return "caught" or "missed", and the test that failed, or how the tests ended."""
        path = self.root / SOURCE / mutation.file
        kept = path.read_text()
        mutation.apply(self.root)
        try:
            known = [[mutation.by]] if (self.root / mutation.by.partition("::")[0]).is_file() else []
            for tests in known + tests_of(self.root, mutation.file):
                ended, text = self.run(tests)
                if ended == 4 and tests in known:  # it is no more
                    continue
                if ended not in (0, 5):
                    failed = [
                        line.partition(" ")[2].partition(" - ")[0]
                        for line in text.splitlines()
                        if line.startswith(("FAILED ", "ERROR "))
                    ]
                    return "caught", mutation.by if tests in known else failed[0] if failed else f"ended with {ended}"
        finally:
            path.write_text(kept)
        return "missed", ""

    def run(self, tests: list[str]) -> tuple[int, str]:
        """Run tests until one fails; return the exit status and the output."""
        options = ["-q", "-x", "-n0", "-p", "no:cacheprovider", "--no-header", "-rfE", "-m", "not slow"]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "pytest", *options, *tests], cwd=self.root, env=self.environment, text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False,
                timeout=6 * CPU_SECONDS, preexec_fn=_limited,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return 124, ""
        return done.returncode, done.stdout


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))


def main() -> None:
    """Draw, run, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=GROUPS, help="one of the groups")
    parser.add_argument("--number", type=int, default=20, help="mutations of each group")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--before", type=Path, help="a checkout of an older commit: what is missed is tried there")
    parser.add_argument(
        "--record", type=Path, help="a file of mutations and what became of them: read if it exists, and written"
    )
    parser.add_argument("--show", action="store_true", help="print the mutations and run nothing")
    options = parser.parse_args()
    trees = [TREE] + ([options.before.resolve()] if options.before else [])
    groups = [options.only] if options.only else list(GROUPS)
    earlier, others = recorded(options.record, groups)
    todo = [(group, m) for group in groups for m in chosen(group, options.number, options.seed, trees, earlier)]
    if options.show:
        print("\n".join(str(m) for _, m in todo))
        return
    if not all(map(find_spec, ("torch", "triton"))):
        print("torch or triton is not installed: what is wrong in kernels of the GPU will be missed", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        copies = [Copy(tree, Path(folder), name) for tree, name in zip(trees, ("now", "before"), strict=False)]
        print("| mutation | now | " + ("before | " if options.before else "") + "by |")
        print("|---|---|" + ("---|" if options.before else "") + "---|")
        catching, rows = set(), []
        for group, mutation in todo:
            begin = time.perf_counter()
            reason = mutation.equivalent
            verdict, by = ("equivalent", reason) if reason else copies[0].verdict(mutation)
            cells = [verdict]
            if len(copies) > 1:
                older, older_by = copies[1].verdict(mutation) if verdict == "missed" else ("", "")
                cells.append(older)
                by = by or older_by
            if verdict == "caught" and "::" in by:
                catching.add(by)
            what = str(mutation).replace("|", "\\|")
            print(f"| `{what}` | {' | '.join(cells)} | {by} |", flush=True)
            print(f"  {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
            rows.append({"group": group, **asdict(mutation), "now": verdict, "by": by if verdict == "caught" else ""})
        if options.record:
            options.record.write_text(json.dumps(others + rows, indent=1) + "\n")
        ended, text = copies[0].run(sorted(catching)) if catching else (0, "")
        print("\nWithout a mutation the tests that caught one " + ("pass." if ended == 0 else f"FAIL:\n{text}"))


if __name__ == "__main__":
    main()
