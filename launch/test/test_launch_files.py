"""Every launch file is read and run through for every choice of its arguments, without ROS."""

import ast
import itertools
import os
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from stand_ins import Launch, executables, of_kind

FILES = ["closed_loop", "gazebo", "isaac"]
# What nodes/ros installs.
STEWARD_ROS = {"mapper", "grapher", "validator", "planner", "executor", "simulator", "steward_loop"}
# What of other packages is started.
FOREIGN = {
    ("robot_state_publisher", "robot_state_publisher"),
    ("ros_gz_sim", "create"),
    ("ros_gz_bridge", "parameter_bridge"),
}
NAV2 = {"namespace", "use_sim_time", "params_file", "log_level", "autostart", "use_composition", "use_respawn"}
LOOP = ["mapper", "grapher", "validator", "planner", "executor"]


@pytest.fixture
def exported(tmp_path):
    """A folder such as `steward sim export` writes, as far as launch files look at it."""
    (tmp_path / "world.sdf").write_text("<sdf/>")
    (tmp_path / "robot.urdf").write_text('<robot><mesh filename="meshes/robot_1.obj"/></robot>')
    (tmp_path / "setup.yaml").write_text("robot_start: {x_m: 1.5, y_m: -2.0, yaw_rad: 0.25}\nrooms: []\n")
    (tmp_path / "labels.yaml").write_text("mug: 1\n")
    return tmp_path


def gazebo(share, tmp_path):
    return Launch("gazebo", share, {"ros_gz_sim": tmp_path}.items())


def loop_with_export(share, folder, monkeypatch):
    launch = Launch("closed_loop", share)
    monkeypatch.setattr(launch.module, "export", lambda home: str(folder))
    return launch


