//! Comparing what a document shows with what a program said.

/// Whether each line of `shown` is in `said`, in this order, other lines between them.
///
/// White space is one blank, a number is any number, and a word of eight hexadecimal digits or more
/// is any such word. `..` stands for anything, and a line of its own for any lines.
///
/// # Errors
/// The first line that is not there.
pub fn is_in(shown: &str, said: &str) -> Result<(), String> {
    let lines: Vec<_> = said.lines().map(plain).collect();
    let mut from = 0;
    for line in shown.lines() {
        let wanted = plain(line);
        let parts: Vec<_> = wanted.split("..").map(str::trim).collect();
        if parts.iter().all(|part| part.is_empty()) {
            continue;
        }
        let found = lines[from..]
            .iter()
            .position(|line| has_in_order(line, &parts));
        match found {
            Some(place) => from += place + 1,
            None => return Err(format!("`{line}` is not what was said:\n{said}")),
        }
    }
    Ok(())
}

fn has_in_order(line: &str, parts: &[&str]) -> bool {
    let mut rest = line;
    parts.iter().all(|part| match rest.find(part) {
        Some(place) => {
            rest = &rest[place + part.len()..];
            true
        }
        None => false,
    })
}

/// The line without what is different each time.
fn plain(line: &str) -> String {
    let line = line.replace("...", "..").replace('…', "..");
    let mut text = String::new();
    let mut word = String::new();
    for c in line.chars().chain([' ']) {
        if c.is_ascii_alphanumeric() {
            word.push(c);
            continue;
        }
        flush(&mut word, &mut text);
        if c.is_whitespace() {
            if !text.is_empty() && !text.ends_with(' ') {
                text.push(' ');
            }
        } else {
            text.push(c);
        }
    }
    text.trim_end().to_owned()
}

fn flush(word: &mut String, text: &mut String) {
    let is_hex = word.len() >= 8 && word.chars().all(|c| c.is_ascii_hexdigit());
    if is_hex {
        text.push('#');
    } else {
        let mut digits = false;
        for c in word.chars() {
            if !c.is_ascii_digit() {
                text.push(c);
            } else if !digits {
                text.push('#');
            }
            digits = c.is_ascii_digit();
        }
    }
    word.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_numbers_and_white_space_may_be_others() {
        let said = "wrote     ceremony/join-alice-0badc0de0badc0de.json\nall 5 have approved\ngenesis   00ff00ff00ff\n";
        for shown in [
            "all 3 have approved",
            "wrote ceremony/join-alice-ffffffffffff.json\ngenesis 12345678",
            "wrote ..\n..approved",
            "wrote ... join-..",
            "",
        ] {
            assert_eq!(is_in(shown, said), Ok(()), "{shown}");
        }
        for shown in [
            "all five have approved",
            "genesis ..\nwrote ..",
            "approved.. all",
            "genesis is ..",
        ] {
            assert!(is_in(shown, said).is_err(), "{shown}");
        }
    }
}
