"""The parameter files hold every setting of the nodes with the value that the code has by default."""

import pytest
import yaml
from defaults import defaults, flat

# The simulator's parameters that are no settings of the world.
OWN = {"simulator": {"seed": 1}}


@pytest.fixture(scope="session")
def code(steward, share, tmp_path_factory):
    return defaults(steward, share / "maps/apartment.yaml", tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("name", ["mapper", "grapher", "validator", "planner", "executor", "simulator"])
def test_a_node_has_all_its_parameters_and_no_other(name, code, share):
    file = "simulator.yaml" if name == "simulator" else "steward.yaml"
    sections = yaml.safe_load((share / "config" / file).read_text())["/**"]
    assert set(sections[name]) == {"ros__parameters"}
    found, wanted = flat(sections[name]["ros__parameters"]), code[name] | OWN.get(name, {})
    assert sorted(found) == sorted(wanted)
    for key, value in wanted.items():
        # ROS keeps integers and floating-point numbers apart.
        assert type(found[key]) is type(value) and found[key] == value, key


def test_no_section_is_for_nobody(share, code):
    for file in ("steward.yaml", "simulator.yaml"):
        (sections,) = yaml.safe_load((share / "config" / file).read_text()).values()
        assert set(sections) <= set(code)
