//! Shared words as weak hardware shows them: what an actor stores is seen by itself at once, and by
//! the others later.

use std::collections::VecDeque;

/// Words that several actors share, each behind a buffer of stores.
#[derive(Debug)]
pub(super) struct Memory {
    words: Vec<u64>,
    /// By actor, what the others do not see yet, oldest first.
    buffers: Vec<VecDeque<(usize, u64)>>,
}

impl Memory {
    pub(super) fn new(words: usize, actors: usize) -> Self {
        Self { words: vec![0; words], buffers: vec![VecDeque::new(); actors] }
    }

    /// A word as an actor sees it: its own stores first.
    pub(super) fn load(&self, actor: usize, word: usize) -> u64 {
        let own = self.buffers[actor].iter().rev().find(|&&(at, _)| at == word);
        own.map_or(self.words[word], |&(_, value)| value)
    }

    pub(super) fn store(&mut self, actor: usize, word: usize, value: u64) {
        self.buffers[actor].push_back((word, value));
    }

    /// How many stores of an actor nobody else sees yet.
    pub(super) fn pending(&self, actor: usize) -> usize {
        self.buffers[actor].len()
    }

    /// Lets everybody see the oldest of an actor's stores: which word that changed.
    pub(super) fn flush_one(&mut self, actor: usize) -> Option<(usize, u64)> {
        let (word, value) = self.buffers[actor].pop_front()?;
        self.words[word] = value;
        Some((word, value))
    }

    /// Forgets what nobody has seen of an actor's stores.
    pub(super) fn lose(&mut self, actor: usize) {
        self.buffers[actor].clear();
    }
}
