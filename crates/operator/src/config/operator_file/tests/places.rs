//! Where it is said that something is wrong.

use super::*;

/// What is told of both files when one of them is not TOML.
fn no_toml(path: impl Fn(&Files) -> PathBuf, from: &str, to: &str) -> String {
    let files = Files::new();
    // Much else is wrong, too.
    std::fs::write(
        files.private(),
        "federation = \"../federation.toml\"\nnodes = 1\n",
    )
    .expect("written");
    let path = path(&files);
    let text = std::fs::read_to_string(&path).expect("there");
    assert!(text.contains(from), "{text}");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
    let report = files.load().expect_err("no TOML");
    assert_eq!(report.problems.len(), 1, "{report}");
    let problem = &report.problems[0];
    let same = |path: &Path| path.canonicalize().expect("there");
    assert_eq!(same(&problem.file), same(&path));
    let place = |at: Option<usize>| at.expect("told");
    format!(
        "{}:{} {}",
        place(problem.line),
        place(problem.column),
        problem.message
    )
}

#[test]
fn what_is_no_toml_is_said_alone_with_its_place_and_what_is_expected() {
    for (told, place, parts) in [
        (
            no_toml(Files::private, "nodes = 1", "nodes == 1"),
            "2:8 ",
            ["no TOML", "="],
        ),
        (
            no_toml(Files::private, "nodes = 1", "nodes = 1\n[node\nurl = 1"),
            "3:6 ",
            ["no TOML", "`]`"],
        ),
        (
            no_toml(Files::public, "threshold = 2", "threshold = two"),
            "7:13 ",
            ["no TOML", "expected"],
        ),
        (
            no_toml(
                Files::public,
                "dialect = \"dynafed\"",
                "dialect = \"dynafed",
            ),
            "5:59 ",
            ["no TOML", "\""],
        ),
    ] {
        assert!(told.starts_with(place), "{place}: {told}");
        for part in parts {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
}

#[test]
fn a_setting_that_is_found_wrong_when_it_is_used_has_its_place() {
    let files = Files::new();
    let config = files.load().expect("good");
    let line = |config: &Config, setting| config.problem(setting, "wrong", "mend it").line;
    assert_eq!(line(&config, Setting::Listen), Some(6));
    assert_eq!(line(&config, Setting::Key(KeyRole::Block)), Some(7));
    assert_eq!(line(&config, Setting::Key(KeyRole::Peg)), None);
    let endpoint = config.problem(Setting::Endpoint(OperatorId::new(1)), "wrong", "mend it");
    let same = |found: &Path, expected: &Path| {
        assert_eq!(
            found.canonicalize().expect("there"),
            expected.canonicalize().expect("there")
        );
    };
    same(&endpoint.file, &files.public());
    let text = std::fs::read_to_string(files.public()).expect("there");
    let at = endpoint.line.expect("it stands there") - 1;
    let line_text = text.lines().nth(at).expect("a line");
    assert!(line_text.contains("127.0.0.1:21003"), "{line_text}");
    // What a flag says stands in no file.
    let overrides = Overrides {
        listen: Some("127.0.0.1:1".to_owned()),
        block_key_file: Some(files.private()),
        ..Overrides::default()
    };
    let config = Config::load(&files.private(), &overrides).expect("good");
    assert_eq!(line(&config, Setting::Listen), None);
    assert_eq!(line(&config, Setting::Key(KeyRole::Block)), None);
}

#[test]
fn two_operators_with_one_endpoint_are_reported_unless_brokers_are_between_them() {
    let files = Files::new();
    let text = std::fs::read_to_string(files.public()).expect("there");
    let twice = text.replace("127.0.0.1:21003", "127.0.0.1:21000");
    std::fs::write(files.public(), twice).expect("written");
    let report = files.load().expect_err("one is never reached");
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
    Config::load(&files.private(), &overrides).expect("nobody is reached by it");
}
