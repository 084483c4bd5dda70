//! Words of a shell, for the commands that messages suggest: pasted into a POSIX shell, each works.
//!
//! A message has only characters that a terminal may show, so a word writes the others with
//! `printf`.

use std::path::Path;

use flatrec::printable;

/// The text as one word; `None` if a shell cannot take it from one line.
pub(crate) fn word(text: &str) -> Option<String> {
    word_of(text.as_bytes())
}

/// The path as one word that is no option.
pub(crate) fn path(path: &Path) -> Option<String> {
    let bytes = path.as_os_str().as_encoded_bytes();
    match bytes.starts_with(b"-") {
        true => word_of(&[b"./", bytes].concat()),
        false => word_of(bytes),
    }
}

/// The store at `path` in a command that is shown in any case.
pub(crate) fn store(path: &Path) -> String {
    self::path(path).unwrap_or_else(|| "STORE".to_owned())
}

/// An option with its value, also with one that begins like an option.
pub(crate) fn option(name: &str, value: &str) -> Option<String> {
    match value.starts_with('-') {
        true => word(&format!("{name}={value}")),
        false => Some(format!("{name} {}", word(value)?)),
    }
}

fn word_of(bytes: &[u8]) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./+,:%@=".contains(&byte);
    // A `=` first is special in some shells.
    if !bytes.is_empty() && !bytes.starts_with(b"=") && bytes.iter().all(|&byte| plain(byte)) {
        return String::from_utf8(bytes.to_vec()).ok();
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if printable(text) == text => Some(format!("'{}'", text.replace('\'', "'\\''"))),
        _ => printed(bytes),
    }
}

/// A call of `printf` that gives the bytes. No word has a zero byte, and a shell removes line ends
/// behind the output of a command.
fn printed(bytes: &[u8]) -> Option<String> {
    if bytes.contains(&0) || bytes.ends_with(b"\n") {
        return None;
    }
    let mut format = String::new();
    let octal = |byte: &u8| format!("\\0{byte:03o}");
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let text = letter.to_string();
            match letter {
                '\\' => format.push_str("\\\\"),
                '\'' => format.push_str("'\\''"),
                _ if printable(&text) == text => format.push(letter),
                _ => format.extend(text.as_bytes().iter().map(octal)),
            }
        }
        format.extend(chunk.invalid().iter().map(octal));
    }
    Some(format!("\"$(printf %b '{format}')\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_have_quotes_where_a_shell_needs_them() {
        for (text, expected) in [
            ("a", "a"),
            ("", "''"),
            ("=a", "'=a'"),
            ("a b", "'a b'"),
            ("it's", r"'it'\''s'"),
            ("$x", "'$x'"),
            ("\u{fc}", "'\u{fc}'"),
            ("a\nb", "\"$(printf %b 'a\\0012b')\""),
            ("'\\\t", "\"$(printf %b ''\\''\\\\\\0011')\""),
        ] {
            assert_eq!(word(text).as_deref(), Some(expected));
        }
        assert_eq!(word("a\n"), None);
        assert_eq!(word("a\0"), None);
        assert_eq!(path(Path::new("-x")).as_deref(), Some("./-x"));
        assert_eq!(option("--null", "-").as_deref(), Some("--null=-"));
        assert_eq!(option("--null", "x y").as_deref(), Some("--null 'x y'"));
    }
}
