//! Shared words as weakly ordered hardware shows them: an actor sees its own stores at once, and
//! the others see them later.

use std::collections::VecDeque;

/// Words that several actors share, each behind a buffer of stores.
#[derive(Debug)]
pub(super) struct Memory {
    words: Vec<u64>,
    /// For each actor, the stores that the others do not see yet, oldest first.
    buffers: Vec<VecDeque<(usize, u64)>>,
}

impl Memory {
    pub(super) fn new(words: usize, actors: usize) -> Self {
        Self { words: vec![0; words], buffers: vec![VecDeque::new(); actors] }
    }

    /// The value of a word for an actor: its own stores come first.
    pub(super) fn load(&self, actor: usize, word: usize) -> u64 {
        let own = self.buffers[actor].iter().rev().find(|&&(at, _)| at == word);
        own.map_or(self.words[word], |&(_, value)| value)
    }

    pub(super) fn store(&mut self, actor: usize, word: usize, value: u64) {
        self.buffers[actor].push_back((word, value));
    }

    /// How many stores of an actor the others do not see yet.
    pub(super) fn pending(&self, actor: usize) -> usize {
        self.buffers[actor].len()
    }

    /// Makes the oldest of an actor's stores visible to all, and returns the changed word.
    pub(super) fn flush_one(&mut self, actor: usize) -> Option<(usize, u64)> {
        let (word, value) = self.buffers[actor].pop_front()?;
        self.words[word] = value;
        Some((word, value))
    }

    /// Drops the stores of an actor that the others have not seen.
    pub(super) fn lose(&mut self, actor: usize) {
        self.buffers[actor].clear();
    }
}
