//! Trees and walks: what is done when a branch does not work, with and without help.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use steward_ltl::RuleSet;
use steward_task::domain::{Domain, GroundAction, RefusalKind, Scene, SceneBuilder, State};
use steward_task::plan::{Goal, SceneRules};
use steward_task::tree::{
    ActionTree, ByCost, Chooser, Decision, Fork, MeansEnds, Model, Prompt, Prompted, Recorded, Walk,
    WalkConfig,
};

fn home() -> Arc<Scene> {
    let domain = Domain::parse(include_str!("../domains/household.pddl")).unwrap();
    let mut home = SceneBuilder::new(domain);
    home.object("robbie", "robot").unwrap();
    for (name, kind) in [
        ("hall", "place"),
        ("mug", "item"),
        ("cup", "item"),
        ("desk", "place"),
        ("table", "place"),
        ("fridge", "place"),
        ("door", "part"),
    ] {
        home.object(name, kind).unwrap();
    }
    for (predicate, objects) in [
        ("at", &["robbie", "hall"][..]),
        ("shuts", &["door", "fridge"]),
        ("in", &["mug", "fridge"]),
        ("on", &["cup", "table"]),
        ("movable", &["mug"]),
        ("movable", &["cup"]),
    ] {
        home.fact(predicate, objects).unwrap();
    }
    home.build()
}

fn plan(scene: &Scene, steps: &[&str]) -> Vec<GroundAction> {
    steps.iter().map(|step| scene.action(step).unwrap()).collect()
}

fn goal(scene: &Scene, text: &str) -> Goal {
    Goal::reach(scene.condition(text).unwrap())
}

/// Runs a walk; the world refuses nothing that the model allows.
fn run(walk: &mut Walk, scene: &Arc<Scene>) -> (State, Vec<String>, Decision) {
    let mut state = scene.start();
    let mut done = Vec::new();
    loop {
        match walk.next(&state).unwrap() {
            Decision::Do(step) => {
                state = state.step(&step).unwrap();
                done.push(scene.action_text(&step));
            }
            end => return (state, done, end),
        }
    }
}

const FORGETFUL: [&str; 4] = [
    "(navigate robbie hall mug)",
    "(pick robbie mug)",
    "(navigate robbie mug desk)",
    "(place_on robbie mug desk)",
];

#[test]
fn plans_merge_and_survive_storage() {
    let scene = home();
    let mut tree = ActionTree::new();
    tree.insert(&plan(&scene, &FORGETFUL));
    tree.insert(&plan(&scene, &FORGETFUL[..2]));
    tree.insert(&plan(&scene, &["(navigate robbie hall cup)"]));
    assert_eq!(
        tree.text(&scene),
        "├─ 2× (navigate robbie hall mug)\n\
         │  └─ 2× (pick robbie mug) ■1\n\
         │     └─ 1× (navigate robbie mug desk)\n\
         │        └─ 1× (place_on robbie mug desk) ■1\n\
         └─ 1× (navigate robbie hall cup) ■1\n"
    );
    let text = serde_json::to_string(&tree.records(&scene)).unwrap();
    let records: Vec<_> = serde_json::from_str(&text).unwrap();
    assert_eq!(ActionTree::from_records(&records, &scene).unwrap(), tree);
    assert!(ActionTree::from_records(&[], &scene).is_err());
    let mut cyclic = records.clone();
    cyclic[1].parent = steward_task::tree::NodeId(3);
    assert!(ActionTree::from_records(&cyclic, &scene).is_err());
}

#[test]
fn missing_steps_are_put_in() {
    let scene = home();
    let mut tree = ActionTree::new();
    tree.insert(&plan(&scene, &FORGETFUL));
    let mut walk = Walk::new(tree, goal(&scene, "(on mug desk)"), WalkConfig::default());
    let (state, done, end) = run(&mut walk, &scene);
    assert_eq!(end, Decision::Ended);
    assert!(state.satisfies(&scene.condition("(on mug desk)").unwrap(), &[]));
    // The door, and the way back from it.
    assert_eq!(
        done[1..4],
        [
            "(navigate robbie mug door)",
            "(open robbie door)",
            "(navigate robbie door mug)"
        ]
    );
    assert_eq!((walk.stats().repairs, walk.stats().corrections), (1, 0));
}

