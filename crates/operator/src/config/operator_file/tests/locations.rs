//! The file and line at which an error is reported.

use federation_signer::KeyRole;

use super::*;

/// Returns the one problem that is reported for both files when one of them is not valid TOML.
fn syntax_error(path: impl Fn(&Files) -> PathBuf, from: &str, to: &str) -> String {
    let files = Files::new();
    // The file has other errors, too.
    std::fs::write(
        files.private(),
        "federation = \"../federation.toml\"\nnodes = 1\n",
    )
    .expect("written");
    let path = path(&files);
    let text = std::fs::read_to_string(&path).expect("there");
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
    let report = files.load().expect_err("not valid TOML");
    assert_eq!(report.problems.len(), 1, "{report}");
    let problem = &report.problems[0];
    let same = |path: &Path| path.canonicalize().expect("there");
    assert_eq!(same(&problem.file), same(&path));
    let number = |at: Option<usize>| at.expect("a line and a column");
    format!(
        "{}:{} {}",
        number(problem.line),
        number(problem.column),
        problem.message
    )
}

#[test]
fn a_syntax_error_is_reported_alone_with_its_line_and_column_and_what_was_expected() {
    for (reported, location, parts) in [
        (
            syntax_error(Files::private, "nodes = 1", "nodes == 1"),
            "2:8 ",
            ["not valid TOML", "="],
        ),
        (
            syntax_error(Files::private, "nodes = 1", "nodes = 1\n[node\nurl = 1"),
            "3:6 ",
            ["not valid TOML", "`]`"],
        ),
        (
            syntax_error(Files::public, "threshold = 2", "threshold = two"),
            "7:13 ",
            ["not valid TOML", "expected"],
        ),
        (
            syntax_error(
                Files::public,
                "dialect = \"dynafed\"",
                "dialect = \"dynafed",
            ),
            "5:59 ",
            ["not valid TOML", "\""],
        ),
    ] {
        assert!(reported.starts_with(location), "{location}: {reported}");
        for part in parts {
            assert!(reported.contains(part), "{part}: {reported}");
        }
    }
}

#[test]
fn a_setting_that_turns_out_to_be_wrong_when_used_is_reported_with_its_line() {
    let files = Files::new();
    let config = files.load().expect("valid files");
    let line = |config: &Config, setting| config.problem(setting, "wrong", "correct it").line;
    assert_eq!(line(&config, Setting::Listen), Some(6));
    assert_eq!(line(&config, Setting::Key(KeyRole::Block)), Some(7));
    assert_eq!(line(&config, Setting::Key(KeyRole::Peg)), None);
    let endpoint = config.problem(Setting::Endpoint(OperatorId::new(1)), "wrong", "correct it");
    let same = |found: &Path, expected: &Path| {
        assert_eq!(
            found.canonicalize().expect("there"),
            expected.canonicalize().expect("there")
        );
    };
    same(&endpoint.file, &files.public());
    let text = std::fs::read_to_string(files.public()).expect("there");
    let at = endpoint.line.expect("it comes from the file") - 1;
    let line_text = text.lines().nth(at).expect("a line");
    assert!(line_text.contains("127.0.0.1:21003"), "{line_text}");
    // A setting from a flag has no line.
    let overrides = Overrides {
        listen: Some("127.0.0.1:1".to_owned()),
        block_key_file: Some(files.private()),
        ..Overrides::default()
    };
    let config = Config::load(&files.private(), &overrides).expect("valid files");
    assert_eq!(line(&config, Setting::Listen), None);
    assert_eq!(line(&config, Setting::Key(KeyRole::Block)), None);
}

#[test]
fn two_operators_with_one_endpoint_are_reported_unless_they_communicate_through_brokers() {
    let files = Files::new();
    let text = std::fs::read_to_string(files.public()).expect("there");
    let changed = text.replace("127.0.0.1:21003", "127.0.0.1:21000");
    std::fs::write(files.public(), changed).expect("written");
    let report = files.load().expect_err("one of the two is unreachable");
    assert_eq!(report.problems.len(), 1, "{report}");
    let problem = &report.problems[0];
    assert!(problem.file.ends_with("federation.toml"), "{report}");
    assert!(problem.line.is_some(), "{report}");
    for part in ["`operator-0`", "`operator-1`", "127.0.0.1:21000"] {
        assert!(problem.message.contains(part), "{report}");
    }
    let overrides = Overrides {
        messenger: Some("kafka".to_owned()),
        brokers: Some(vec!["broker:9092".to_owned()]),
        ..Overrides::default()
    };
    Config::load(&files.private(), &overrides).expect("endpoints are not used");
}
