//! The exported grammars accept exactly the automaton's words, as an independent decoder sees them.
#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod common;

use std::collections::HashMap;

use common::{Random, letters};
use llguidance::api::TopLevelGrammar;
use llguidance::toktrie::{ApproximateTokEnv, TokEnv};
use llguidance::{Matcher, ParserFactory};
use steward_ltl::{Arena, Dfa, Grammar, GrammarOptions, Step, Table};

const AUTOMATA: usize = 200;
const LONGEST: usize = 8;

struct Instance {
    table: Table,
    actions: Vec<String>,
    grammar: Grammar,
    text: String,
}

/// Random automata over two or three actions whose language within the budget is not empty.
fn instances() -> Vec<Instance> {
    let mut random = Random(200);
    let mut found = Vec::new();
    while found.len() < AUTOMATA {
        let mut arena = Arena::new();
        let count = if found.len() % 40 == 0 { 3 } else { 2 };
        let props = letters(&mut arena, count);
        let size = 3 + random.below(12);
        let formula = random.formula(&mut arena, &props, size);
        let dfa = Dfa::of(&mut arena, formula).unwrap();
        let steps: Vec<Step> = props.iter().map(|prop| Step::of([*prop])).collect();
        let table = Table::of_dfa(&dfa, &steps).unwrap();
        // One action is a prefix of another, and one needs escapes.
        let actions: Vec<String> = ["go", "go \"on\" \\ up", "take(mug, desk)"]
            .iter()
            .take(count)
            .map(|a| a.to_string())
            .collect();
        let options = GrammarOptions {
            max_steps: LONGEST,
            nonempty: false,
            ..GrammarOptions::default()
        };
        if let Ok(grammar) = Grammar::new(&table, &actions, &options) {
            found.push(Instance {
                table,
                actions,
                grammar,
                text: arena.text(formula),
            });
        }
    }
    found
}

fn matcher(factory: &ParserFactory, lark: &str) -> Matcher {
    let parser = factory.create_parser(TopLevelGrammar::from_lark(lark.to_string()));
    let mut matcher = Matcher::new(parser);
    assert!(!matcher.is_error(), "{:?}\n{lark}", matcher.get_error());
    assert!(matcher.compute_mask_or_eos().is_ok());
    matcher
}

fn factory(env: &TokEnv) -> ParserFactory {
    let mut factory = ParserFactory::new_simple(env).unwrap();
    factory.quiet();
    factory
}

/// Whether the decoder takes a word and may stop after it.
fn decoder_accepts(matcher: &mut Matcher, env: &TokEnv, text: &str) -> bool {
    let tokens = env.tokenize(text);
    let taken = matcher.try_consume_tokens(&tokens).unwrap();
    let accepted = taken == tokens.len() && matcher.is_accepting().unwrap();
    matcher.rollback(taken).unwrap();
    accepted
}

#[test]
fn a_decoder_accepts_exactly_the_words_of_the_automaton() {
    let env = ApproximateTokEnv::single_byte_env();
    let factory = factory(&env);
    let mut accepted = 0;
    for Instance {
        table,
        actions,
        grammar,
        text,
    } in instances()
    {
        let mut matcher = matcher(&factory, &grammar.lark());
        // All words, by length; one longer than the budget is never accepted.
        let mut words: Vec<Vec<usize>> = vec![Vec::new()];
        let mut at = 0;
        while at < words.len() {
            let word = words[at].clone();
            at += 1;
            let plan: String = word
                .iter()
                .map(|action| format!("{}\n", actions[*action]))
                .collect();
            let truth = table.accepts(&word) && word.len() <= LONGEST;
            accepted += usize::from(truth);
            assert_eq!(
                decoder_accepts(&mut matcher, &env, &plan),
                truth,
                "{text}: {plan:?}"
            );
            if word.len() < LONGEST || (word.len() == LONGEST && at % 97 == 0) {
                for action in 0..actions.len() {
                    let mut longer = word.clone();
                    longer.push(action);
                    words.push(longer);
                }
            }
        }
    }
    assert!(
        accepted > 10_000,
        "only {accepted} words were accepted: the automata are too poor a test"
    );
}

