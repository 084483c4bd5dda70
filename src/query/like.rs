//! `LIKE`: text against a pattern of `%` (any text) and `_` (any one character).

/// A parsed pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pattern(Box<[Item]>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    AnyText,
    AnyChar,
    Byte(u8),
}

impl Pattern {
    /// Reads `text`; the character after `escape` (if given) loses its special meaning.
    ///
    /// # Errors
    /// The reason why it is not a pattern: the escape character precedes a character that it cannot
    /// escape.
    pub(super) fn parse(text: &str, escape: Option<char>) -> Result<Self, String> {
        let mut items = Vec::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                c if Some(c) == escape => match chars.next() {
                    Some(next) if next == '%' || next == '_' || Some(next) == escape => {
                        push_char(&mut items, next);
                    }
                    _ => return Err(format!("the escape {c:?} must stand before %, _ or itself")),
                },
                '%' if items.last() == Some(&Item::AnyText) => {}
                '%' => items.push(Item::AnyText),
                '_' => items.push(Item::AnyChar),
                c => push_char(&mut items, c),
            }
        }
        Ok(Self(items.into()))
    }

    /// The texts before, between and after the `%`; `None` if the pattern has a `_`.
    pub(super) fn pieces(&self) -> Option<Vec<Vec<u8>>> {
        let mut pieces = vec![Vec::new()];
        for item in &self.0 {
            match item {
                Item::AnyText => pieces.push(Vec::new()),
                Item::AnyChar => return None,
                Item::Byte(byte) => pieces.last_mut()?.push(*byte),
            }
        }
        Some(pieces)
    }

    /// Whether all of `text`, which should be UTF-8, matches the pattern.
    ///
    /// Takes at most as many steps as the product of both lengths: after a mismatch only the latest
    /// `%` takes another character, because it can also take what an earlier one could.
    pub(super) fn matches(&self, text: &[u8]) -> bool {
        let items = &self.0;
        let (mut item, mut at) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let matched = match items.get(item) {
                Some(Item::AnyText) => {
                    retry = Some((item + 1, at));
                    Some(0)
                }
                Some(Item::AnyChar) => char_len_bytes(text, at),
                Some(Item::Byte(byte)) => (text.get(at) == Some(byte)).then_some(1),
                None if at == text.len() => return true,
                None => None,
            };
            if let Some(len_bytes) = matched {
                item += 1;
                at += len_bytes;
                continue;
            }
            let Some((item_after, taken_to)) = retry else { return false };
            let Some(len_bytes) = char_len_bytes(text, taken_to) else { return false };
            retry = Some((item_after, taken_to + len_bytes));
            (item, at) = (item_after, taken_to + len_bytes);
        }
    }
}

fn push_char(items: &mut Vec<Item>, c: char) {
    items.extend(c.encode_utf8(&mut [0; 4]).bytes().map(Item::Byte));
}

/// The length of the character at `at`: its first byte and the continuation bytes after it.
fn char_len_bytes(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at + 1..)?;
    Some(1 + rest.iter().take_while(|byte| **byte & 0xC0 == 0x80).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn like(text: &str, pattern: &str) -> bool {
        Pattern::parse(pattern, Some('!')).unwrap().matches(text.as_bytes())
    }

    #[test]
    fn percent_is_any_text_and_underscore_one_character() {
        for (text, pattern) in [
            ("", ""),
            ("", "%"),
            ("abc", "abc"),
            ("abc", "a%"),
            ("abc", "%c"),
            ("abc", "%b%"),
            ("abc", "___"),
            ("éa", "_a"),
            ("aXbXXc", "a%X_"),
            ("a%", "a!%"),
            ("a_!", "a!_!!"),
            ("mississippi", "m%iss%ip_i"),
        ] {
            assert!(like(text, pattern), "{text:?} LIKE {pattern:?}");
        }
        for (text, pattern) in
            [("a", ""), ("", "_"), ("abc", "ab"), ("abc", "____"), ("é", "__"), ("ab", "a!%")]
        {
            assert!(!like(text, pattern), "{text:?} LIKE {pattern:?}");
        }
    }

    #[test]
    fn an_escape_before_nothing_special_is_refused() {
        assert!(Pattern::parse("a!b", Some('!')).unwrap_err().contains("'!'"));
        assert!(Pattern::parse("a!", Some('!')).unwrap_err().contains("'!'"));
        assert!(Pattern::parse("a!b", None).is_ok());
    }

    /// The definition, without regard to speed.
    fn naive(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|at| naive(&text[at..], rest)),
            Some((c, rest)) => text
                .split_first()
                .is_some_and(|(first, after)| (*c == '_' || c == first) && naive(after, rest)),
        }
    }

    proptest! {
        #[test]
        fn the_fast_matcher_agrees_with_the_definition(
            text in "[abé€]{0,12}", pattern in "[abé€%_]{0,8}",
        ) {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(like(&text, &pattern), naive(&chars(&text), &chars(&pattern)));
        }
    }
}