#[test]
fn without_repair_the_next_branch_is_taken_from_the_present_state() {
    let scene = home();
    let mut tree = ActionTree::new();
    tree.insert(&plan(&scene, &FORGETFUL));
    tree.insert(&plan(&scene, &FORGETFUL));
    tree.insert(&plan(
        &scene,
        &[
            "(navigate robbie hall mug)",
            "(navigate robbie mug cup)",
            "(pick robbie cup)",
        ],
    ));
    let config = WalkConfig {
        repair_steps: 0,
        ..WalkConfig::default()
    };
    let mut walk = Walk::new(tree, goal(&scene, "(held cup robbie)"), config);
    let (state, done, end) = run(&mut walk, &scene);
    assert_eq!(end, Decision::Ended);
    assert!(state.satisfies(&scene.condition("(held cup robbie)").unwrap(), &[]));
    assert_eq!(done.len(), 3, "{done:?}");
    assert_eq!(walk.stats().corrections, 1);
    assert!(
        walk.tree()
            .text(&scene)
            .contains("(pick robbie mug) failed: missing")
    );
}

#[test]
fn a_used_up_tree_asks_for_new_plans_with_what_was_learned() {
    let scene = home();
    let tree = ActionTree::new();
    let answer = plan(&scene, &["(navigate robbie hall cup)", "(pick robbie cup)"]);
    let mut walk = Walk::new(tree, goal(&scene, "(held cup robbie)"), WalkConfig::default())
        .with_sampler(Recorded::new([answer]));
    let (_, done, end) = run(&mut walk, &scene);
    assert_eq!((end, done.len()), (Decision::Ended, 2));
    assert_eq!(walk.stats().resamples, 1);

    // Nobody to ask: that is the end, and it is said.
    let mut walk = Walk::new(
        ActionTree::new(),
        goal(&scene, "(on mug desk)"),
        WalkConfig::default(),
    );
    assert_eq!(run(&mut walk, &scene).2, Decision::Exhausted);
}

#[test]
fn a_step_that_the_world_refuses_is_not_given_out_again() {
    let scene = home();
    let mut tree = ActionTree::new();
    tree.insert(&plan(
        &scene,
        &["(navigate robbie hall cup)", "(pick robbie cup)"],
    ));
    let mut walk = Walk::new(tree, goal(&scene, "(held cup robbie)"), WalkConfig::default());
    let start = scene.start();
    let Decision::Do(go) = walk.next(&start).unwrap() else {
        panic!("a way is open");
    };
    walk.failed(RefusalKind::Other);
    assert_eq!(walk.next(&start).unwrap(), Decision::Exhausted);
    assert_eq!(walk.lessons()[0].action, go);
    assert!(walk.done().is_empty());
}

#[test]
fn a_walk_does_not_stop_in_the_middle_of_a_plan() {
    let scene = home();
    let mut tree = ActionTree::new();
    let whole = [
        "(navigate robbie hall cup)",
        "(pick robbie cup)",
        "(navigate robbie cup desk)",
    ];
    tree.insert(&plan(&scene, &whole));
    let mut walk = Walk::new(tree, goal(&scene, "(held cup robbie)"), WalkConfig::default());
    assert_eq!(run(&mut walk, &scene).1.len(), 3);
}

#[test]
fn no_step_breaks_a_rule() {
    let scene = home();
    let mut tree = ActionTree::new();
    tree.insert(&plan(
        &scene,
        &[
            "(navigate robbie hall table)",
            "(navigate robbie table cup)",
            "(pick robbie cup)",
        ],
    ));
    tree.insert(&plan(
        &scene,
        &[
            "(navigate robbie hall table)",
            "(navigate robbie table cup)",
            "(pick robbie cup)",
        ],
    ));
    tree.insert(&plan(
        &scene,
        &["(navigate robbie hall cup)", "(pick robbie cup)"],
    ));
    let rules = RuleSet::one_shot([("not the table", "G !at(robbie, table)")]).unwrap();
    let rules = SceneRules::new(&scene, rules).unwrap();
    let mut walk =
        Walk::new(tree, goal(&scene, "(held cup robbie)"), WalkConfig::default()).with_rules(rules);
    let (_, done, end) = run(&mut walk, &scene);
    assert_eq!(end, Decision::Ended);
    assert_eq!(done, ["(navigate robbie hall cup)", "(pick robbie cup)"]);
}