def test_every_launch_file_is_known():
    names = {p.name for p in (Path(__file__).parent.parent / "launch").iterdir() if p.suffix == ".py"}
    assert names == {f"{name}.launch.py" for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_arguments_are_described_and_defaults_are_allowed(name, share):
    launch = Launch(name, share)
    assert launch.arguments
    for argument, named in launch.arguments.items():
        assert named["description"], argument
        choices, default = named.get("choices"), named.get("default_value")
        assert choices is None or default in choices, argument
        if default and os.path.isabs(default):
            assert Path(default).is_file(), f"{argument}: {default}"
    tree = ast.parse((share / "launch" / f"{name}.launch.py").read_text())
    used = {
        n.args[0].value
        for n in ast.walk(tree)
        if isinstance(n, ast.Call)
        and isinstance(n.func, ast.Name)
        and n.func.id in ("value", "is_true")
        and isinstance(n.args[0], ast.Constant)
    }
    assert used <= set(launch.arguments), "read but not declared"


def test_the_loop_has_nav2s_arguments_and_its_own(share):
    arguments = Launch("closed_loop", share).arguments
    assert set(arguments) == NAV2 | {"sim", "home", "rerun", "record"}
    assert arguments["sim"]["choices"] == ["embedded", "gazebo", "isaac", "none"]
    assert arguments["rerun"]["choices"] == ["off", "save", "connect", "spawn"]


@pytest.mark.parametrize(
    ("sim", "composed", "respawn"), list(itertools.product(["embedded", "gazebo", "isaac", "none"], "TF", "TF"))
)
def test_each_way_of_starting_starts_the_right_nodes(sim, composed, respawn, share, exported, monkeypatch):
    launch = loop_with_export(share, exported, monkeypatch)
    is_true = {"T": "True", "F": "False"}
    actions = launch.run(
        sim=sim, use_composition=is_true[composed], use_respawn=is_true[respawn], namespace="kitchen_robot"
    )
    own = LOOP if sim != "embedded" else ["simulator", *LOOP]
    is_composed = composed == "T" and sim == "embedded"
    assert executables(actions) == [("steward_ros", e) for e in (["steward_loop"] if is_composed else own)]
    includes = [Path(i.positional[0]).name for i in of_kind(actions, "IncludeLaunchDescription")]
    assert includes == ([f"{sim}.launch.py"] if sim in ("gazebo", "isaac") else [])
    for node in of_kind(actions, "Node"):
        named = node.named
        assert "name" not in named, "a name would rename every node of a composed process"
        assert named["namespace"] == "kitchen_robot"
        assert named["respawn"] is (respawn == "T")
        assert named["arguments"] == ["--ros-args", "--log-level", "info"]
        files = [p for p in named["parameters"] if isinstance(p, str)]
        values = {k: v for p in named["parameters"] if isinstance(p, dict) for k, v in p.items()}
        assert str(share / "config/steward.yaml") in files
        for file in files:
            assert set(yaml.safe_load(Path(file).read_text())) == {"/**"}
        assert values["use_sim_time"] is (sim != "none") and values["autostart"] is True
        if is_composed:
            assert values["world"] == "embedded"
            assert (values["rerun"], values["record"]) == ("off", "")
        assert ("home" in values) == (sim == "embedded" and named["executable"] in ("simulator", "steward_loop"))
        # The composed loop and the simulator have no such settings, and would refuse them.
        has_world = not is_composed and named["executable"] != "simulator"
        assert (str(share / "config/sensors.yaml") in files) == has_world
        assert files[-1] == str(share / "config/steward.yaml"), "a file of one's own has the last word"
        labels = values.get("camera.labels", "detector")
        is_seeing = named["executable"] in ("mapper", "grapher")
        assert labels == (sim if is_seeing and sim in ("gazebo", "isaac") else "detector")
        assert values.get("camera.labels_file") == (str(exported / "labels.yaml") if labels == "gazebo" else None)
        keeps = named["executable"] in ("mapper", "grapher", "planner") and respawn == "T"
        assert ("keep" in values) == keeps and (not keeps or os.path.isdir(os.path.dirname(values["keep"])))


def test_processes_share_memory_enough_for_images_unless_somebody_set_it_otherwise(share, monkeypatch):
    names = ["FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"]
    for name in names:
        monkeypatch.delenv(name, raising=False)
    launch = Launch("closed_loop", share)
    actions = launch.run(use_composition="False")
    kinds = [type(a).__name__ for a in actions]
    assert kinds[:2] == ["SetEnvironmentVariable"] * 2, "before anything starts"
    assert [a.positional[0] for a in actions[:2]] == names
    (file,) = {a.positional[1] for a in actions[:2]}
    dds = "{http://www.eprosima.com}"
    sizes = ElementTree.parse(file).getroot().iter(f"{dds}segment_size")
    frame = 640 * 480 * (3 + 4 + 2)
    assert [int(s.text) > 4 * frame for s in sizes] == [True]
    monkeypatch.setenv(names[0], "/mine.xml")
    left = of_kind(launch.run(), "SetEnvironmentVariable")
    assert [a.positional[0] for a in left] == names[1:]


def test_the_loop_and_what_it_includes_agree_on_arguments(share, exported, tmp_path, monkeypatch):
    for sim in ("gazebo", "isaac"):
        actions = loop_with_export(share, exported, monkeypatch).run(sim=sim)
        (include,) = of_kind(actions, "IncludeLaunchDescription")
        other = gazebo(share, tmp_path) if sim == "gazebo" else Launch("isaac", share)
        assert other.run(**dict(include.named["launch_arguments"]))


def test_gazebo_spawns_the_robot_where_the_home_has_it_and_starts_what_exists(share, exported, tmp_path):
    actions = gazebo(share, tmp_path).run(export=str(exported), headless="True")
    started = executables(actions)
    assert set(started) == FOREIGN | {("steward_bringup", "simulator_adapter")}
    by_name = {n.named["executable"]: n.named for n in of_kind(actions, "Node")}
    assert by_name["create"]["arguments"][-6:] == ["-x", "1.5", "-y", "-2.0", "-Y", "0.25"]
    description = by_name["robot_state_publisher"]["parameters"][1]["robot_description"]
    assert f'filename="file://{exported}/meshes/robot_1.obj"' in description
    assert Path(by_name["parameter_bridge"]["parameters"][1]["config_file"]).is_file()
    (world,) = of_kind(actions, "IncludeLaunchDescription")
    assert dict(world.named["launch_arguments"])["gz_args"] == f"-r -s {exported}/world.sdf"


def test_isaac_prints_its_topics_in_the_namespace(share):
    actions = Launch("isaac", share).run(namespace="/a")
    text = of_kind(actions, "LogInfo")[0].named["msg"]
    assert " /a/joint_states " in text and " /clock " in text
    assert set(executables(actions)) == {
        ("robot_state_publisher", "robot_state_publisher"),
        ("steward_bringup", "simulator_adapter"),
    }


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"params_file": "/nowhere.yaml"}, "params_file:=/nowhere.yaml is no file"),
        ({"home": "seed:3"}, "home:=seed:3 is no file"),
        ({"use_sim_time": "False"}, "does not go with sim:=embedded"),
        ({"rerun": "save", "use_composition": "False"}, "needs sim:=embedded and use_composition:=True"),
        ({"rerun": "save", "sim": "none"}, "needs sim:=embedded and use_composition:=True"),
        ({"record": "/"}, "exists already"),
    ],
)
def test_wrong_values_are_refused_with_a_sentence(given, says, share):
    with pytest.raises(RuntimeError, match=says):
        Launch("closed_loop", share).run(**given)


