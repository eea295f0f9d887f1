//! Compares the output in a document with that of a program.

/// Checks that `actual` contains all lines of `expected`, in this order, possibly with lines in between.
///
/// White space matches any white space, a number any number, and a word of eight or more hexadecimal
/// digits any such word. `..` matches any text within a line, or on a line of its own any lines.
///
/// # Errors
/// The first line that is missing.
pub fn check_output(expected: &str, actual: &str) -> Result<(), String> {
    let lines: Vec<_> = actual.lines().map(normalize).collect();
    let mut from = 0;
    for line in expected.lines() {
        let wanted = normalize(line);
        let parts: Vec<_> = wanted.split("..").map(str::trim).collect();
        if parts.iter().all(|part| part.is_empty()) {
            continue;
        }
        let found = lines[from..]
            .iter()
            .position(|line| contains_in_order(line, &parts));
        match found {
            Some(index) => from += index + 1,
            None => return Err(format!("`{line}` is not in the output:\n{actual}")),
        }
    }
    Ok(())
}

fn contains_in_order(line: &str, parts: &[&str]) -> bool {
    let mut rest = line;
    parts.iter().all(|part| match rest.find(part) {
        Some(index) => {
            rest = &rest[index + part.len()..];
            true
        }
        None => false,
    })
}

/// Replaces the parts of a line that differ between runs.
fn normalize(line: &str) -> String {
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
    fn hashes_numbers_and_white_space_may_differ() {
        let output = "wrote     ceremony/join-alice-0badc0de0badc0de.json\nall 5 have approved\ngenesis   00ff00ff00ff\n";
        for shown in [
            "all 3 have approved",
            "wrote ceremony/join-alice-ffffffffffff.json\ngenesis 12345678",
            "wrote ..\n..approved",
            "wrote ... join-..",
            "",
        ] {
            assert_eq!(check_output(shown, output), Ok(()), "{shown}");
        }
        for shown in [
            "all five have approved",
            "genesis ..\nwrote ..",
            "approved.. all",
            "genesis is ..",
        ] {
            assert!(check_output(shown, output).is_err(), "{shown}");
        }
    }
}
