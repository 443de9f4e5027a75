//! Looks of the command line.

use super::support::{command, toolkit};
use std::process::Stdio;

/// Every command with its path, `data preview` too.
fn commands() -> Vec<(Vec<String>, clap::Command)> {
    fn walk(command: &clap::Command, path: &[String], all: &mut Vec<(Vec<String>, clap::Command)>) {
        all.push((path.to_vec(), command.clone()));
        for inner in command.get_subcommands() {
            walk(inner, &[path, &[inner.get_name().to_owned()]].concat(), all);
        }
    }
    let mut all = Vec::new();
    walk(&::toolkit::command(), &[], &mut all);
    all
}

#[test]
fn every_command_has_help_with_examples() {
    for (path, _) in commands() {
        let help = toolkit(&[&path[..], &["--help".to_owned()]].concat()).ok();
        assert!(help.stdout.contains("Examples:\n  toolkit "), "{path:?}: {}", help.stdout);
        assert!(help.stderr.is_empty());
    }
}

#[test]
fn options_are_those_written_down() {
    let line = |(path, command): &(Vec<String>, clap::Command)| {
        let mut options: Vec<String> = command
            .get_arguments()
            .map(|argument| match argument.get_long() {
                Some(long) => format!("--{long}"),
                None => argument.get_id().as_str().to_uppercase(),
            })
            .collect();
        options.sort();
        format!(
            "{}: {}\n",
            [&["toolkit".to_owned()], &path[..]].concat().join(" "),
            options.join(" ")
        )
    };
    let now: String = commands().iter().map(line).collect();
    let frozen = include_str!("options.txt");
    assert_eq!(
        now, frozen,
        "the command line changed; if that is meant, put this into tests/cli/options.txt:\n{now}"
    );
}

#[test]
fn usage_errors_are_one_line() {
    toolkit(&["run", "x.toml", "--outt", "y"]).fails_with(&["'--outt'", "'--out'"]);
    toolkit(&["lst"]).fails_with(&["'lst'", "'list'"]);
    toolkit(&["run"]).fails_with(&["<FILE>"]);
    toolkit(&["run", "x.toml", "--jobs", "0"]).fails_with(&["--jobs"]);
    // A negative number is a value, and its range refuses it by the option's name.
    toolkit(&["run", "x.toml", "--jobs", "-1"])
        .fails_with(&["'-1' for '--jobs <N>'", "-1 is not in 1..=65535"]);
    toolkit(&["eval", "x", "--batch", "-1"])
        .fails_with(&["'-1' for '--batch <N>'", "not negative"]);
    toolkit(&["caption", "x", "a.png", "--seed", "-1"])
        .fails_with(&["'-1' for '--seed <N>'", "not negative"]);
    for option in ["--beams", "--top-k", "--answers", "--max-new-tokens"] {
        let whole = "it must be a whole number, not negative";
        toolkit(&["caption", "x", "a.png", option, "-1"])
            .fails_with(&[&format!("'-1' for '{option} <"), whole]);
        toolkit(&["caption", "x", "a.png", option, "1.5"])
            .fails_with(&[&format!("'1.5' for '{option} <"), whole]);
    }
    toolkit(&["caption", "x", "a.png", "--temperature", "warm"])
        .fails_with(&["'--temperature <X>'", "must be a number"]);
}

#[test]
fn a_reader_that_stops_early_is_no_error() {
    let mut child =
        command().arg("list").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_full_disk_behind_standard_output_is_an_error() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command().arg("list").stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said.starts_with("error: cannot write the result --> standard output: No space left"),
        "{said}"
    );
    assert_eq!(said.lines().count(), 1);
}
