//! The few texts that keep a column from another type: mostly words for null.

/// The most texts that are a few.
const TEXTS_MAX: usize = 3;
/// A column with a longer text is one of texts.
const TEXT_BYTES_MAX: usize = 1000;

/// The texts of a column that are of no other type, each once, as long as they are few.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Strays {
    /// In the order of their bytes.
    texts: Vec<Stray>,
    values: u64,
    many: bool,
}

/// A text, and the number of line ends before its first row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stray {
    text: Box<[u8]>,
    pub(super) lines_before: u64,
}

impl Stray {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.text).into_owned()
    }
}

impl Strays {
    /// Whether there were too many to tell: the column is text.
    #[inline]
    pub(super) fn are_many(&self) -> bool {
        self.many
    }

    /// How many values have one of the texts.
    #[inline]
    pub(super) fn values(&self) -> u64 {
        self.values
    }

    /// Notes known texts so many times more.
    pub(super) fn note_again(&mut self, values: u64) {
        if !self.many {
            self.values += values;
        }
    }

    /// Notes a text in a row; asks for the line ends before the row only if the text is new.
    pub(super) fn note(&mut self, text: &[u8], lines_before: impl FnOnce() -> u64) {
        self.add(text, 1, lines_before);
    }

    /// Adds those of another part of the file, whose lines count from the end of `lines_before`.
    pub(super) fn merge(&mut self, other: &Self, lines_before: u64) {
        if other.many {
            self.give_up();
        }
        for stray in &other.texts {
            let lines = lines_before.saturating_add(stray.lines_before);
            self.add(&stray.text, 0, || lines);
        }
        self.values += other.values;
    }

    fn add(&mut self, text: &[u8], values: u64, lines_before: impl FnOnce() -> u64) {
        if self.many {
            return;
        }
        self.values += values;
        // Parts are merged in order, so the first line of a text is the one that is known.
        let place = self.texts.binary_search_by(|known| (*known.text).cmp(text));
        let Err(place) = place else { return };
        if self.texts.len() == TEXTS_MAX || text.len() > TEXT_BYTES_MAX {
            self.give_up();
        } else {
            self.texts.insert(place, Stray { text: text.into(), lines_before: lines_before() });
        }
    }

    fn give_up(&mut self) {
        *self = Self { many: true, ..Self::default() };
    }

    /// The texts and the number of values that have them, if these are at most half of `rows`.
    pub(super) fn few(&self, rows: u64) -> Option<(&[Stray], u64)> {
        let few = !self.many && self.values > 0 && self.values <= rows / 2;
        few.then_some((&self.texts, self.values))
    }
}
