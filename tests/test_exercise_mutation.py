"""Are the calls of the exercises sharp? Each solution is changed in one place at a time; the checks must notice.

Mutation libraries (mutmut, cosmic-ray, mutatest) change the files of a project and run its tests in processes. The
solutions are texts, and hundreds of mutants must be tried within seconds: these are made with Python's own ast.
"""
import ast
import copy
import time
import warnings
from dataclasses import replace

import pytest
from project import ROOT

from fastcourse.study.answers import OutOfTime
from fastcourse.study.exercises import compare_runs, lesson_exercises, run_cases, wrong_kind

LESSONS = sorted(path.stem for path in (ROOT / "fastcourse" / "exercises").glob("*.toml"))
SHARE_TO_CATCH = 0.95
SECONDS_A_MUTANT = 0.1  # on the average, on a busy machine; a quiet one needs a third
# Mutants that behave as the solution does, whatever the input. "exercise: line of the mutant": why.
EQUIVALENT = {
    "callbacks/WorstBatch: without if not learn.training:": "batches of validation are kept, and nobody looks at them",
    "callbacks/WorstBatch: without return": "batches of validation are kept, and nobody looks at them",
    "datasets/spell: if n <= 1000:": "number_words spells 1000 as well, and in the same words",
    "datasets/spell: if n < 1001:": "number_words spells 1000 as well, and in the same words",
    "datasets/successors: counts[word][following] += 2": "twice the counts have the same order",
    "datasets/successors: return {word: counter.most_common(2)[0][0] for word, counter in counts.items()}":
        "of the two most common the first is taken",
    "exercises/telling: telling = torch.tensor([[0.0, 2.0]])": "any positive number beside the zero does",
    "plots/luminances: light = np.where(colors < 0.04045, colors / 12.92, ((colors + 0.055) / 1.055) ** 2.4)":
        "at 0.04045 itself the two formulas agree in seven digits",
    "scenes/noise_pictures: generator = torch.Generator().manual_seed(1000003 * seed - i)":
        "other seeds, and no two of them meet",
    "scenes/noise_pictures: generator = torch.Generator().manual_seed(1000004 * seed + i)":
        "other seeds, and no two of them meet",
    "testing/unlearned: grads = torch.autograd.grad(module(x).mean(), parameters, allow_unused=True)":
        "which parameters get no gradient does not depend on the factor between mean and sum",
}

SWAPS = {
    ast.Add: [ast.Sub], ast.Sub: [ast.Add], ast.Mult: [ast.Div], ast.Div: [ast.Mult], ast.FloorDiv: [ast.Div],
    ast.Mod: [ast.Mult], ast.Pow: [ast.Mult], ast.MatMult: [ast.Mult], ast.BitAnd: [ast.BitOr], ast.BitOr: [ast.BitAnd],
    ast.Lt: [ast.LtE, ast.Gt], ast.LtE: [ast.Lt, ast.Gt], ast.Gt: [ast.GtE, ast.Lt], ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq], ast.NotEq: [ast.Eq], ast.Is: [ast.IsNot], ast.IsNot: [ast.Is], ast.In: [ast.NotIn],
    ast.NotIn: [ast.In], ast.And: [ast.Or], ast.Or: [ast.And]}


NAMES = {"min": "max", "sum": "mean", "any": "all", "argmin": "argmax", "append": "remove", "sin": "cos"}
NAMES |= {new: old for old, new in NAMES.items()}


