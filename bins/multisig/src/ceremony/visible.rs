//! What another party has written, shown so that it cannot pass for anything else.

/// The text with every character that a terminal would act on, or that turns the direction of
/// reading, written as its number: a proposal that clears the screen would show whatever it likes.
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

/// Marks and overrides of direction, characters without width, and separators of lines.
const fn is_hidden(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}')
}

#[cfg(test)]
mod tests {
    use super::visible;

    #[test]
    fn what_a_terminal_would_act_on_is_shown_as_its_number() {
        assert_eq!(visible("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(visible("x\ry\u{202e}z"), "x\\u{d}y\\u{202e}z");
        assert_eq!(visible("Zürich, 10 €"), "Zürich, 10 €");
    }
}
