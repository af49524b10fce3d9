//! Parsers for the infix and the prefix syntaxes in use, both with explicit stacks.

use crate::error::ParseError;
use crate::formula::{Arena, Formula, Node};
use crate::lexer::{Lexer, Spanned, Token};
use crate::{Error, name};

/// What a plain `X` means. On infinite traces the two are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NextReading {
    /// There is a next step and it satisfies the operand: the reading of the LTLf literature, of BLACK and
    /// of ltlf2dfa.
    #[default]
    Strong,
    /// If there is a next step it satisfies the operand: the reading of Spot, which writes the strong one
    /// `X[!]`.
    Weak,
}

/// Which notation a text is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Syntax {
    /// Infix if it parses so, otherwise prefix; an error speaks of the infix reading unless the text starts
    /// with a binary operator.
    #[default]
    Auto,
    /// `G (a -> F b)`
    Infix,
    /// `G i a F b`
    Prefix,
}

/// Binary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binary {
    Iff,
    Implies,
    Or,
    Xor,
    And,
    Until,
    WeakUntil,
    Release,
    StrongRelease,
}

/// Unary operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unary {
    Not,
    Next,
    WeakNext,
    Finally,
    Globally,
}

impl Binary {
    /// How tightly the operator binds.
    fn strength(self) -> u8 {
        match self {
            Binary::Iff | Binary::Implies => 1,
            Binary::Or => 2,
            Binary::Xor => 3,
            Binary::And => 4,
            Binary::Until | Binary::WeakUntil | Binary::Release | Binary::StrongRelease => 5,
        }
    }

    fn is_right_associative(self) -> bool {
        matches!(self.strength(), 1 | 5)
    }

    fn node(self, a: Formula, b: Formula) -> Node {
        match self {
            Binary::Iff => Node::Iff(a, b),
            Binary::Implies => Node::Implies(a, b),
            Binary::Or => Node::Or(a, b),
            Binary::Xor => Node::Xor(a, b),
            Binary::And => Node::And(a, b),
            Binary::Until => Node::Until(a, b),
            Binary::WeakUntil => Node::WeakUntil(a, b),
            Binary::Release => Node::Release(a, b),
            Binary::StrongRelease => Node::StrongRelease(a, b),
        }
    }
}

impl Unary {
    fn node(self, a: Formula) -> Node {
        match self {
            Unary::Not => Node::Not(a),
            Unary::Next => Node::Next(a),
            Unary::WeakNext => Node::WeakNext(a),
            Unary::Finally => Node::Finally(a),
            Unary::Globally => Node::Globally(a),
        }
    }
}

/// Words that are operators or constants in the infix syntax, and so must be quoted as propositions.
const RESERVED: [&str; 19] = [
    "F", "G", "X", "N", "wX", "WX", "U", "W", "R", "V", "M", "xor", "true", "false", "True", "False", "TRUE",
    "FALSE", "XX",
];

/// Whether a word cannot be an unquoted proposition of the infix syntax.
pub(crate) fn is_reserved(word: &str) -> bool {
    RESERVED.contains(&word) || is_operator_run(word) || glued_operator(word)
}

/// `GF`, `FG`, `XXX`: only operators, as Spot reads them.
fn is_operator_run(word: &str) -> bool {
    word.len() > 1 && word.chars().all(|c| matches!(c, 'F' | 'G' | 'X'))
}

/// `GFa`, `Fp0`: Spot reads an operator in front of a short name, other tools read one name.
fn glued_operator(word: &str) -> bool {
    let rest = word.trim_start_matches(['F', 'G', 'X']);
    rest.len() < word.len()
        && rest.chars().next().is_some_and(|c| c.is_ascii_lowercase())
        && rest.chars().skip(1).all(|c| c.is_ascii_digit() || c == '_')
}

