//! VirtualHome's actions on a small made-up home, and answers of language models as they come.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use steward_task::domain::RefusalKind;
use steward_task::virtualhome::{Flaw, Goals, Graph, Home, domain, parse_answer, parse_script_line};

fn home() -> Home {
    let graph = r#"{
      "nodes": [
        {"id": 1, "class_name": "kitchen", "category": "Rooms", "properties": [], "states": []},
        {"id": 2, "class_name": "bedroom", "category": "Rooms", "properties": [], "states": []},
        {"id": 65, "class_name": "character", "category": "Characters", "properties": [], "states": []},
        {"id": 10, "class_name": "fridge", "category": "Appliances", "properties": ["CAN_OPEN", "CONTAINERS"], "states": ["CLOSED"]},
        {"id": 11, "class_name": "milk", "category": "Props", "properties": ["GRABBABLE", "DRINKABLE"], "states": []},
        {"id": 12, "class_name": "chair", "category": "Furniture", "properties": ["SITTABLE"], "states": []},
        {"id": 13, "class_name": "cup", "category": "Props", "properties": ["GRABBABLE", "RECIPIENT"], "states": []},
        {"id": 14, "class_name": "spoon", "category": "Props", "properties": ["GRABBABLE"], "states": []},
        {"id": 15, "class_name": "table", "category": "Furniture", "properties": ["SURFACES"], "states": []}
      ],
      "edges": [
        {"from_id": 65, "relation_type": "INSIDE", "to_id": 2},
        {"from_id": 10, "relation_type": "INSIDE", "to_id": 1},
        {"from_id": 11, "relation_type": "INSIDE", "to_id": 1},
        {"from_id": 11, "relation_type": "INSIDE", "to_id": 10},
        {"from_id": 12, "relation_type": "INSIDE", "to_id": 1},
        {"from_id": 13, "relation_type": "INSIDE", "to_id": 1},
        {"from_id": 14, "relation_type": "INSIDE", "to_id": 1},
        {"from_id": 15, "relation_type": "INSIDE", "to_id": 1},
        {"from_id": 13, "relation_type": "ON", "to_id": 15},
        {"from_id": 14, "relation_type": "ON", "to_id": 15}
      ]
    }"#;
    let graph: Graph = serde_json::from_str(graph).unwrap();
    graph.home(&domain().unwrap()).unwrap()
}

/// What a script comes to: the number of steps done, and the kind of refusal if there is one.
fn run(home: &Home, script: &[&str]) -> (usize, Option<RefusalKind>) {
    let mut state = home.scene.start();
    for (at, line) in script.iter().enumerate() {
        let action = home.ground(&parse_script_line(line).unwrap()).unwrap();
        match state.check(&action) {
            Ok(()) => state = state.apply(&action),
            Err(refusal) => return (at, Some(refusal.kind)),
        }
    }
    (script.len(), None)
}

// The expected refusals are those of the Python simulator of `virtualhome_eval` 0.1.1 on the same graph.
#[test]
fn refusals_are_those_of_the_simulator() {
    let home = home();
    let walk_fridge = "[WALK] <fridge> (10)";
    for (script, expected) in [
        (&["[GRAB] <cup> (13)"][..], (0, Some(RefusalKind::Missing))),
        (&["[GRAB] <table> (15)"], (0, Some(RefusalKind::Affordance))),
        // Grabbing brings the hand to the thing, not the feet: what is shut in stays out of reach.
        (
            &[walk_fridge, "[GRAB] <milk> (11)"],
            (1, Some(RefusalKind::Missing)),
        ),
        (
            &[walk_fridge, "[OPEN] <fridge> (10)", "[GRAB] <milk> (11)"],
            (3, None),
        ),
        (
            &[walk_fridge, "[OPEN] <fridge> (10)", "[OPEN] <fridge> (10)"],
            (2, Some(RefusalKind::Satisfied)),
        ),
        (
            &[
                "[WALK] <cup> (13)",
                "[GRAB] <cup> (13)",
                walk_fridge,
                "[PUTIN] <cup> (13) <fridge> (10)",
            ],
            (3, Some(RefusalKind::Affordance)),
        ),
        (
            &["[WALK] <chair> (12)", "[SIT] <chair> (12)", "[WALK] <cup> (13)"],
            (2, Some(RefusalKind::Missing)),
        ),
        (
            &["[WALK] <chair> (12)", "[SIT] <chair> (12)", "[SIT] <chair> (12)"],
            (2, Some(RefusalKind::Satisfied)),
        ),
        (
            &[
                "[WALK] <chair> (12)",
                "[SIT] <chair> (12)",
                "[STANDUP]",
                "[WALK] <cup> (13)",
            ],
            (4, None),
        ),
        (&["[STANDUP]"], (0, Some(RefusalKind::Satisfied))),
        (
            &["[WALK] <cup> (13)", "[GRAB] <cup> (13)", "[GRAB] <cup> (13)"],
            (2, Some(RefusalKind::Satisfied)),
        ),
        (
            // Two hands, three things.
            &[
                walk_fridge,
                "[OPEN] <fridge> (10)",
                "[GRAB] <milk> (11)",
                "[WALK] <cup> (13)",
                "[GRAB] <cup> (13)",
                "[GRAB] <spoon> (14)",
            ],
            (5, Some(RefusalKind::Missing)),
        ),
        (
            &[
                "[WALK] <cup> (13)",
                "[GRAB] <cup> (13)",
                "[PUTBACK] <cup> (13) <table> (15)",
            ],
            (3, None),
        ),
        (
            &[
                "[TURNTO] <cup> (13)",
                "[LOOKAT] <cup> (13)",
                "[LOOKAT] <spoon> (14)",
            ],
            (2, Some(RefusalKind::Missing)),
        ),
    ] {
        assert_eq!(run(&home, script), expected, "{script:?}");
    }
}

