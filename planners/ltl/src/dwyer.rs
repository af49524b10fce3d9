//! The specification patterns of Dwyer, Avrunin and Corbett ("Patterns in property specifications for
//! finite-state verification", ICSE 1999) in the five scopes of their catalogue.
//!
//! Six of the 55 formulas of the catalogue do not say what its English says (precedence and precedence chain
//! 2-1 after Q, response chain 1-2 and constrained chain after Q and after Q until R). They are left out, so
//! that the reading of a formula is always what the formula means; they are read operator by operator.
//!
//! The letters stand for propositional formulas: `p q r s t z` are the catalogue's P, Q, R, S, T, Z.

/// Where a pattern applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    Globally,
    Before,
    After,
    Between,
    AfterUntil,
}

/// What a pattern says inside its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Absence,
    Existence,
    BoundedExistence,
    Universality,
    Precedence,
    Response,
    PrecedenceChain21,
    PrecedenceChain12,
    ResponseChain21,
    ResponseChain12,
    ConstrainedChain,
}

impl Scope {
    /// The scope in English, with `{q}` and `{r}` for its ends.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Scope::Globally => "At all times",
            Scope::Before => "Before the first time that {r}, if there is one",
            Scope::After => "From the first time that {q} on",
            Scope::Between => "From each time that {q} up to the next time that {r}, if there is one",
            Scope::AfterUntil => {
                "From each time that {q} up to the next time that {r}, or to the end if there is none"
            }
        }
    }
}

impl Body {
    /// The body in English.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Body::Absence => "it is never the case that {p}",
            Body::Existence => "at some step {p}",
            Body::BoundedExistence => "{p} during at most two separate stretches",
            Body::Universality => "{p} at every step",
            Body::Precedence => "{p} only once {s} has been the case",
            Body::Response => "whenever {p}, then at that step or later {s}",
            Body::PrecedenceChain21 => "{p} only once {s} and, at a later step, {t} have been the case",
            Body::PrecedenceChain12 => "{s} with, at a later step, {t} only once {p} has been the case",
            Body::ResponseChain21 => {
                "whenever {s} and at a later step {t}, then at the step of {t} or later {p}"
            }
            Body::ResponseChain12 => "whenever {p}, then at that step or later {s}, and at a later step {t}",
            Body::ConstrainedChain => {
                "whenever {p}, then at that step or later {s}, and at a later step {t}, with never {z} from the step \
                 of {s} until just before {t}"
            }
        }
    }
}

