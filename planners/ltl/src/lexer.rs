//! Texts to tokens, shared by the infix and the prefix parser.

use crate::error::ParseError;
use crate::name;

/// One word of a formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    False,
    True,
    /// The one name of a proposition.
    Prop(String),
    /// An unquoted identifier; the parsers know which ones are operators.
    Word(String),
    Not,
    And,
    Or,
    Xor,
    Implies,
    Iff,
    /// `X[!]` or `X!`
    StrongNext,
    Globally,
    Finally,
    Open,
    Close,
    End,
}

/// A token with the bytes it covers.
#[derive(Debug, Clone)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Spanned {
    /// The token as the text has it, for error messages.
    pub(crate) fn shown(&self, text: &str) -> String {
        const LONGEST: usize = 30;
        if self.token == Token::End {
            return "the end".into();
        }
        let whole = &text[self.start..self.end];
        if whole.chars().count() > LONGEST {
            format!("`{}…`", whole.chars().take(LONGEST).collect::<String>())
        } else {
            format!("`{whole}`")
        }
    }
}

/// Reads tokens one at a time.
#[derive(Debug)]
pub(crate) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// Symbols, longest first.
const SYMBOLS: [(&str, Token); 28] = [
    ("<->", Token::Iff),
    ("<=>", Token::Iff),
    ("<-->", Token::Iff),
    ("-->", Token::Implies),
    ("&&", Token::And),
    ("||", Token::Or),
    ("->", Token::Implies),
    ("=>", Token::Implies),
    ("[]", Token::Globally),
    ("<>", Token::Finally),
    ("/\\", Token::And),
    ("\\/", Token::Or),
    ("&", Token::And),
    ("|", Token::Or),
    ("!", Token::Not),
    ("~", Token::Not),
    ("^", Token::Xor),
    ("(", Token::Open),
    (")", Token::Close),
    ("¬", Token::Not),
    ("∧", Token::And),
    ("∨", Token::Or),
    ("→", Token::Implies),
    ("↔", Token::Iff),
    ("⊕", Token::Xor),
    ("□", Token::Globally),
    ("◇", Token::Finally),
    ("○", Token::StrongNext),
];

impl<'a> Lexer<'a> {
    pub(crate) fn new(text: &'a str) -> Lexer<'a> {
        Lexer { text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn done(&self, token: Token, start: usize) -> Result<Spanned, ParseError> {
        Ok(Spanned {
            token,
            start,
            end: self.at,
        })
    }

    /// The next token, or what is wrong with the text there.
    pub(crate) fn next(&mut self) -> Result<Spanned, ParseError> {
        self.skip_space();
        let start = self.at;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return self.done(Token::End, start);
        };
        if name::starts_identifier(first) {
            return self.word(start);
        }
        if first == '"' {
            return self.quoted(start);
        }
        if first.is_ascii_digit() {
            return self.digits(start);
        }
        for (symbol, token) in SYMBOLS {
            if rest.starts_with(symbol) {
                self.at += symbol.len();
                return self.done(token, start);
            }
        }
        Err(ParseError::at(
            self.text,
            start,
            format!(
                "unknown character `{}`: expected a proposition, an operator or a parenthesis; quote names \
                 that contain it",
                first.escape_default()
            ),
        ))
    }

    fn word(&mut self, start: usize) -> Result<Spanned, ParseError> {
        let rest = self.rest();
        let length = rest
            .find(|c| !name::continues_identifier(c))
            .unwrap_or(rest.len());
        self.at += length;
        let word = &rest[..length];
        if word == "X" {
            return self.after_x(start);
        }
        if word == "xor" {
            return self.done(Token::Xor, start);
        }
        self.done(Token::Word(word.to_string()), start)
    }

    /// `X[!]`, `X! a`, or the plain `X`. `X!a` and `X!(a)` could mean two things and are refused.
    fn after_x(&mut self, start: usize) -> Result<Spanned, ParseError> {
        let rest = self.rest();
        if rest.starts_with("[!]") {
            self.at += 3;
            return self.done(Token::StrongNext, start);
        }
        if let Some(after) = rest.strip_prefix('!') {
            if after.starts_with(char::is_whitespace) {
                self.at += 1;
                return self.done(Token::StrongNext, start);
            }
            return Err(ParseError::at(
                self.text,
                start,
                "`X!` here could be the strong next or the next of a negation: write `X[!] a` or `X !a`",
            ));
        }
        self.done(Token::Word("X".into()), start)
    }

    fn quoted(&mut self, start: usize) -> Result<Spanned, ParseError> {
        let mut content = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((offset, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += offset + 1;
                    if content.trim().is_empty() {
                        return Err(ParseError::at(self.text, start, "a quoted proposition is empty"));
                    }
                    return self.done(Token::Prop(name::canonical(&content)), start);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => content.push(escaped),
                    _ => {
                        return Err(ParseError::at(
                            self.text,
                            start + offset,
                            "a backslash in a quoted proposition must be followed by `\"` or `\\`",
                        ));
                    }
                },
                _ => content.push(c),
            }
        }
        Err(ParseError::at(
            self.text,
            start,
            "this quote is never closed: expected `\"` before the end",
        ))
    }

    fn digits(&mut self, start: usize) -> Result<Spanned, ParseError> {
        let rest = self.rest();
        let length = rest
            .find(|c| !name::continues_identifier(c))
            .unwrap_or(rest.len());
        self.at += length;
        match &rest[..length] {
            "0" => self.done(Token::False, start),
            "1" => self.done(Token::True, start),
            _ => Err(ParseError::at(
                self.text,
                start,
                "a name may not start with a digit, and the only numbers are the constants `0` and `1`: \
                 quote the name",
            )),
        }
    }

    /// After an identifier: the arguments of a predicate if an opening parenthesis follows.
    ///
    /// `start` is where the identifier began. The result is the name of the predicate.
    pub(crate) fn arguments(&mut self, head: &str, start: usize) -> Result<Option<String>, ParseError> {
        let before = self.at;
        self.skip_space();
        let Some(inside) = self.rest().strip_prefix('(') else {
            self.at = before;
            return Ok(None);
        };
        // An argument list is short and flat; a parenthesis inside it ends the attempt.
        let open = self.at;
        let end = inside.find(['(', ')']).unwrap_or(inside.len());
        let arguments: Vec<&str> = inside[..end].split(',').map(str::trim).collect();
        let closed = inside[end..].starts_with(')');
        if !closed || !arguments.iter().all(|argument| name::is_argument(argument)) {
            return Err(ParseError::at(
                self.text,
                open,
                format!(
                    "`{}` is not an operator, so the parenthesis must hold the arguments of a ground \
                     predicate such as `on(mug, desk)`: expected names or numbers separated by commas, or \
                     an operator before the parenthesis",
                    &self.text[start..start + head.len()]
                ),
            ));
        }
        self.at = open + 1 + end + 1;
        Ok(Some(name::predicate(head, &arguments)))
    }
}