def test_gazebo_without_what_it_needs_says_what_to_do(share, exported, tmp_path, monkeypatch):
    with pytest.raises(RuntimeError, match="write it with: steward sim export"):
        gazebo(share, tmp_path).run(export="/nowhere")
    with pytest.raises(RuntimeError, match="apt install"):
        Launch("gazebo", share).run(export=str(exported))
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="needs the program `steward`"):
        Launch("closed_loop", share).run(sim="gazebo")


def test_a_recording_of_separate_processes_is_made_by_rosbag(share, tmp_path):
    with pytest.raises(RuntimeError, match="rosbag2, which is not installed"):
        Launch("closed_loop", share).run(use_composition="False", record="/nowhere/new")
    others = {"rosbag2_storage_mcap": tmp_path}.items()
    actions = Launch("closed_loop", share, others).run(use_composition="False", record="/nowhere/new")
    (bag,) = of_kind(actions, "ExecuteProcess")
    assert bag.named["cmd"][:3] == ["ros2", "bag", "record"] and "--use-sim-time" in bag.named["cmd"]


def test_the_readme_names_arguments_that_exist(share):
    text = (Path(__file__).resolve().parent.parent / "README.md").read_text()
    declared = set().union(*(Launch(name, share).arguments for name in FILES))
    named = set(re.findall(r"\b(\w+):=", text))
    assert len(named) > 8 and named <= declared, named - declared
    table = text.split("## Arguments")[1].split("\n## ")[0]
    rows = set(re.findall(r"^\| `(\w+)` \|", table, re.M))
    assert rows == set(Launch("closed_loop", share).arguments)


def test_everything_that_is_started_is_installed():
    """With STEWARD_ROS_INSTALL the install folder is looked at, otherwise what the build files install."""
    install = os.environ.get("STEWARD_ROS_INSTALL")
    root = Path(__file__).resolve().parent.parent
    if install:
        for package, names in [("steward_ros", STEWARD_ROS), ("steward_bringup", {"simulator_adapter"})]:
            for name in names:
                path = Path(install) / "lib" / package / name
                assert os.access(path, os.X_OK), path
    else:
        text = (root / "CMakeLists.txt").read_text()
        assert "PROGRAMS scripts/simulator_adapter" in text and "FILES scripts/drives.py" in text
        assert os.access(root / "scripts/simulator_adapter", os.X_OK)
