//! Functions: length and number of arguments.

use super::source::{Source, in_name, item_end, words};

/// A function.
#[derive(Debug, PartialEq)]
pub struct Function {
    pub name: String,
    /// Line of `fn`.
    pub line: usize,
    /// Number of lines, from `fn` to the closing brace.
    pub lines: usize,
    /// Number of arguments, `self` included.
    pub arguments: usize,
}

/// Lists the functions of a file, those inside of others too.
pub fn functions(source: &Source) -> Vec<Function> {
    let code = &source.code;
    let mut found = Vec::new();
    for at in words(code, "fn") {
        let rest = code[at + 2..].trim_start();
        let name: String = rest.chars().take_while(|c| in_name(*c)).collect();
        // `fn(u8)` is a type.
        if name.is_empty() {
            continue;
        }
        let (line, last) = (source.line(at), source.line(item_end(code, at) - 1));
        let arguments = arguments(&rest[name.len()..]);
        found.push(Function { name, line, lines: last - line + 1, arguments });
    }
    found
}

/// Counts the arguments of a signature, which begins after the name.
fn arguments(signature: &str) -> usize {
    let (mut depth, mut inside) = (0, false);
    let (mut count, mut filled) = (0, false);
    let mut before = ' ';
    for c in signature.chars() {
        match c {
            '(' if depth == 0 => {
                (depth, inside) = (1, true);
                continue;
            }
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '>' if before != '-' => depth -= 1,
            _ => (),
        }
        if inside && (depth == 0 || (depth == 1 && c == ',')) {
            count += usize::from(filled);
            filled = false;
            if depth == 0 {
                break;
            }
        } else if inside && !c.is_whitespace() {
            filled = true;
        }
        before = c;
    }
    count
}

#[test]
fn a_long_function_is_found() {
    let body = "    let a = [0; 3];\n".repeat(70);
    let text =
        format!("fn short() {{}}\n\nimpl A {{\n    pub fn long(&self)\n    {{\n{body}    }}\n}}\n");
    let found = functions(&Source::new("", &text));
    let long = Function { name: "long".into(), line: 4, lines: 73, arguments: 1 };
    assert_eq!(found[1..], [long]);
    assert_eq!(found[0].lines, 1);
}

#[test]
fn arguments_are_counted_outside_of_brackets() {
    for (signature, count) in [
        ("()", 0),
        ("(&self)", 1),
        ("(a: A, b: B<C, D>,\n)", 2),
        ("<F: Fn(u8, u8) -> u8, G>(f: F, g: impl Fn(G) -> (u8, u8), [a, b]: [u8; 2]) -> H", 3),
        ("(a: A, b: A, c: A, d: A, e: A, f: A, g: A) where A: B<(C, D)>", 7),
    ] {
        assert_eq!(arguments(signature), count, "{signature}");
    }
}
