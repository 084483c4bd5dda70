//! The few texts that keep a column from another type: mostly words for null.

/// The most texts that are a few.
const TEXTS_MAX: usize = 3;
/// A longer text is no word for null, nor is one with control characters.
const TEXT_BYTES_MAX: usize = 40;

/// The texts of a column that are of no other type, each once, as long as they are few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Strays {
    /// In the order of their bytes.
    texts: Vec<Box<[u8]>>,
    values: u64,
    many: bool,
}

impl Strays {
    /// Whether there were too many to tell: the column is text.
    #[inline]
    pub(super) fn are_many(&self) -> bool {
        self.many
    }

    /// Notes a text.
    pub(super) fn note(&mut self, text: &[u8]) {
        self.add(text, 1);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if other.many {
            self.give_up();
        }
        for text in &other.texts {
            self.add(text, 0);
        }
        self.values += other.values;
    }

    fn add(&mut self, text: &[u8], values: u64) {
        if self.many {
            return;
        }
        self.values += values;
        let Err(place) = self.texts.binary_search_by(|known| (**known).cmp(text)) else { return };
        let is_word = text.len() <= TEXT_BYTES_MAX && !text.iter().any(u8::is_ascii_control);
        if self.texts.len() == TEXTS_MAX || !is_word {
            self.give_up();
        } else {
            self.texts.insert(place, text.into());
        }
    }

    fn give_up(&mut self) {
        *self = Self { many: true, ..Self::default() };
    }

    /// The texts and the number of values that have them, if these are at most half of `rows`.
    pub(super) fn few(&self, rows: u64) -> Option<(Vec<String>, u64)> {
        let few = !self.many && self.values > 0 && self.values <= rows / 2;
        few.then(|| {
            let texts = self.texts.iter().map(|text| String::from_utf8_lossy(text).into_owned());
            (texts.collect(), self.values)
        })
    }
}