impl Arena {
    /// Parses the infix syntax, with the strong reading of `X`.
    ///
    /// Operators from weakest to strongest: `->` and `<->` (also `=>`, `<=>`; to the right, and never mixed
    /// without parentheses because tools disagree), `|` (`||`, `\/`), `xor` (`^`), `&` (`&&`, `/\`), `U W R M`
    /// (to the right; `V` is `R`), then `! ~ X X[!] N wX F <> G []`. Constants are `true false 1 0`.
    /// Propositions are identifiers, ground predicates `on(mug, desk)` and quoted strings.
    pub fn parse(&mut self, text: &str) -> Result<Formula, Error> {
        self.parse_as(text, Syntax::Infix, NextReading::Strong)
    }

    /// Parses prefix notation, as in Lang2LTL and LBT: `& | i e ^ U W R M ! X N F G t f`, with `->`, `<->`
    /// and the other infix spellings accepted for the same operators.
    pub fn parse_prefix(&mut self, text: &str) -> Result<Formula, Error> {
        self.parse_as(text, Syntax::Prefix, NextReading::Strong)
    }

    /// Parses a text in the given syntax with the given meaning of a plain `X`.
    ///
    /// After an error the arena is as it was before.
    pub fn parse_as(&mut self, text: &str, syntax: Syntax, next: NextReading) -> Result<Formula, Error> {
        let limit = self.limits().max_text_bytes;
        if text.len() > limit {
            return Err(Error::TooLarge {
                what: "the text of a formula",
                limit,
                unit: "bytes",
                hint: "split it into several rules, or raise Limits::max_text_bytes",
            });
        }
        let mark = self.mark();
        let result = match syntax {
            Syntax::Infix => self.infix(text, next),
            Syntax::Prefix => self.prefix(text, next),
            Syntax::Auto => self.infix(text, next).or_else(|infix_error| {
                self.roll_back(mark);
                self.prefix(text, next)
                    .map_err(|error| if starts_prefix(text) { error } else { infix_error })
            }),
        };
        if result.is_err() {
            self.roll_back(mark);
        }
        result.and_then(|formula| {
            if self.len() > self.limits().max_nodes {
                self.roll_back(mark);
                return Err(Error::TooLarge {
                    what: "an arena of formulas",
                    limit: self.limits().max_nodes,
                    unit: "formulas",
                    hint: "use a fresh arena, or raise Limits::max_nodes",
                });
            }
            Ok(formula)
        })
    }

    fn infix(&mut self, text: &str, next: NextReading) -> Result<Formula, Error> {
        Infix {
            arena: self,
            text,
            lexer: Lexer::new(text),
            next,
            pending: Vec::new(),
            operands: Vec::new(),
        }
        .run()
    }

    fn prefix(&mut self, text: &str, next: NextReading) -> Result<Formula, Error> {
        let mut lexer = Lexer::new(text);
        // Operators that wait for operands, with the first operand of a binary one once it is there.
        let mut pending: Vec<(Pending, Option<Formula>)> = Vec::new();
        loop {
            let token = lexer.next()?;
            let formula = match prefix_word(&token, next) {
                Some(PrefixWord::Operator(operator)) => {
                    pending.push((operator, None));
                    depth_check(self, text, token.start, pending.len())?;
                    continue;
                }
                Some(PrefixWord::Constant(formula)) => formula,
                None => self.operand(text, &mut lexer, &token).map_err(|error| {
                    error.unwrap_or_else(|| expected_operand(text, &token, last_operator(&pending)))
                })?,
            };
            let Some(whole) = self.fill(&mut pending, formula) else {
                continue;
            };
            let rest = lexer.next()?;
            if rest.token == Token::End {
                return Ok(whole);
            }
            return Err(ParseError::at(
                text,
                rest.start,
                format!(
                    "the formula is complete, but {} follows: expected the end; put a binary operator in \
                     front of the two formulas to join them",
                    rest.shown(text)
                ),
            )
            .into());
        }
    }

