//! Formulas as text: every notation that can be parsed, and LaTeX.

use crate::Error;
use crate::formula::{Arena, Formula, Node, Prop};
use crate::name;
use crate::parse::{is_reserved, is_reserved_in_prefix};

/// How a formula is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notation {
    /// `G (on(mug, desk) -> X a)`, strong next `X`, weak next `N`: what [`Arena::parse`] reads.
    #[default]
    Infix,
    /// Spot's syntax: strong next `X[!]`, weak next `X`, names quoted unless they are plain for Spot.
    Spot,
    /// Spin's spellings: `[] <> && || ! -> <->`, next as in [`Notation::Infix`].
    Spin,
    /// Lang2LTL's prefix notation: `G i a X b`.
    Prefix,
    /// LaTeX for math mode.
    Latex,
}

/// Largest text, in operators and operands: shared parts are written out each time.
const LARGEST_TEXT: u64 = 1 << 20;

enum Piece {
    Text(&'static str),
    Name(Prop),
    Formula(Formula, Place),
}

/// Where a formula stands, which decides on its parentheses.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Top,
    Unary,
    /// Left operand of a conjunction (true) or disjunction (false): a chain needs no parentheses.
    Chain(bool),
    Binary,
}

struct Words {
    constant: [&'static str; 2],
    /// Not, strong next, weak next, finally, globally.
    unary: [&'static str; 5],
    /// And, or, implies, iff, xor, until, weak until, release, strong release.
    binary: [&'static str; 9],
}

const INFIX: Words = Words {
    constant: ["false", "true"],
    unary: ["!", "X ", "N ", "F ", "G "],
    binary: [" & ", " | ", " -> ", " <-> ", " xor ", " U ", " W ", " R ", " M "],
};
const SPOT: Words = Words {
    constant: ["0", "1"],
    unary: ["!", "X[!] ", "X ", "F ", "G "],
    binary: [" & ", " | ", " -> ", " <-> ", " xor ", " U ", " W ", " R ", " M "],
};
const SPIN: Words = Words {
    constant: ["false", "true"],
    unary: ["!", "X ", "N ", "<> ", "[] "],
    binary: [
        " && ", " || ", " -> ", " <-> ", " xor ", " U ", " W ", " V ", " M ",
    ],
};
const PREFIX: Words = Words {
    constant: ["f", "t"],
    unary: ["! ", "X ", "N ", "F ", "G "],
    binary: ["& ", "| ", "i ", "e ", "^ ", "U ", "W ", "R ", "M "],
};
const LATEX: Words = Words {
    constant: ["\\bot", "\\top"],
    unary: [
        "\\neg ",
        "\\mathsf{X}\\, ",
        "\\mathsf{N}\\, ",
        "\\mathsf{F}\\, ",
        "\\mathsf{G}\\, ",
    ],
    binary: [
        " \\land ",
        " \\lor ",
        " \\to ",
        " \\leftrightarrow ",
        " \\oplus ",
        " \\mathbin{\\mathsf{U}} ",
        " \\mathbin{\\mathsf{W}} ",
        " \\mathbin{\\mathsf{R}} ",
        " \\mathbin{\\mathsf{M}} ",
    ],
};

impl Notation {
    fn words(self) -> &'static Words {
        match self {
            Notation::Infix => &INFIX,
            Notation::Spot => &SPOT,
            Notation::Spin => &SPIN,
            Notation::Prefix => &PREFIX,
            Notation::Latex => &LATEX,
        }
    }
}

impl Arena {
    /// The formula as text. Parsing the text in the same notation gives the same formula back (for
    /// [`Notation::Spot`] with [`NextReading::Weak`](crate::NextReading::Weak); LaTeX is not parsed).
    pub fn print(&self, formula: Formula, notation: Notation) -> Result<String, Error> {
        if self.tree_size(formula) > LARGEST_TEXT {
            return Err(Error::TooLarge {
                what: "the text of a formula",
                limit: LARGEST_TEXT as usize,
                unit: "operators",
                hint: "print its parts",
            });
        }
        let words = notation.words();
        let mut text = String::new();
        let mut stack = vec![Piece::Formula(formula, Place::Top)];
        while let Some(piece) = stack.pop() {
            match piece {
                Piece::Text(part) => text.push_str(part),
                Piece::Name(prop) => push_name(&mut text, self.name(prop), notation),
                Piece::Formula(sub, place) => self.open(sub, place, notation, words, &mut stack),
            }
        }
        Ok(text.trim_end().to_string())
    }

    /// The formula in infix notation, or a placeholder with its size where the text would be enormous.
    pub fn text(&self, formula: Formula) -> String {
        self.print(formula, Notation::Infix).unwrap_or_else(|_| {
            format!(
                "(a formula of {} operators, too long to print)",
                self.tree_size(formula)
            )
        })
    }

    /// A name as the infix parser reads it, quoted where it must be.
    pub fn quoted_name(&self, prop: Prop) -> String {
        let mut text = String::new();
        push_name(&mut text, self.name(prop), Notation::Infix);
        text
    }

    fn open(&self, sub: Formula, place: Place, notation: Notation, words: &Words, stack: &mut Vec<Piece>) {
        let prefix = notation == Notation::Prefix;
        let unary =
            |word: usize, a: Formula| vec![Piece::Text(words.unary[word]), Piece::Formula(a, Place::Unary)];
        let binary = |word: usize, a: Formula, b: Formula| {
            let text = Piece::Text(words.binary[word]);
            if prefix {
                return vec![text, Piece::Formula(a, Place::Top), Piece::Formula(b, Place::Top)];
            }
            let left = match word {
                0 => Place::Chain(true),
                1 => Place::Chain(false),
                _ => Place::Binary,
            };
            let mut pieces = vec![Piece::Formula(a, left), text, Piece::Formula(b, Place::Binary)];
            let in_chain = matches!(place, Place::Chain(_)) && place == left;
            if place != Place::Top && !in_chain {
                pieces.insert(0, Piece::Text("("));
                pieces.push(Piece::Text(")"));
            }
            pieces
        };
        let pieces = match self.node(sub) {
            Node::False => vec![Piece::Text(words.constant[0])],
            Node::True => vec![Piece::Text(words.constant[1])],
            Node::Prop(prop) => vec![Piece::Name(prop)],
            Node::Not(a) => unary(0, a),
            Node::Next(a) => unary(1, a),
            Node::WeakNext(a) => unary(2, a),
            Node::Finally(a) => unary(3, a),
            Node::Globally(a) => unary(4, a),
            Node::And(a, b) => binary(0, a, b),
            Node::Or(a, b) => binary(1, a, b),
            Node::Implies(a, b) => binary(2, a, b),
            Node::Iff(a, b) => binary(3, a, b),
            Node::Xor(a, b) => binary(4, a, b),
            Node::Until(a, b) => binary(5, a, b),
            Node::WeakUntil(a, b) => binary(6, a, b),
            Node::Release(a, b) => binary(7, a, b),
            Node::StrongRelease(a, b) => binary(8, a, b),
        };
        if prefix && !matches!(self.node(sub), Node::Prop(_)) && pieces.len() == 1 {
            stack.push(Piece::Text(" "));
        }
        stack.extend(pieces.into_iter().rev());
    }
}

fn push_name(text: &mut String, name: &str, notation: Notation) {
    let plain = match notation {
        Notation::Infix | Notation::Spin => {
            (name::is_identifier(name) && !is_reserved(name))
                || name::predicate_parts(name).is_some_and(|(head, _)| !is_reserved(head))
        }
        Notation::Spot => {
            name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !is_reserved(name)
        }
        Notation::Prefix => !is_reserved_in_prefix(name),
        Notation::Latex => {
            push_latex_name(text, name);
            return;
        }
    };
    if plain {
        text.push_str(name);
    } else {
        text.push('"');
        for c in name.chars() {
            if matches!(c, '"' | '\\') {
                text.push('\\');
            }
            text.push(c);
        }
        text.push('"');
    }
    if notation == Notation::Prefix {
        text.push(' ');
    }
}

fn push_latex_name(text: &mut String, name: &str) {
    text.push_str("\\mathit{");
    for c in name.chars() {
        match c {
            '_' | '%' | '$' | '#' | '&' | '{' | '}' => {
                text.push('\\');
                text.push(c);
            }
            '\\' => text.push_str("\\backslash "),
            '^' => text.push_str("\\hat{}"),
            '~' => text.push_str("\\sim "),
            ' ' => text.push_str("\\ "),
            c => text.push(c),
        }
    }
    text.push('}');
}
