//! The English stemmer of Snowball ("Porter 2"), in the version of about 2010 that METEOR 1.5
//! carries.
//!
//! Newer versions know more exceptions and other short words: they give other scores. Lengths are
//! counted in UTF-16 units, as there.

const EXCEPTIONS: [(&str, &str); 18] = [
    ("skis", "ski"),
    ("skies", "sky"),
    ("dying", "die"),
    ("lying", "lie"),
    ("tying", "tie"),
    ("idly", "idl"),
    ("gently", "gentl"),
    ("ugly", "ugli"),
    ("early", "earli"),
    ("only", "onli"),
    ("singly", "singl"),
    ("sky", "sky"),
    ("news", "news"),
    ("howe", "howe"),
    ("atlas", "atlas"),
    ("cosmos", "cosmos"),
    ("bias", "bias"),
    ("andes", "andes"),
];

/// Words that stay as they are once their plural has been cut.
const KEPT: [&str; 8] =
    ["inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"];

/// Suffixes of step 2 and what replaces them; `ogi` and `li` have a condition of their own.
const STEP2: [(&str, &str); 24] = [
    ("ization", "ize"),
    ("ational", "ate"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("tional", "tion"),
    ("biliti", "ble"),
    ("lessli", "less"),
    ("entli", "ent"),
    ("ation", "ate"),
    ("alism", "al"),
    ("aliti", "al"),
    ("ousli", "ous"),
    ("iviti", "ive"),
    ("fulli", "ful"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("abli", "able"),
    ("izer", "ize"),
    ("ator", "ate"),
    ("alli", "al"),
    ("bli", "ble"),
    ("ogi", "og"),
    ("li", ""),
];

/// Suffixes of step 3; `ative` must lie in the second region.
const STEP3: [(&str, &str); 9] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("alize", "al"),
    ("icate", "ic"),
    ("iciti", "ic"),
    ("ative", ""),
    ("ical", "ic"),
    ("ness", ""),
    ("ful", ""),
];

/// Suffixes that step 4 cuts; `ion` only after s or t. The longest stand first.
const STEP4: [&str; 18] = [
    "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous",
    "ive", "ize", "ion", "al", "er", "ic",
];

/// The stem of a lower-case word, in UTF-16 units.
pub fn stem(word: &str) -> Vec<u16> {
    if let Some((_, stem)) = EXCEPTIONS.iter().find(|(exception, _)| *exception == word) {
        return stem.encode_utf16().collect();
    }
    let mut stemmer = Stemmer { word: word.encode_utf16().collect(), first: 0, second: 0 };
    if stemmer.word.len() >= 3 {
        stemmer.run();
    }
    stemmer.word
}

/// A word under way, and where its two regions begin.
struct Stemmer {
    word: Vec<u16>,
    first: usize,
    second: usize,
}

fn vowel(unit: u16) -> bool {
    is(unit, b"aeiouy")
}

fn is(unit: u16, of: &[u8]) -> bool {
    of.iter().any(|&byte| u16::from(byte) == unit)
}

impl Stemmer {
    fn run(&mut self) {
        self.mark_consonant_y();
        self.mark_regions();
        self.possessive();
        self.plural();
        if !KEPT.iter().any(|kept| self.word.iter().copied().eq(kept.encode_utf16())) {
            self.participle();
            self.final_y();
            self.step2();
            self.step3();
            self.step4();
            self.step5();
        }
        for unit in &mut self.word {
            if *unit == u16::from(b'Y') {
                *unit = u16::from(b'y');
            }
        }
    }

    /// Cuts a leading apostrophe; a y that is a consonant becomes Y.
    fn mark_consonant_y(&mut self) {
        if self.word.first() == Some(&u16::from(b'\'')) {
            self.word.remove(0);
        }
        for at in 0..self.word.len() {
            if self.word[at] == u16::from(b'y') && (at == 0 || vowel(self.word[at - 1])) {
                self.word[at] = u16::from(b'Y');
            }
        }
    }

    /// A region begins behind the first consonant that follows a vowel; the second is looked for in
    /// the first.
    fn mark_regions(&mut self) {
        let behind = |from: usize| {
            let vowel_at = (from..self.word.len()).find(|&at| vowel(self.word[at]))?;
            (vowel_at..self.word.len()).find(|&at| !vowel(self.word[at])).map(|at| at + 1)
        };
        let prefix = ["arsen", "commun", "gener"].into_iter().find(|prefix| {
            self.word.len() >= prefix.len()
                && prefix.bytes().zip(&self.word).all(|(byte, &unit)| u16::from(byte) == unit)
        });
        let first = prefix.map(str::len).or_else(|| behind(0));
        let second = first.and_then(behind);
        self.first = first.unwrap_or(self.word.len());
        self.second = second.unwrap_or(self.word.len());
    }

    fn ends(&self, suffix: &str) -> bool {
        let start = self.word.len().checked_sub(suffix.len());
        start.is_some_and(|start| {
            suffix.bytes().zip(&self.word[start..]).all(|(byte, &unit)| u16::from(byte) == unit)
        })
    }

    /// Returns where the word would end without its last `count` units.
    fn cut(&self, count: usize) -> usize {
        self.word.len() - count
    }

    fn replace(&mut self, suffix: usize, by: &str) {
        self.word.truncate(self.word.len() - suffix);
        self.word.extend(by.encode_utf16());
    }

    fn possessive(&mut self) {
        if let Some(suffix) = ["'s'", "'s", "'"].into_iter().find(|suffix| self.ends(suffix)) {
            self.replace(suffix.len(), "");
        }
    }

    fn plural(&mut self) {
        if self.ends("sses") {
            self.replace(4, "ss");
        } else if self.ends("ied") || self.ends("ies") {
            self.replace(3, if self.word.len() >= 5 { "i" } else { "ie" });
        } else if self.ends("s") && !self.ends("ss") && !self.ends("us") {
            let before = self.word.len().saturating_sub(2);
            if self.word[..before].iter().any(|&unit| vowel(unit)) {
                self.replace(1, "");
            }
        }
    }

    fn participle(&mut self) {
        let Some(suffix) = ["eedly", "ingly", "edly", "eed", "ing", "ed"]
            .into_iter()
            .find(|suffix| self.ends(suffix))
        else {
            return;
        };
        let end = self.cut(suffix.len());
        if suffix.starts_with("ee") {
            if end >= self.first {
                self.replace(suffix.len(), "ee");
            }
            return;
        }
        if !self.word[..end].iter().any(|&unit| vowel(unit)) {
            return;
        }
        self.word.truncate(end);
        let double = end >= 2
            && self.word[end - 1] == self.word[end - 2]
            && is(self.word[end - 1], b"bdfgmnprt");
        if ["at", "bl", "iz"].into_iter().any(|ending| self.ends(ending)) {
            self.replace(0, "e");
        } else if double {
            self.word.pop();
        } else if end == self.first && self.short_syllable(end) {
            self.replace(0, "e");
        }
    }

    /// Does the word, cut at `end`, end in a short syllable?
    fn short_syllable(&self, end: usize) -> bool {
        let Some([vowel_unit, last]) =
            end.checked_sub(2).map(|start| [self.word[start], self.word[start + 1]])
        else {
            return false;
        };
        let inner = end >= 3 && !vowel(self.word[end - 3]) && !vowel(last) && !is(last, b"wxY");
        vowel(vowel_unit) && (inner || end == 2 && !vowel(last))
    }

    fn final_y(&mut self) {
        let length = self.word.len();
        if length >= 3 && is(self.word[length - 1], b"yY") && !vowel(self.word[length - 2]) {
            self.replace(1, "i");
        }
    }

    fn step2(&mut self) {
        let Some((suffix, by)) = STEP2.into_iter().find(|(suffix, _)| self.ends(suffix)) else {
            return;
        };
        let end = self.cut(suffix.len());
        let before = |of: &[u8]| end > 0 && is(self.word[end - 1], of);
        let allowed = match suffix {
            "ogi" => before(b"l"),
            "li" => before(b"cdeghkmnrt"),
            _ => true,
        };
        if end >= self.first && allowed {
            self.replace(suffix.len(), by);
        }
    }

    fn step3(&mut self) {
        let Some((suffix, by)) = STEP3.into_iter().find(|(suffix, _)| self.ends(suffix)) else {
            return;
        };
        let end = self.cut(suffix.len());
        if end >= self.first && (suffix != "ative" || end >= self.second) {
            self.replace(suffix.len(), by);
        }
    }

    fn step4(&mut self) {
        let Some(suffix) = STEP4.into_iter().find(|suffix| self.ends(suffix)) else { return };
        let end = self.cut(suffix.len());
        if end >= self.second && (suffix != "ion" || end > 0 && is(self.word[end - 1], b"st")) {
            self.replace(suffix.len(), "");
        }
    }

    fn step5(&mut self) {
        let Some(end) = self.word.len().checked_sub(1) else { return };
        let first = end >= self.first && !self.short_syllable(end);
        let ends_in_e = self.ends("e") && (end >= self.second || first);
        let double_l = self.ends("ll") && end >= self.second;
        if ends_in_e || double_l {
            self.word.pop();
        }
    }
}
