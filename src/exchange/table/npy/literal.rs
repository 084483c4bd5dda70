//! Python literals, as far as the header of a .npy file has them.

/// Deeper literals are refused: the reader calls itself for each level.
const DEPTH_MAX: usize = 32;

/// A value of Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal {
    Text(String),
    Integer(i128),
    Bool(bool),
    None,
    Tuple(Vec<Literal>),
    List(Vec<Literal>),
    Dict(Vec<(Literal, Literal)>),
}

/// Why a text is not a literal, and the byte at which that shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) why: String,
}

impl Literal {
    /// Reads a text that is one literal, with spaces around it.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let mut reader = Reader { text, at: 0 };
        let literal = reader.literal(0)?;
        reader.skip_spaces();
        match reader.rest().chars().next() {
            None => Ok(literal),
            Some(other) => Err(reader.fault(format!("unexpected {other:?} after the end"))),
        }
    }

    /// The kind of the literal, for errors.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Bool(_) => "a bool",
            Self::None => "None",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
        }
    }
}

struct Reader<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Reader<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn fault(&self, why: impl Into<String>) -> Fault {
        Fault { at: self.at, why: why.into() }
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n', '\x0c']).len();
    }

    /// Skips `token`, if it comes next after spaces.
    fn take(&mut self, token: char) -> bool {
        self.skip_spaces();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len_utf8();
        }
        found
    }

    fn literal(&mut self, depth: usize) -> Result<Literal, Fault> {
        self.skip_spaces();
        if depth > DEPTH_MAX {
            return Err(self.fault(format!("more than {DEPTH_MAX} brackets in one another")));
        }
        let rest = self.rest();
        match rest.chars().next() {
            None => Err(self.fault("the text ends where a value was expected")),
            Some('{') => self.dict(depth),
            Some('[') => {
                self.at += 1;
                Ok(Literal::List(self.items(']', depth)?.0))
            }
            Some('(') => {
                self.at += 1;
                let (mut items, comma) = self.items(')', depth)?;
                match items.len() {
                    // Parentheses around one value, as in arithmetic.
                    1 if !comma => Ok(items.remove(0)),
                    _ => Ok(Literal::Tuple(items)),
                }
            }
            Some('\'' | '"') => self.texts(),
            Some('u' | 'U' | 'b' | 'B') if rest[1..].starts_with(['\'', '"']) => {
                self.at += 1;
                self.texts()
            }
            Some('0'..='9' | '-' | '+') => self.integer(),
            Some(_) => self.word(),
        }
    }

    /// The values up to `end`, and whether a comma follows the last one.
    fn items(&mut self, end: char, depth: usize) -> Result<(Vec<Literal>, bool), Fault> {
        let mut items = Vec::new();
        let mut comma = false;
        loop {
            if self.take(end) {
                return Ok((items, comma));
            }
            if !items.is_empty() && !comma {
                return Err(self.fault(format!("expected a comma or {end:?}")));
            }
            items.push(self.literal(depth + 1)?);
            comma = self.take(',');
        }
    }

    fn dict(&mut self, depth: usize) -> Result<Literal, Fault> {
        self.at += 1;
        let mut entries = Vec::new();
        let mut comma = true;
        loop {
            if self.take('}') {
                return Ok(Literal::Dict(entries));
            }
            if !comma {
                return Err(self.fault("expected a comma or '}'"));
            }
            let key = self.literal(depth + 1)?;
            if !self.take(':') {
                return Err(self.fault("expected ':' after a key"));
            }
            entries.push((key, self.literal(depth + 1)?));
            comma = self.take(',');
        }
    }

    /// A string, and those that follow it without a comma.
    fn texts(&mut self) -> Result<Literal, Fault> {
        let mut text = String::new();
        while self.rest().starts_with(['\'', '"']) {
            self.text(&mut text)?;
            self.skip_spaces();
        }
        Ok(Literal::Text(text))
    }

    fn text(&mut self, into: &mut String) -> Result<(), Fault> {
        let quote = self.rest().chars().next().unwrap_or('\'');
        let open = self.at;
        self.at += 1;
        loop {
            let Some(letter) = self.rest().chars().next() else {
                return Err(Fault { at: open, why: "a string that does not end".into() });
            };
            if letter == '\\' {
                into.push(self.escaped()?);
                continue;
            }
            self.at += letter.len_utf8();
            if letter == quote {
                return Ok(());
            }
            into.push(letter);
        }
    }

    /// The character that a backslash and what follows stand for.
    fn escaped(&mut self) -> Result<char, Fault> {
        let hex = |digits: usize| {
            let digits = self.rest().get(2..2 + digits)?;
            let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
            let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_hex)?;
            Some((char::from_u32(number)?, 2 + digits.len()))
        };
        let letter = self.rest().chars().nth(1);
        let found = match letter {
            Some('\\' | '\'' | '"') => letter.map(|letter| (letter, 2)),
            Some('n') => Some(('\n', 2)),
            Some('r') => Some(('\r', 2)),
            Some('t') => Some(('\t', 2)),
            Some('x') => hex(2),
            Some('u') => hex(4),
            Some('U') => hex(8),
            _ => None,
        };
        let Some((letter, len)) = found else {
            return Err(self.fault("an escape that is not one of a character"));
        };
        self.at += len;
        Ok(letter)
    }

    fn integer(&mut self) -> Result<Literal, Fault> {
        let rest = self.rest();
        let sign = usize::from(rest.starts_with(['-', '+']));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let number = rest[..sign + digits].parse::<i128>();
        let Ok(number) = number else {
            return Err(self.fault("a number that is not an integer of 128 bits"));
        };
        self.at += sign + digits;
        // Python 2 writes long integers so.
        if self.rest().starts_with(['L', 'l']) {
            self.at += 1;
        }
        match self.rest().chars().next() {
            Some(next) if next.is_alphanumeric() || matches!(next, '.' | '_') => {
                Err(self.fault(format!("unexpected {next:?} after an integer")))
            }
            _ => Ok(Literal::Integer(number)),
        }
    }

    fn word(&mut self) -> Result<Literal, Fault> {
        let rest = self.rest();
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let len = rest.find(|letter| !is_word(letter)).unwrap_or(rest.len());
        let literal = match &rest[..len] {
            "True" => Literal::Bool(true),
            "False" => Literal::Bool(false),
            "None" => Literal::None,
            "" => {
                let letter = rest.chars().next().unwrap_or_default();
                return Err(self.fault(format!("unexpected {letter:?}")));
            }
            other => {
                let shown: String = other.chars().take(20).collect();
                return Err(self.fault(format!("{shown:?} is not a literal")));
            }
        };
        self.at += len;
        Ok(literal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_as_python_reads_them() {
        let text = |text: &str| Literal::Text(text.into());
        let cases = [
            (" {'a': (1, -2L), \"b\": [True, False, None,],}\n", {
                let tuple = Literal::Tuple(vec![Literal::Integer(1), Literal::Integer(-2)]);
                let list = vec![Literal::Bool(true), Literal::Bool(false), Literal::None];
                Literal::Dict(vec![(text("a"), tuple), (text("b"), Literal::List(list))])
            }),
            ("(3,)", Literal::Tuple(vec![Literal::Integer(3)])),
            ("(3)", Literal::Integer(3)),
            ("()", Literal::Tuple(Vec::new())),
            ("u'\\xe9\\u20ac\\U0001f600\\'' \"x\"", text("é€😀'x")),
            ("'é'", text("é")),
        ];
        for (from, literal) in cases {
            assert_eq!(Literal::parse(from), Ok(literal), "{from}");
        }
    }

    #[test]
    fn a_fault_names_its_byte() {
        let deep = "(".repeat(100);
        for (from, at, why) in [
            ("", 0, "ends"),
            ("{'a' 1}", 5, "expected ':'"),
            ("(1 2)", 3, "expected a comma"),
            ("{'a': 1 'b': 2}", 8, "expected a comma"),
            ("'abc", 0, "does not end"),
            ("'\\q'", 1, "escape"),
            ("'\\ud800'", 1, "escape"),
            ("1.5", 1, "after an integer"),
            ("nan", 0, "\"nan\" is not a literal"),
            ("__import__('os')", 0, "not a literal"),
            ("{} x", 3, "after the end"),
            ("99999999999999999999999999999999999999999", 0, "128 bits"),
            (&deep, 33, "brackets"),
        ] {
            let fault = Literal::parse(from).unwrap_err();
            assert_eq!(fault.at, at, "{from}: {}", fault.why);
            assert!(fault.why.contains(why), "{from}: {}", fault.why);
        }
    }
}
