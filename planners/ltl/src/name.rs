//! Names of propositions: identifiers, ground predicates, and anything else in quotes.

/// Whether a character may start an identifier.
pub(crate) fn starts_identifier(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

/// Whether a character may continue an identifier.
pub(crate) fn continues_identifier(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '\'' | '@' | '$')
}

/// Whether a text is one identifier.
pub(crate) fn is_identifier(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(starts_identifier) && chars.all(continues_identifier)
}

/// An argument of a ground predicate: an identifier or a number, with dashes inside.
pub(crate) fn is_argument(text: &str) -> bool {
    !text.is_empty()
        && text.chars().all(|c| continues_identifier(c) || c == '-')
        && text.chars().any(char::is_alphanumeric)
}

/// The one name of a proposition: a predicate has one space after each comma and no other; any other
/// text is its own name.
pub(crate) fn canonical(text: &str) -> String {
    predicate_parts(text).map_or_else(
        || text.to_string(),
        |(head, arguments)| predicate(head, &arguments),
    )
}

/// A predicate with its arguments, as its one name.
pub(crate) fn predicate(head: &str, arguments: &[&str]) -> String {
    format!("{head}({})", arguments.join(", "))
}

/// Head and arguments, if the text is a ground predicate.
pub(crate) fn predicate_parts(text: &str) -> Option<(&str, Vec<&str>)> {
    let text = text.trim();
    let open = text.find('(')?;
    let head = text[..open].trim_end();
    let inside = text[open + 1..].strip_suffix(')')?;
    let arguments: Vec<&str> = inside.split(',').map(str::trim).collect();
    let ground = arguments.iter().all(|argument| is_argument(argument));
    (is_identifier(head) && ground).then_some((head, arguments))
}
