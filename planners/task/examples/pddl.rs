//! Plans for a PDDL problem: `cargo run --release -p steward-task --example pddl -- DOMAIN PROBLEM…`.

use std::sync::Arc;
use std::time::Instant;

use steward_task::domain::Domain;
use steward_task::pddl::Problem;
use steward_task::plan::{Goal, Limits, plan};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut paths = std::env::args().skip(1);
    let domain = paths.next().ok_or("give a domain and problems")?;
    let domain = Arc::new(Domain::parse(&std::fs::read_to_string(domain)?)?);
    for path in paths {
        let problem = Problem::parse(Arc::clone(&domain), &std::fs::read_to_string(&path)?)?;
        let start = Instant::now();
        let found = plan(
            &problem.scene.start(),
            &Goal::reach(problem.goal),
            None,
            &Limits::default(),
        );
        let time_ms = start.elapsed().as_secs_f64() * 1e3;
        match found {
            Ok(found) => {
                println!(
                    "; {path}: cost {} in {time_ms:.1} ms, {} states",
                    found.cost, found.priced
                );
                for step in found.text(&problem.scene) {
                    println!("{step}");
                }
            }
            Err(error) => println!("; {path}: {error} ({time_ms:.1} ms)"),
        }
    }
    Ok(())
}