/// Takes the last way, and counts how often it was asked.
struct Last(Arc<AtomicUsize>);

impl Chooser for Last {
    fn choose(&mut self, fork: &Fork) -> steward_task::Result<usize> {
        assert!(fork.offers.len() > 1, "one way is no choice");
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(fork.offers.len() - 1)
    }
}

#[test]
fn a_chooser_is_asked_at_forks_only() {
    let scene = home();
    let mut tree = ActionTree::new();
    tree.insert(&plan(&scene, &["(navigate robbie hall mug)"]));
    tree.insert(&plan(
        &scene,
        &["(navigate robbie hall cup)", "(pick robbie cup)"],
    ));
    let asked = Arc::new(AtomicUsize::new(0));
    let mut walk = Walk::new(tree, goal(&scene, "(held cup robbie)"), WalkConfig::default())
        .with_chooser(Last(asked.clone()));
    assert_eq!(run(&mut walk, &scene).1.len(), 2);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn means_ends_analysis_opens_frees_and_fetches() {
    let scene = home();
    let means = MeansEnds::new(scene.domain());
    let wanted = scene.condition("(and (on mug desk) (not (open door)))").unwrap();
    let steps = means.achieve(&scene.start(), &wanted).unwrap();
    let end = steps
        .iter()
        .fold(scene.start(), |state, step| state.step(step).unwrap());
    assert!(end.satisfies(&wanted, &[]));
    // What nothing can do is not found, and that ends.
    for never in ["(on fridge desk)", "(movable door)"] {
        let never = scene.condition(never).unwrap();
        assert_eq!(means.achieve(&scene.start(), &never), None);
    }
}

/// Answers with a fixed text.
struct Parrot(String);

impl Model for Parrot {
    fn answers(&mut self, prompt: &str, count: usize) -> steward_task::Result<Vec<String>> {
        assert!(
            prompt.contains("(pick ?r ?i)") && prompt.contains("Goal: (held cup robbie)"),
            "{prompt}"
        );
        Ok(vec![self.0.clone(); count])
    }
}

#[test]
fn a_language_model_is_asked_with_a_prompt_and_read_line_by_line() {
    let scene = home();
    let answer = "(navigate robbie hall cup)\n(pick robbie cup)\n(and then (dance))\n";
    let sampler = Prompted {
        model: Parrot(answer.to_owned()),
        prompt: Prompt::default(),
    };
    let mut walk = Walk::new(
        ActionTree::new(),
        goal(&scene, "(held cup robbie)"),
        WalkConfig::default(),
    )
    .with_sampler(sampler);
    let (_, done, end) = run(&mut walk, &scene);
    assert_eq!((end, done.len()), (Decision::Ended, 2));
}

#[test]
fn cost_to_go_overrules_votes_for_a_detour() {
    let scene = home();
    let detour = plan(
        &scene,
        &[
            "(navigate robbie hall desk)",
            "(navigate robbie desk cup)",
            "(pick robbie cup)",
        ],
    );
    let straight = plan(&scene, &["(navigate robbie hall cup)", "(pick robbie cup)"]);
    let mut tree = ActionTree::new();
    tree.insert(&detour);
    tree.insert(&detour);
    tree.insert(&straight);
    let held = goal(&scene, "(held cup robbie)");
    let mut by_votes = Walk::new(tree.clone(), held.clone(), WalkConfig::default());
    assert_eq!(run(&mut by_votes, &scene).1.len(), 3);
    let mut by_cost = Walk::new(tree, held, WalkConfig::default()).with_chooser(ByCost);
    let (_, done, end) = run(&mut by_cost, &scene);
    assert_eq!(done, ["(navigate robbie hall cup)", "(pick robbie cup)"]);
    assert_eq!(end, Decision::Ended);
}