    /// Gives an operand to the innermost operator that waits for one; the whole formula once none waits.
    fn fill(
        &mut self,
        pending: &mut Vec<(Pending, Option<Formula>)>,
        mut formula: Formula,
    ) -> Option<Formula> {
        while let Some((operator, first)) = pending.pop() {
            formula = match (operator, first) {
                (Pending::Unary(unary), _) => self.add(unary.node(formula)),
                (Pending::Binary(binary), Some(first)) => self.add(binary.node(first, formula)),
                (Pending::Binary(_), None) => {
                    pending.push((operator, Some(formula)));
                    return None;
                }
            };
        }
        Some(formula)
    }

    /// A constant or a proposition. `Err(None)` means that the token is neither.
    fn operand(
        &mut self,
        text: &str,
        lexer: &mut Lexer<'_>,
        token: &Spanned,
    ) -> Result<Formula, Option<Error>> {
        match &token.token {
            Token::False => Ok(Arena::FALSE),
            Token::True => Ok(Arena::TRUE),
            Token::Prop(name) => {
                let prop = self.intern(name.clone());
                Ok(self.atom(prop))
            }
            Token::Word(word) => {
                if glued_operator(word) {
                    let split = word.len() - word.trim_start_matches(['F', 'G', 'X']).len();
                    return Err(Some(
                        ParseError::at(
                            text,
                            token.start,
                            format!(
                                "`{word}` could be one proposition or the operators `{}` before `{}`: put a \
                                 space between them, or quotes around the name",
                                &word[..split],
                                &word[split..]
                            ),
                        )
                        .into(),
                    ));
                }
                let arguments = lexer
                    .arguments(word, token.start)
                    .map_err(|error| Some(error.into()))?;
                let prop = self.intern(arguments.unwrap_or_else(|| word.clone()));
                Ok(self.atom(prop))
            }
            _ => Err(None),
        }
    }
}

/// Whether a text can only be meant as prefix notation.
fn starts_prefix(text: &str) -> bool {
    Lexer::new(text).next().is_ok_and(|token| {
        matches!(
            prefix_word(&token, NextReading::Strong),
            Some(PrefixWord::Operator(Pending::Binary(_)))
        )
    })
}

fn depth_check(arena: &Arena, text: &str, offset: usize, depth: usize) -> Result<(), ParseError> {
    let limit = arena.limits().max_depth;
    if depth <= limit {
        return Ok(());
    }
    Err(ParseError::at(
        text,
        offset,
        format!("nested deeper than {limit} levels: split the formula, or raise Limits::max_depth"),
    ))
}

fn expected_operand(text: &str, token: &Spanned, after: Option<String>) -> Error {
    let place = after.map_or(String::new(), |operator| format!(" after `{operator}`"));
    ParseError::at(
        text,
        token.start,
        format!(
            "expected a formula{place} (a proposition, a constant, `!`, a temporal operator or `(`), found {}",
            token.shown(text)
        ),
    )
    .into()
}

/// An operator that waits for operands.
#[derive(Debug, Clone, Copy)]
enum Pending {
    Unary(Unary),
    Binary(Binary),
}

enum PrefixWord {
    Operator(Pending),
    Constant(Formula),
}

fn last_operator(pending: &[(Pending, Option<Formula>)]) -> Option<String> {
    pending.last().map(|(operator, _)| match operator {
        Pending::Unary(unary) => unary_text(*unary).to_string(),
        Pending::Binary(binary) => binary_text(*binary).to_string(),
    })
}

fn unary_text(unary: Unary) -> &'static str {
    match unary {
        Unary::Not => "!",
        Unary::Next => "X",
        Unary::WeakNext => "N",
        Unary::Finally => "F",
        Unary::Globally => "G",
    }
}

fn binary_text(binary: Binary) -> &'static str {
    match binary {
        Binary::Iff => "<->",
        Binary::Implies => "->",
        Binary::Or => "|",
        Binary::Xor => "xor",
        Binary::And => "&",
        Binary::Until => "U",
        Binary::WeakUntil => "W",
        Binary::Release => "R",
        Binary::StrongRelease => "M",
    }
}