def changes(node):
    "Functions that change a node in place, each in one way."
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)):
        for swap in SWAPS.get(type(node.op), []):
            yield lambda node, swap=swap: setattr(node, "op", swap())
    elif isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            for swap in SWAPS[type(op)]:
                yield lambda node, i=i, swap=swap: node.ops.__setitem__(i, swap())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield lambda node: setattr(node, "op", ast.UAdd())
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield lambda node: setattr(node, "operand", ast.UnaryOp(ast.Not(), node.operand))
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield lambda node: setattr(node, "value", not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        yield lambda node: setattr(node, "value", node.value + 1)
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield lambda node: setattr(node, "test", ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.Slice):
        for bound in ("lower", "upper"):
            yield lambda node, bound=bound: setattr(node, bound, None)
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield lambda node: setattr(node, "attr", NAMES[node.attr])
    elif isinstance(node, ast.Name) and node.id in NAMES:
        yield lambda node: setattr(node, "id", NAMES[node.id])
    for i in range(len(getattr(node, "keywords", []))):
        yield lambda node, i=i: node.keywords.pop(i)
    body = getattr(node, "body", None)
    for i in range(len(body) if isinstance(body, list) and not isinstance(node, ast.Module) else 0):
        yield lambda node, i=i: node.body.__setitem__(i, ast.Pass())


def mutants(source):
    "The sources that differ from `source` by one operator, constant, condition, bound, argument or statement."
    tree = ast.parse(source)
    original = ast.unparse(tree).splitlines()
    for i, node in enumerate(ast.walk(tree)):
        for change in changes(node):
            mutant = copy.deepcopy(tree)
            change(list(ast.walk(mutant))[i])
            lines = ast.unparse(ast.fix_missing_locations(mutant)).splitlines()
            changed = [(old.strip(), new.strip()) for old, new in zip(original, lines) if old != new]
            if changed:
                old, new = changed[0]
                yield "\n".join(lines), f"without {old}" if new == "pass" else new


def is_caught(item, source, expected):
    "Do the checks of the exercise refuse `source`? `expected` holds the runs of the solution."
    try:
        answer = item.build(source)
    except Exception:
        return True
    for case, right in zip(item.cases, expected):
        ran, = run_cases(replace(item, cases=[case]), answer)
        if compare_runs(ran, right, item):
            return True
    return bool(wrong_kind(answer, item.build(item.reference)))


def test_mutants_are_made():
    made = dict(mutants("def f(x, n=3):\n    if not x: return -1\n    return [i + 1 for i in x if i > 0 and n]"))
    assert len(made) == 13
    assert {"return [i - 1 for i in x if i > 0 and n]", "return +1", "def f(x, n=4):"} < set(made.values())


@pytest.fixture(scope="module")
def tried():
    "Of each exercise, its mutants: (name, line that differs, was it caught)."
    start, results = time.perf_counter(), []
    for lesson in LESSONS:
        for item in lesson_exercises(lesson).values():
            expected = run_cases(replace(item, seconds=60.0), item.build(item.reference))
            assert not any(isinstance(ran.error, OutOfTime) for ran in expected), f"{lesson}/{item.name} is too slow"
            quick, made = replace(item, seconds=3.0), dict(mutants(item.reference))
            with warnings.catch_warnings(action="ignore"):
                results += [(f"{lesson}/{item.name}", line, is_caught(quick, source, expected))
                            for source, line in made.items()]
    return results, time.perf_counter() - start


def test_mutants_are_caught(tried, record_property):
    results, seconds = tried
    survivors = [f"{name}: {line}" for name, line, caught in results if not caught]
    changing = [result for result in results if f"{result[0]}: {result[1]}" not in EQUIVALENT]
    caught = sum(caught for *_, caught in changing)
    listed = "\n".join(f"  {text} ({EQUIVALENT.get(text, 'a gap in the calls')})" for text in survivors)
    summary = (f"{len(results)} mutants, {len(results) - len(changing)} of them the same as the solution; "
               f"{caught} of {len(changing)} caught in {seconds:.0f} s; survivors:\n{listed}")
    record_property("mutation", summary)
    print(summary)
    assert caught >= SHARE_TO_CATCH * len(changing), summary
    assert not set(EQUIVALENT) - set(survivors), "these mutants are listed as the same as the solution, and are caught"


def test_trying_mutants_is_quick(tried):
    results, seconds = tried
    assert seconds < SECONDS_A_MUTANT * len(results)
