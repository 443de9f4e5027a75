//! Damage to files, drawn from a stream: the same seed makes the same damage.

use toolkit_seed::Stream;

/// Longest input that is made; most corpus files are far shorter.
const LONGEST: usize = 1 << 20;

/// Numbers that readers get wrong: borders of types, signs, almost nothing.
const BORDERS: [u64; 10] =
    [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, i64::MAX as u64, u64::MAX];

/// Numbers as text, for formats of text.
const TEXTS: [&str; 12] = [
    "-1",
    "0",
    "1e999",
    "-0.0",
    "NaN",
    "null",
    "\"\"",
    "[]",
    "{}",
    "9223372036854775808",
    "\"\\ud83c\"",
    "[[[[[[[[",
];

/// Damages `bytes` in one to four ways, some with pieces of `other`.
#[must_use]
pub fn mutate(bytes: &[u8], other: &[u8], draw: &mut Stream) -> Vec<u8> {
    let mut made = bytes.to_vec();
    for _ in 0..1 + draw.below(4) {
        once(&mut made, other, draw);
        made.truncate(LONGEST);
    }
    made
}

fn once(made: &mut Vec<u8>, other: &[u8], draw: &mut Stream) {
    if made.is_empty() {
        made.extend_from_slice(&other[..other.len().min(64)]);
        return;
    }
    let at = draw.below(made.len());
    let length = 1 + draw.below((made.len() - at).min(64));
    match draw.below(11) {
        0 => made[at] ^= 1 << draw.below(8),
        1 => made[at] = draw.below(256) as u8,
        2 => border(made, at, draw),
        3 => made.truncate(at),
        4 => drop(made.drain(at..at + length)),
        5 => {
            let piece = made[at..at + length].to_vec();
            let to = draw.below(made.len());
            drop(made.splice(to..to, piece));
        }
        6 => made[at..at + length].fill(draw.below(256) as u8),
        7 if !other.is_empty() => {
            let from = draw.below(other.len());
            let count = 1 + draw.below((other.len() - from).min(256));
            drop(made.splice(at..at + length, other[from..from + count].iter().copied()));
        }
        8 => number(made, at, draw),
        9 => {
            // Many copies of a piece: nesting and long lists.
            let piece = made[at..at + length.min(8)].to_vec();
            let many = piece.repeat(1 + draw.below(2000));
            drop(made.splice(at..at, many));
        }
        _ => {
            let to = draw.below(made.len());
            made.swap(at, to);
        }
    }
}

/// Writes a border number over the bytes at a place, in either order.
fn border(made: &mut [u8], at: usize, draw: &mut Stream) {
    let value = BORDERS[draw.below(BORDERS.len())];
    let bytes = if draw.below(2) == 0 { value.to_le_bytes() } else { value.to_be_bytes() };
    let width = 1 << draw.below(4);
    let from = if bytes == value.to_le_bytes() { 0 } else { 8 - width };
    for (to, byte) in made[at..].iter_mut().zip(&bytes[from..from + width]) {
        *to = *byte;
    }
}

/// Replaces the next run of digits behind a place, or the place itself, by a number of another
/// kind.
fn number(made: &mut Vec<u8>, at: usize, draw: &mut Stream) {
    let start = made[at..].iter().position(u8::is_ascii_digit).map_or(at, |more| at + more);
    let end = made[start..]
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .map_or(made.len(), |more| start + more);
    let text = TEXTS[draw.below(TEXTS.len())].bytes();
    drop(made.splice(start..end, text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_a_function_of_the_stream() {
        let (one, two) = (b"{\"a\": 12, \"b\": [1, 2]}".as_slice(), [7_u8; 300].as_slice());
        let all = |seed| {
            let mut draw = Stream::new(seed, "mutate", 0);
            (0..200).map(|_| mutate(one, two, &mut draw)).collect::<Vec<_>>()
        };
        assert_eq!(all(1), all(1));
        assert_ne!(all(1), all(2));
        assert!(
            all(1).iter().filter(|made| made.as_slice() != one).count() > 180,
            "most inputs are damaged"
        );
    }
}