/// Formula, scope and body of each pattern.
pub(crate) const DWYER: [(&str, Scope, Body); 49] = [
    ("G !p", Scope::Globally, Body::Absence),
    ("F r -> (!p U r)", Scope::Before, Body::Absence),
    ("G((q -> G !p))", Scope::After, Body::Absence),
    ("G((((q & !r) & F r) -> (!p U r)))", Scope::Between, Body::Absence),
    ("G(((q & !r) -> (!p W r)))", Scope::AfterUntil, Body::Absence),
    ("F p", Scope::Globally, Body::Existence),
    ("!r W (p & !r)", Scope::Before, Body::Existence),
    ("G !q | F((q & F p))", Scope::After, Body::Existence),
    (
        "G(((q & !r) -> (!r W (p & !r))))",
        Scope::Between,
        Body::Existence,
    ),
    (
        "G(((q & !r) -> (!r U (p & !r))))",
        Scope::AfterUntil,
        Body::Existence,
    ),
    (
        "!p W (p W (!p W (p W G !p)))",
        Scope::Globally,
        Body::BoundedExistence,
    ),
    (
        "F r -> ((!p & !r) U (r | ((p & !r) U (r | ((!p & !r) U (r | ((p & !r) U (r | (!p U r)))))))))",
        Scope::Before,
        Body::BoundedExistence,
    ),
    (
        "F q -> (!q U (q & (!p W (p W (!p W (p W G !p))))))",
        Scope::After,
        Body::BoundedExistence,
    ),
    (
        "G(((q & F r) -> ((!p & !r) U (r | ((p & !r) U (r | ((!p & !r) U (r | ((p & !r) U (r | (!p U r)))))))))))",
        Scope::Between,
        Body::BoundedExistence,
    ),
    (
        "G((q -> ((!p & !r) U (r | ((p & !r) U (r | ((!p & !r) U (r | ((p & !r) U ((r | (!p W r)) | G p))))))))))",
        Scope::AfterUntil,
        Body::BoundedExistence,
    ),
    ("G p", Scope::Globally, Body::Universality),
    ("F r -> (p U r)", Scope::Before, Body::Universality),
    ("G((q -> G p))", Scope::After, Body::Universality),
    (
        "G((((q & !r) & F r) -> (p U r)))",
        Scope::Between,
        Body::Universality,
    ),
    ("G(((q & !r) -> (p W r)))", Scope::AfterUntil, Body::Universality),
    ("!p W s", Scope::Globally, Body::Precedence),
    ("F r -> (!p U (s | r))", Scope::Before, Body::Precedence),
    (
        "G((((q & !r) & F r) -> (!p U (s | r))))",
        Scope::Between,
        Body::Precedence,
    ),
    (
        "G(((q & !r) -> (!p W (s | r))))",
        Scope::AfterUntil,
        Body::Precedence,
    ),
    ("G((p -> F s))", Scope::Globally, Body::Response),
    (
        "F r -> ((p -> (!r U (s & !r))) U r)",
        Scope::Before,
        Body::Response,
    ),
    ("G((q -> G((p -> F s))))", Scope::After, Body::Response),
    (
        "G((((q & !r) & F r) -> ((p -> (!r U (s & !r))) U r)))",
        Scope::Between,
        Body::Response,
    ),
    (
        "G(((q & !r) -> ((p -> (!r U (s & !r))) W r)))",
        Scope::AfterUntil,
        Body::Response,
    ),
    (
        "F p -> (!p U ((s & !p) & X((!p U t))))",
        Scope::Globally,
        Body::PrecedenceChain21,
    ),
    (
        "F r -> (!p U (r | ((s & !p) & X((!p U t)))))",
        Scope::Before,
        Body::PrecedenceChain21,
    ),
    (
        "G(((q & F r) -> (!p U (r | ((s & !p) & X((!p U t)))))))",
        Scope::Between,
        Body::PrecedenceChain21,
    ),
    (
        "G((q -> (F p -> (!p U (r | ((s & !p) & X((!p U t))))))))",
        Scope::AfterUntil,
        Body::PrecedenceChain21,
    ),
    (
        "F((s & X(F t))) -> (!s U p)",
        Scope::Globally,
        Body::PrecedenceChain12,
    ),
    (
        "F r -> (!(((s & !r) & X((!r U (t & !r))))) U (r | p))",
        Scope::Before,
        Body::PrecedenceChain12,
    ),
    (
        "G !q | (!q U (q & (F((s & X(F t))) -> (!s U p))))",
        Scope::After,
        Body::PrecedenceChain12,
    ),
    (
        "G(((q & F r) -> (!(((s & !r) & X((!r U (t & !r))))) U (r | p))))",
        Scope::Between,
        Body::PrecedenceChain12,
    ),
    (
        "G((q -> ((!(((s & !r) & X((!r U (t & !r))))) U (r | p)) | G(!((s & X(F t)))))))",
        Scope::AfterUntil,
        Body::PrecedenceChain12,
    ),
    (
        "G(((s & X(F t)) -> X(F((t & F p)))))",
        Scope::Globally,
        Body::ResponseChain21,
    ),
    (
        "F r -> (((s & X((!r U t))) -> X((!r U (t & F p)))) U r)",
        Scope::Before,
        Body::ResponseChain21,
    ),
    (
        "G((q -> G(((s & X(F t)) -> X((!t U (t & F p)))))))",
        Scope::After,
        Body::ResponseChain21,
    ),
    (
        "G(((q & F r) -> (((s & X((!r U t))) -> X((!r U (t & F p)))) U r)))",
        Scope::Between,
        Body::ResponseChain21,
    ),
    (
        "G((q -> (((s & X((!r U t))) -> X((!r U (t & F p)))) U (r | G(((s & X((!r U t))) -> X((!r U (t & F p)))))))))",
        Scope::AfterUntil,
        Body::ResponseChain21,
    ),
    (
        "G((p -> F((s & X(F t)))))",
        Scope::Globally,
        Body::ResponseChain12,
    ),
    (
        "F r -> ((p -> (!r U ((s & !r) & X((!r U t))))) U r)",
        Scope::Before,
        Body::ResponseChain12,
    ),
    (
        "G(((q & F r) -> ((p -> (!r U ((s & !r) & X((!r U t))))) U r)))",
        Scope::Between,
        Body::ResponseChain12,
    ),
    (
        "G((p -> F(((s & !z) & X((!z U t))))))",
        Scope::Globally,
        Body::ConstrainedChain,
    ),
    (
        "F r -> ((p -> (!r U (((s & !r) & !z) & X(((!r & !z) U t))))) U r)",
        Scope::Before,
        Body::ConstrainedChain,
    ),
    (
        "G(((q & F r) -> ((p -> (!r U (((s & !r) & !z) & X(((!r & !z) U t))))) U r)))",
        Scope::Between,
        Body::ConstrainedChain,
    ),
];
