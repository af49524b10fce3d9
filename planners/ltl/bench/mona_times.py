"""Times ltlf2dfa + MONA on the formulas of standard input, one per line.

Prints per formula: milliseconds, then the number of states of MONA's automaton minimised under the convention
of `steward_ltl::Dfa`: complete, sink counted, initial state accepting exactly if the empty trace satisfies the
formula. MONA's own start state reads nothing, so it is left out, and the acceptance of the state behind it is
a don't-care for MONA; it is set from the definition of the empty trace.

Needs the PyPI package ltlf2dfa and the program `mona` on the path.
"""

import re
import sys
import time

from ltlf2dfa.parser.ltlf import LTLfParser


def to_ltlf2dfa(text):
    """`R` and `W`, `M` as ltlf2dfa has them: it knows U, R, W and no M."""
    node, rest = parse(tokens(text), 0)
    return show(node)


def tokens(text):
    return re.findall(r"<->|->|[()!&|]|\b[FGXUWRM]\b|\w+", text)


def parse(words, at, strength=0):
    order = {"<->": 1, "->": 1, "|": 2, "&": 4, "U": 5, "W": 5, "R": 5, "M": 5}
    word = words[at]
    if word == "(":
        left, at = parse(words, at + 1)
        at += 1
    elif word in "!FGX":
        inner, at = parse(words, at + 1, 6)
        left = (word, inner)
    else:
        left, at = (word,), at + 1
    while at < len(words) and order.get(words[at], -1) >= max(strength, 1):
        operator = words[at]
        right_too = operator in ("U", "W", "R", "M", "->", "<->")
        right, at = parse(words, at + 1, order[operator] + (0 if right_too else 1))
        left = (operator, left, right)
    return left, at


def show(node):
    if len(node) == 1:
        return {"true": "tt", "false": "ff"}.get(node[0], node[0])
    if len(node) == 2:
        return f"{node[0]}({show(node[1])})"
    a, b = show(node[1]), show(node[2])
    if node[0] == "W":
        return f"((({a}) U ({b})) | G({a}))"
    if node[0] == "M":
        return f"(({b}) U (({a}) & ({b})))"
    return f"(({a}) {node[0]} ({b}))"


def empty_trace(node):
    """Whether the empty trace satisfies the formula."""
    if len(node) == 1:
        return node[0] == "true"
    if node[0] in ("F", "X", "U", "M"):
        return False
    if node[0] in ("G", "W", "R"):
        return True
    values = [empty_trace(child) for child in node[1:]]
    return {
        "!": lambda: not values[0],
        "&": lambda: values[0] and values[1],
        "|": lambda: values[0] or values[1],
        "->": lambda: not values[0] or values[1],
        "<->": lambda: values[0] == values[1],
    }[node[0]]()


def automaton(dot):
    """Initial state, accepting states and guarded edges of ltlf2dfa's DOT text."""
    accepting = set(re.search(r"doublecircle\];([^;\n]*;?[^\n]*)", dot).group(1).replace(";", " ").split())
    initial = re.search(r"init -> (\d+);", dot).group(1)
    edges = re.findall(r'(\d+) -> (\d+) \[label="([^"]*)"\]', dot)
    return initial, accepting, edges


def minimal_states(dot, names, accepts_empty):
    initial, accepting, edges = automaton(dot)
    states = sorted({state for edge in edges for state in edge[:2]} | {initial})
    letters = range(1 << len(names))
    step = {}
    for source, target, guard in edges:
        code = re.sub(r"~", " not ", guard).replace("&", " and ").replace("|", " or ").replace("true", "True")
        code = compile(code.replace("false", "False").strip(), "guard", "eval")
        for letter in letters:
            if (source, letter) in step:
                continue
            held = {name: bool(letter >> at & 1) for at, name in enumerate(names)}
            if eval(code, {}, held):
                step[source, letter] = target
    # A fresh initial state carries the acceptance of the empty trace; refinement merges it where it can.
    fresh = "initial"
    for letter in letters:
        step[fresh, letter] = step[initial, letter]
    reached, open_states = {fresh}, [fresh]
    while open_states:
        state = open_states.pop()
        for letter in letters:
            target = step[state, letter]
            if target not in reached:
                reached.add(target)
                open_states.append(target)
    ends = {state: (accepts_empty if state == fresh else state in accepting) for state in reached}
    block = {state: int(ends[state]) for state in reached}
    while True:
        keys = {state: (block[state], tuple(block[step[state, letter]] for letter in letters)) for state in reached}
        number = {key: at for at, key in enumerate(sorted(set(keys.values())))}
        refined = {state: number[keys[state]] for state in reached}
        if len(number) == len(set(block.values())):
            return len(number)
        block = refined


def main():
    parser = LTLfParser()
    for line in [line.strip() for line in sys.stdin if line.strip()]:
        node, _ = parse(tokens(line), 0)
        text = show(node)
        names = sorted(set(re.findall(r"\b[a-z]\w*\b", line)) - {"true", "false"})
        best = float("inf")
        for _ in range(2):
            start = time.perf_counter()
            dot = parser(text).to_dfa()
            best = min(best, (time.perf_counter() - start) * 1e3)
        print(f"{best:.3f} {minimal_states(dot, names, empty_trace(node))}", flush=False)


if __name__ == "__main__":
    main()