fn unary_word(word: &str, next: NextReading) -> Option<Unary> {
    Some(match word {
        "F" => Unary::Finally,
        "G" => Unary::Globally,
        "N" | "wX" | "WX" => Unary::WeakNext,
        "X" if next == NextReading::Weak => Unary::WeakNext,
        "X" => Unary::Next,
        _ => return None,
    })
}

fn binary_word(word: &str) -> Option<Binary> {
    Some(match word {
        "U" => Binary::Until,
        "W" => Binary::WeakUntil,
        "R" | "V" => Binary::Release,
        "M" => Binary::StrongRelease,
        _ => return None,
    })
}

fn constant_word(word: &str) -> Option<Formula> {
    match word {
        "true" | "True" | "TRUE" => Some(Arena::TRUE),
        "false" | "False" | "FALSE" => Some(Arena::FALSE),
        _ => None,
    }
}

fn unary_token(token: &Token, next: NextReading) -> Option<Unary> {
    match token {
        Token::Not => Some(Unary::Not),
        Token::StrongNext => Some(Unary::Next),
        Token::Globally => Some(Unary::Globally),
        Token::Finally => Some(Unary::Finally),
        Token::Word(word) => unary_word(word, next),
        _ => None,
    }
}

fn binary_token(token: &Token) -> Option<Binary> {
    match token {
        Token::And => Some(Binary::And),
        Token::Or => Some(Binary::Or),
        Token::Xor => Some(Binary::Xor),
        Token::Implies => Some(Binary::Implies),
        Token::Iff => Some(Binary::Iff),
        Token::Word(word) => binary_word(word),
        _ => None,
    }
}

fn prefix_word(token: &Spanned, next: NextReading) -> Option<PrefixWord> {
    if let Some(unary) = unary_token(&token.token, next) {
        return Some(PrefixWord::Operator(Pending::Unary(unary)));
    }
    if let Some(binary) = binary_token(&token.token) {
        return Some(PrefixWord::Operator(Pending::Binary(binary)));
    }
    let Token::Word(word) = &token.token else {
        return None;
    };
    match word.as_str() {
        "i" => Some(PrefixWord::Operator(Pending::Binary(Binary::Implies))),
        "e" => Some(PrefixWord::Operator(Pending::Binary(Binary::Iff))),
        "t" => Some(PrefixWord::Constant(Arena::TRUE)),
        "f" => Some(PrefixWord::Constant(Arena::FALSE)),
        _ => constant_word(word).map(PrefixWord::Constant),
    }
}

/// Whether a word cannot be an unquoted proposition of the prefix syntax.
pub(crate) fn is_reserved_in_prefix(word: &str) -> bool {
    matches!(word, "i" | "e" | "t" | "f") || is_reserved(word) || !name::is_identifier(word)
}

/// What waits on the infix parser's stack.
#[derive(Debug, Clone, Copy)]
enum Waiting {
    Open { offset: usize },
    Unary(Unary),
    Binary(Binary),
}

struct Infix<'a> {
    arena: &'a mut Arena,
    text: &'a str,
    lexer: Lexer<'a>,
    next: NextReading,
    pending: Vec<Waiting>,
    operands: Vec<Formula>,
}

