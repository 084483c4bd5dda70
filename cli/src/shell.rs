//! Words of a shell, for the commands that messages suggest.

/// The text as one word of a POSIX shell.
pub(crate) fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./+,:%@=".contains(&byte);
    // A `=` first is special in some shells, a `-` first is an option.
    match !text.is_empty() && !text.starts_with('=') && text.bytes().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