#[test]
fn goals_hold_at_the_end() {
    let home = home();
    let goals: Goals = serde_json::from_str(
        r#"{"actions": ["GRAB|TOUCH", "PUTBACK"],
            "goal": [{"id": 10, "class_name": "fridge", "state": "OPEN"},
                     {"from_id": 11, "relation_type": "ON", "to_id": 15}]}"#,
    )
    .unwrap();
    let goal = goals.condition(&home).unwrap();
    assert_eq!(goals.action_goals(), [vec!["GRAB", "TOUCH"], vec!["PUTBACK"]]);
    let mut state = home.scene.start();
    for line in [
        "[WALK] <fridge> (1.10)",
        "[OPEN] <fridge> (1.10)",
        "[GRAB] <milk> (1.11)",
        "[WALK] <table> (1.15)",
        "[PUTBACK] <milk> (1.11) <table> (1.15)",
    ] {
        assert!(!state.satisfies(&goal, &[]));
        let action = home.ground(&parse_script_line(line).unwrap()).unwrap();
        state = state.step(&action).unwrap();
    }
    assert!(state.satisfies(&goal, &[]));
    let ghost: Goals =
        serde_json::from_str(r#"{"actions": [], "goal": [{"id": 99, "state": "OPEN"}]}"#).unwrap();
    assert!(ghost.condition(&home).is_err());
    let nothing: Goals = serde_json::from_str(r#"{"actions": [], "goal": []}"#).unwrap();
    assert!(
        home.scene
            .start()
            .satisfies(&nothing.condition(&home).unwrap(), &[])
    );
}

#[test]
fn answers_keep_their_order_and_their_repetitions() {
    let ids = BTreeMap::from([("cup".to_owned(), 13), ("table".to_owned(), 15)]);
    let parameters = |name: &str| match name {
        "WALK" | "GRAB" => Some(1),
        "PUTBACK" => Some(2),
        _ => None,
    };
    let read = |text: &str| parse_answer(text, &ids, parameters);
    let steps =
        read("```json\n{'WALK': ['cup'], 'GRAB': ['cup'],\n 'WALK': ['table'], 'PUTBACK': ['cup', 'table']}")
            .unwrap();
    let names: Vec<_> = steps
        .iter()
        .map(|step| step.as_ref().unwrap().action.clone())
        .collect();
    assert_eq!(names, ["WALK", "GRAB", "WALK", "PUTBACK"]);
    for (text, flaw) in [
        (r#"{"FLY": ["cup"]}"#, Flaw::UnknownAction),
        (r#"{"WALK": ["cup", "table"]}"#, Flaw::Arguments),
        (r#"{"WALK": [["cup"]]}"#, Flaw::Arguments),
        (r#"{"WALK": "cup"}"#, Flaw::Arguments),
        (r#"{"WALK": ["ghost"]}"#, Flaw::UnknownObject),
    ] {
        assert_eq!(read(text).unwrap(), [Err(flaw)], "{text}");
    }
    for text in [
        "",
        "I would first walk to the cup.",
        "[1, 2]",
        "{\"WALK\": [\"cup\"]",
        "{\"WALK\": [\"cup\"]} done",
    ] {
        assert!(read(text).is_none(), "{text}");
    }
    assert!(parse_script_line("WALK cup").is_err());
    assert!(parse_script_line("[WALK] <cup> (1.x)").is_err());
}

#[test]
fn graphs_that_make_no_sense_are_refused() {
    let domain = domain().unwrap();
    let read = |text: &str| serde_json::from_str::<Graph>(text).unwrap().home(&domain);
    assert!(
        read(r#"{"nodes": [], "edges": []}"#)
            .unwrap_err()
            .to_string()
            .contains("nobody acts")
    );
    let dangling = r#"{"nodes": [{"id": 1, "class_name": "character", "category": null, "properties": [], "states": []}],
        "edges": [{"from_id": 1, "relation_type": "ON", "to_id": 7}]}"#;
    assert!(read(dangling).unwrap_err().to_string().contains("is no node"));
    let unknown = r#"{"nodes": [{"id": 1, "class_name": "character", "category": null, "properties": ["MAGIC"], "states": []}], "edges": []}"#;
    assert!(read(unknown).is_err());
}
