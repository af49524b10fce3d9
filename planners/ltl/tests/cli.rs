//! The commands answer with the right exit code and write one JSON object last.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![cfg(feature = "cli")]

use clap::Parser;
use steward_ltl::cli::LtlCommand;

#[derive(Parser)]
struct Program {
    #[command(subcommand)]
    command: LtlCommand,
}

fn run(words: &[&str]) -> Result<String, String> {
    let program = Program::try_parse_from(std::iter::once(&"ltl").chain(words)).unwrap();
    program
        .command
        .run()
        .map(|code| format!("{code:?}"))
        .map_err(|error| error.to_string())
}

fn positive(words: &[&str]) -> bool {
    let success = format!("{:?}", std::process::ExitCode::SUCCESS);
    run(words).unwrap_or_else(|error| panic!("{words:?}: {error}")) == success
}

#[test]
fn commands_answer() {
    let map = format!(
        "{}/examples/home.json",
        std::env::var("CARGO_MANIFEST_DIR").unwrap()
    );
    let map = map.as_str();
    for (words, answer) in [
        (&["parse", "G i a F b"][..], true),
        (&["check", "a; b", "--rule", "task=F a & G (a -> X b)"], true),
        (
            &["check", "a", "--rule", "task=F a & G (a -> X b)", "--json"],
            false,
        ),
        (&["check", "a; cycle{b; a}", "--rule", "G F a"], true),
        (&["dfa", "F a & F b", "--format", "lark"], true),
        (&["dfa", "G F a", "--infinite"], true),
        (&["equiv", "F F a", "F a"], true),
        (&["equiv", "X a", "N a"], false),
        (&["equiv", "X a", "N a", "--infinite"], true),
        (&["equiv", "G !a", "G b", "--exactly-one", "a,b"], true),
        (&["sat", "F a & G !a"], false),
        (&["sat", "G F a & G F !a", "--infinite"], true),
        (&["explain", "G F a"], true),
        (
            &[
                "plan",
                map,
                "--rule",
                "fetch=F holding(mug)",
                "--rule",
                "safe=G !stairs",
            ],
            true,
        ),
        (
            &[
                "plan",
                map,
                "--rule",
                "G F kitchen",
                "--rule",
                "G F study",
                "--infinite",
            ],
            true,
        ),
        (&["plan", map, "--rule", "F cellar"], false),
    ] {
        assert_eq!(positive(words), answer, "{words:?}");
    }
    assert!(
        run(&["check", "a", "--rule", "F (a &"])
            .unwrap_err()
            .contains('^')
    );
    assert!(
        run(&["plan", map, "--rule", "G F kitchen"])
            .unwrap_err()
            .contains("repeating plan")
    );
}
