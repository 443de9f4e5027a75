//! Options that take numbers.

use clap::{Arg, Command};
use std::any::TypeId;

/// Lets the options of all commands that take a number take a negative one. Its range then refuses
/// it by name; otherwise clap takes `-1` for an option that does not exist.
pub fn take_negative(command: Command) -> Command {
    command.mut_args(argument).mut_subcommands(take_negative)
}

fn argument(argument: Arg) -> Arg {
    match is_float(&argument) {
        // clap does not know `-1e-3` and `-inf` as numbers.
        true => argument.allow_hyphen_values(true),
        false if is_whole(&argument) => argument.allow_negative_numbers(true),
        false => argument,
    }
}

/// Checks that the value of an option is parsed as a whole number.
fn is_whole(argument: &Arg) -> bool {
    let kinds =
        [TypeId::of::<u16>(), TypeId::of::<u32>(), TypeId::of::<u64>(), TypeId::of::<usize>()];
    is_one_of(argument, &kinds)
}

/// Checks that the value of an option is parsed as a number with a point.
fn is_float(argument: &Arg) -> bool {
    is_one_of(argument, &[TypeId::of::<f32>(), TypeId::of::<f64>()])
}

fn is_one_of(argument: &Arg, kinds: &[TypeId]) -> bool {
    let parsed = argument.get_value_parser().type_id();
    kinds.iter().any(|kind| parsed == *kind)
}

/// Replaces the standard library's message about digits by one about the number that is wanted.
pub fn plain(message: &str) -> String {
    message
        .replace("invalid digit found in string", "it must be a whole number, not negative")
        .replace(
            "cannot parse integer from empty string",
            "it must be a whole number, not negative",
        )
        .replace("number too large to fit in target type", "it is too large")
        .replace("invalid float literal", "it must be a number")
        .replace("cannot parse float from empty string", "it must be a number")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
mod tests {
    use super::{is_float, is_whole};
    use crate::Cli;
    use clap::{Command, CommandFactory};

    fn refuse(command: &Command, path: &[&str], seen: &mut Vec<String>) {
        for inner in command.get_subcommands() {
            refuse(inner, &[path, &[inner.get_name()]].concat(), seen);
        }
        for argument in
            command.get_arguments().filter(|argument| is_whole(argument) || is_float(argument))
        {
            let option = format!("--{}", argument.get_long().unwrap());
            let values: &[&str] =
                if is_float(argument) { &["-1", "-1e-3", "-inf"] } else { &["-1"] };
            for value in values {
                let words = [&["toolkit"], path, &[option.as_str(), value]].concat();
                let parsed = super::take_negative(Cli::command()).try_get_matches_from(words);
                let said = parsed.err().map_or_else(String::new, |error| error.to_string());
                assert!(!said.contains("unexpected argument"), "{path:?} {option} {value}: {said}");
            }
            seen.push(option);
        }
    }

    #[test]
    fn a_negative_number_is_the_value_of_every_option_that_takes_one() {
        let mut seen = Vec::new();
        refuse(&Cli::command(), &[], &mut seen);
        for option in [
            "--beams",
            "--batch",
            "--seed",
            "--temperature",
            "--jobs",
            "--most-pixels",
            "--layer",
            "--count",
        ] {
            assert!(seen.iter().any(|known| known == option), "{option} of {seen:?}");
        }
    }
}