impl Infix<'_> {
    fn run(mut self) -> Result<Formula, Error> {
        loop {
            self.read_operand()?;
            if let Some(whole) = self.read_operators()? {
                return Ok(whole);
            }
        }
    }

    /// Reads unary operators and parentheses up to and including one operand.
    fn read_operand(&mut self) -> Result<(), Error> {
        loop {
            let token = self.lexer.next()?;
            if let Token::Word(word) = &token.token
                && is_operator_run(word)
            {
                for c in word.chars() {
                    self.pending
                        .extend(unary_word(c.encode_utf8(&mut [0; 4]), self.next).map(Waiting::Unary));
                }
            } else if let Some(unary) = unary_token(&token.token, self.next) {
                self.pending.push(Waiting::Unary(unary));
            } else if token.token == Token::Open {
                self.pending.push(Waiting::Open { offset: token.start });
            } else {
                let operand = self.plain_operand(&token)?;
                self.operands.push(operand);
                return Ok(());
            }
            depth_check(self.arena, self.text, token.start, self.pending.len())?;
        }
    }

    fn plain_operand(&mut self, token: &Spanned) -> Result<Formula, Error> {
        if let Token::Word(word) = &token.token
            && let Some(constant) = constant_word(word)
        {
            return Ok(constant);
        }
        let after = match self.pending.last() {
            Some(Waiting::Unary(unary)) => Some(unary_text(*unary).to_string()),
            Some(Waiting::Binary(binary)) => Some(binary_text(*binary).to_string()),
            Some(Waiting::Open { .. }) => Some("(".to_string()),
            None => None,
        };
        if binary_token(&token.token).is_some() {
            return Err(expected_operand(self.text, token, after));
        }
        self.arena
            .operand(self.text, &mut self.lexer, token)
            .map_err(|error| error.unwrap_or_else(|| expected_operand(self.text, token, after)))
    }

    /// Reads closing parentheses up to and including one binary operator; the whole formula at the end.
    fn read_operators(&mut self) -> Result<Option<Formula>, Error> {
        loop {
            let token = self.lexer.next()?;
            match &token.token {
                Token::End => return self.finish(&token).map(Some),
                Token::Close => self.close(&token)?,
                other => {
                    let Some(binary) = binary_token(other) else {
                        return Err(ParseError::at(
                            self.text,
                            token.start,
                            format!(
                                "expected a binary operator (`& | xor -> <-> U W R M`), `)` or the end, \
                                 found {}",
                                token.shown(self.text)
                            ),
                        )
                        .into());
                    };
                    self.reduce_before(binary, &token)?;
                    self.pending.push(Waiting::Binary(binary));
                    depth_check(self.arena, self.text, token.start, self.pending.len())?;
                    return Ok(None);
                }
            }
        }
    }

    /// Applies the operator on top of the stack; false at a parenthesis or the bottom.
    fn reduce(&mut self) -> bool {
        let node = match self.pending.last() {
            None | Some(Waiting::Open { .. }) => return false,
            Some(Waiting::Unary(unary)) => self.operands.pop().map(|a| unary.node(a)),
            Some(Waiting::Binary(binary)) => {
                let right = self.operands.pop();
                let left = self.operands.pop();
                left.zip(right).map(|(a, b)| binary.node(a, b))
            }
        };
        self.pending.pop();
        if let Some(node) = node {
            let formula = self.arena.add(node);
            self.operands.push(formula);
        }
        true
    }

    /// Applies what binds tighter than the operator that was just read.
    fn reduce_before(&mut self, binary: Binary, token: &Spanned) -> Result<(), Error> {
        loop {
            match self.pending.last() {
                Some(Waiting::Unary(_)) => {}
                Some(Waiting::Binary(before)) if before.strength() > binary.strength() => {}
                Some(Waiting::Binary(before)) if before.strength() == binary.strength() => {
                    if binary.strength() == 1 && *before != binary {
                        return Err(ParseError::at(
                            self.text,
                            token.start,
                            "`->` and `<->` are mixed, and tools disagree on which binds tighter: put \
                             parentheses around one of them",
                        )
                        .into());
                    }
                    if binary.is_right_associative() {
                        return Ok(());
                    }
                }
                _ => return Ok(()),
            }
            self.reduce();
        }
    }

    fn close(&mut self, token: &Spanned) -> Result<(), Error> {
        while self.reduce() {}
        if self.pending.pop().is_none() {
            return Err(ParseError::at(
                self.text,
                token.start,
                "this `)` closes nothing: expected a binary operator or the end",
            )
            .into());
        }
        Ok(())
    }

    fn finish(&mut self, token: &Spanned) -> Result<Formula, Error> {
        while self.reduce() {}
        if let Some(Waiting::Open { offset }) = self.pending.last() {
            return Err(ParseError::at(
                self.text,
                *offset,
                "this `(` is never closed: expected `)` before the end",
            )
            .into());
        }
        self.operands
            .pop()
            .ok_or_else(|| expected_operand(self.text, token, None))
    }
}
