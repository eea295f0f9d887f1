//! Escaping text by other parties, so that it cannot manipulate what is displayed.

/// Escapes every character that a terminal would interpret, or that changes the direction of text.
/// Otherwise a proposal could clear the screen and display whatever it likes.
pub(super) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Directional marks and overrides, zero-width characters, and line separators.
const fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn characters_that_a_terminal_would_interpret_are_escaped() {
        assert_eq!(visible("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(visible("x\ry\u{202e}z"), "x\\u{d}y\\u{202e}z");
        assert_eq!(visible("Zürich, 10 €"), "Zürich, 10 €");
    }
}