#[test]
fn every_random_walk_along_the_masks_ends_in_an_accepted_plan() {
    let env = ApproximateTokEnv::single_byte_env();
    let factory = factory(&env);
    let mut random = Random(7);
    for Instance {
        table,
        actions,
        grammar,
        text,
    } in instances()
    {
        for _ in 0..3 {
            let mut matcher = matcher(&factory, &grammar.lark());
            let mut plan = Vec::new();
            loop {
                let accepting = matcher.is_accepting().unwrap();
                if matcher.is_stopped() || (accepting && random.below(8) == 0) {
                    break;
                }
                let mask = matcher.compute_mask().unwrap();
                let eos = env.tok_trie().eos_token();
                let mut allowed = Vec::new();
                mask.iter_set_entries(|token| allowed.push(token as u32));
                allowed.retain(|token| *token != eos);
                let Some(token) = (!allowed.is_empty()).then(|| allowed[random.below(allowed.len())]) else {
                    assert!(accepting, "{text}: the walk is stuck after {plan:?}");
                    break;
                };
                plan.extend_from_slice(env.tok_trie().token(token));
                matcher.consume_token(token).unwrap();
            }
            let plan = String::from_utf8(plan).unwrap();
            let word: Vec<usize> = plan
                .lines()
                .map(|line| actions.iter().position(|action| action == line).unwrap())
                .collect();
            assert!(
                word.len() <= LONGEST && table.accepts(&word),
                "{text}: the walk ended in {plan:?}"
            );
        }
    }
}

/// Reads GBNF as far as the export uses it: alternatives of one string and one name, or the empty string.
fn gbnf(text: &str) -> HashMap<String, Vec<(String, Option<String>)>> {
    text.lines()
        .map(|line| {
            let (name, body) = line.split_once(" ::= ").unwrap();
            let alternatives = body
                .split(" | ")
                .map(|alternative| match alternative.strip_prefix('"') {
                    None => (String::new(), Some(alternative.to_string())),
                    Some(_) => {
                        let end = alternative.rfind('"').unwrap();
                        let string: String = serde_json::from_str(&alternative[..=end]).unwrap();
                        let rest = alternative[end + 1..].trim();
                        (string, (!rest.is_empty()).then(|| rest.to_string()))
                    }
                })
                .collect();
            (name.to_string(), alternatives)
        })
        .collect()
}

fn gbnf_accepts(rules: &HashMap<String, Vec<(String, Option<String>)>>, name: &str, text: &str) -> bool {
    rules[name].iter().any(|(string, next)| {
        text.strip_prefix(string.as_str()).is_some_and(|rest| match next {
            None => rest.is_empty(),
            Some(next) => gbnf_accepts(rules, next, rest),
        })
    })
}

#[test]
fn gbnf_has_the_same_words() {
    for Instance {
        table,
        actions,
        grammar,
        text,
    } in instances()
    {
        let rules = gbnf(&grammar.gbnf());
        let mut random = Random(11);
        for _ in 0..200 {
            let length = random.below(LONGEST + 2);
            let word: Vec<usize> = (0..length).map(|_| random.below(actions.len())).collect();
            let plan: String = word
                .iter()
                .map(|action| format!("{}\n", actions[*action]))
                .collect();
            let truth = table.accepts(&word) && word.len() <= LONGEST;
            assert_eq!(gbnf_accepts(&rules, "root", &plan), truth, "{text}: {plan:?}");
        }
    }
}

#[test]
fn rules_that_only_forbid_do_not_offer_the_empty_plan_by_default() {
    let mut arena = Arena::new();
    let rule = arena.parse("G !b").unwrap();
    let dfa = Dfa::of(&mut arena, rule).unwrap();
    let props = letters(&mut arena, 2);
    let steps: Vec<Step> = props.iter().map(|prop| Step::of([*prop])).collect();
    let table = Table::of_dfa(&dfa, &steps).unwrap();
    let grammar = Grammar::new(
        &table,
        &["a", "b"],
        &GrammarOptions {
            max_steps: 2,
            ..Default::default()
        },
    );
    let rules = gbnf(&grammar.unwrap().gbnf());
    assert!(!gbnf_accepts(&rules, "root", "") && gbnf_accepts(&rules, "root", "a\n"));
    assert!(!gbnf_accepts(&rules, "root", "b\n") && !gbnf_accepts(&rules, "root", "a\na\na\n"));
}
