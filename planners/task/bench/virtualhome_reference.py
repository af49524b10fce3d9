"""Runs the Python simulator of `virtualhome_eval` 0.1.1 over its own data and writes what it does as JSON lines.

    python virtualhome_reference.py DATA > DATA/reference.jsonl
    python virtualhome_reference.py DATA 40   # the first 40 programs only, for their times

First a line for each of the 518 programs (does it run, how long does a step take), then one for each of the 5,130 plans
of the 15 models: the first step that is refused, and why. Repeated keys of a plan are kept in order, which the
package's own parser drops. The kinds of refusal are the package's, after its check of the temporal order.
"""

import glob
import json
import os
import sys
import time

import virtualhome_eval.simulation.evolving_graph.utils as utils
from virtualhome_eval.simulation.evolving_graph.checker import TemporalOrderChecker
from virtualhome_eval.simulation.evolving_graph.environment import EnvironmentState
from virtualhome_eval.simulation.evolving_graph.eval_utils import construct_planner
from virtualhome_eval.simulation.evolving_graph.scripts import Action

KINDS = {0: "wrong_order", 1: "missing", 2: "affordance", 3: "unseen", 4: "satisfied", None: "other", 5: "other"}


class Pairs(list):
    """The members of a JSON object, repeated keys included."""


def pairs_of(text):
    if text.startswith("```json"):
        text = text[7:]
    text = text.strip().replace("\n", "").replace("'", '"')
    try:
        value = json.loads(text, object_pairs_hook=Pairs)
    except ValueError:
        return None
    return value if isinstance(value, Pairs) else None


def run(planner, lines):
    """The first refused step with its kind (none if all run), the number of steps that ran, and their time."""
    planner.env_state = EnvironmentState(planner.env_graph, planner.name_equivalence, instance_selection=True)
    history = [planner.env_state]
    seconds = 0.0
    for at, line in enumerate(lines):
        if line[0] == "!":
            return at, line[1:], at, seconds
        start = time.perf_counter()
        try:
            done, info = planner.my_execute_primitive_action_eval(line)
        except Exception:
            return at, "crash", at, seconds
        seconds += time.perf_counter() - start
        if done:
            history.append(planner.env_state)
            continue
        try:
            info = TemporalOrderChecker(info, [state.to_dict() for state in history]).run_checker()
        except IndexError:
            pass  # nothing was recorded as missing
        return at, KINDS.get(info.error_type, "other"), at, seconds
    return None, None, len(lines), seconds


def line_of(name, objects, ids):
    """A step as the simulator reads it, or `!` and why there is none."""
    if not isinstance(objects, list) or not all(isinstance(o, str) for o in objects):
        return "!arguments"
    objects = [o for o in objects if o]
    if name not in Action.__members__:
        return "!unknown_action"
    if len(objects) != Action[name].value[1]:
        return "!arguments"
    if any(o not in ids for o in objects):
        return "!unknown_object"
    return f"[{name}]" + "".join(f" <{o}> ({ids[o]})" for o in objects)


def main(data, programs=None):
    base = os.path.join(data, "virtualhome_eval")
    root = os.path.join(base, "dataset", "programs_processed_precond_nograb_morepreconds")
    tables = utils.load_name_equivalence(), utils.load_properties_data(), utils.load_object_placing()
    goals = json.load(open(os.path.join(base, "resources", "task_state_LTL_formula_accurate.json")))["scene_1"]
    goals = {task: goal["vh_goal"] for tasks in goals.values() for task, goal in tasks.items()}
    plans = {}
    for path in sorted(glob.glob(os.path.join(base, "llm_response", "action_sequence", "*_outputs.json"))):
        model = os.path.basename(path)[: -len("_outputs.json")]
        for answer in json.load(open(path)):
            plans.setdefault(answer["identifier"], []).append((model, answer["llm_output"]))
    graphs = os.path.join(root, "init_and_final_graphs", "TrimmedTestScene1_graph", "*", "file*.json")
    for path in sorted(glob.glob(graphs))[:programs]:
        task = os.path.basename(path)[len("file") : -len(".json")]
        planner, _, program, _, _ = construct_planner(*tables, scenegraph_id=1, script_id=task, dataset_root=root)
        at, kind, steps, seconds = run(planner, program)
        print(json.dumps(dict(program=task, first=at, kind=kind, steps=steps, seconds=seconds)))
        if task not in goals or programs is not None:
            continue
        goal = goals[task]["goal"]
        nodes = [g for g in goal if "state" in g]
        edges = [g for g in goal if "relation_type" in g]
        ids = planner.get_symbolic_goal_nl(nodes, edges, action_goals=goals[task]["actions"])[-1]
        for model, text in plans.get(task, []):
            pairs = pairs_of(text)
            entry = dict(plan=task, model=model, parsed=pairs is not None, ids=ids)
            if pairs is not None:
                at, kind, steps, seconds = run(planner, [line_of(name, objects, ids) for name, objects in pairs])
                entry.update(first=at, kind=kind, steps=steps, seconds=seconds)
            print(json.dumps(entry))


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
