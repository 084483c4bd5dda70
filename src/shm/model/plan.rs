//! The decisions of an execution: tried one after the other, or drawn at random.

use super::scheduler::Choice;

/// Decides what happens next, and records its decisions.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// The decisions to take first.
    prefix: Vec<usize>,
    /// The decisions taken, each with the number of alternatives.
    taken: Vec<(usize, usize)>,
    /// How many unusual events may happen: an actor is stopped between two steps, or a store
    /// arrives late.
    bound: usize,
    spent: usize,
    random: Option<Random>,
}

impl Plan {
    /// Follows `prefix`, then takes the usual way.
    pub(super) fn follow(prefix: Vec<usize>, bound: usize) -> Self {
        Self { prefix, bound, ..Self::default() }
    }

    /// Chooses at random.
    pub(super) fn random(seed: u64) -> Self {
        Self { bound: usize::MAX, random: Some(Random::new(seed)), ..Self::default() }
    }

    /// The same plan again.
    pub(super) fn replay(&self) -> Self {
        Self::follow(self.taken.iter().map(|&(chosen, _)| chosen).collect(), self.bound)
    }

    /// The next plan in order, with the same bound; `None` after the last.
    pub(super) fn next(mut self) -> Option<Self> {
        loop {
            let (chosen, among) = self.taken.pop()?;
            if chosen + 1 < among {
                let mut prefix: Vec<usize> = self.taken.iter().map(|&(chosen, _)| chosen).collect();
                prefix.push(chosen + 1);
                return Some(Self::follow(prefix, self.bound));
            }
        }
    }

    /// Chooses among the possible events, each with its cost; one is always free. A random plan
    /// mostly lets the same actor continue.
    pub(super) fn choose(&mut self, choices: &[(Choice, usize)]) -> Choice {
        self.choose_by(choices, Random::choose)
    }

    /// Chooses among the possible events, all equally likely.
    pub(super) fn choose_any(&mut self, choices: &[(Choice, usize)]) -> Choice {
        self.choose_by(choices, |random, open| random.below(open.len()))
    }

    fn choose_by(
        &mut self,
        choices: &[(Choice, usize)],
        choose: impl FnOnce(&mut Random, &[&(Choice, usize)]) -> usize,
    ) -> Choice {
        let left = self.bound - self.spent;
        let open: Vec<_> = choices.iter().filter(|&&(_, cost)| cost <= left).collect();
        let chosen = match (self.prefix.get(self.taken.len()), &mut self.random) {
            (Some(&chosen), _) => chosen,
            (None, Some(random)) => choose(random, &open),
            (None, None) => 0,
        };
        self.taken.push((chosen, open.len()));
        let &&(choice, cost) = open.get(chosen).expect("an execution is the same every time");
        if self.random.is_none() && self.bound != usize::MAX {
            self.spent += cost;
        }
        choice
    }
}

/// SplitMix64.
#[derive(Debug)]
struct Random {
    state: u64,
    /// An actor is stopped about once in so many turns.
    patience: u64,
    /// An actor dies about once in so many turns.
    health: u64,
}

impl Random {
    fn new(seed: u64) -> Self {
        let mut random = Self { state: seed, patience: 0, health: 0 };
        random.patience = [2, 5, 12, 30][random.below(4)];
        random.health = [8, 30, 100][random.below(3)];
        random
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        let below = self.next() % bound as u64;
        usize::try_from(below).unwrap_or(0)
    }

    fn choose(&mut self, open: &[&(Choice, usize)]) -> usize {
        let is_kill = |&&&(choice, _): &&&(Choice, usize)| matches!(choice, Choice::Kill { .. });
        let kills = open.iter().filter(is_kill).count();
        let others = open.len() - kills;
        if kills > 0 && self.next() % self.health == 0 {
            others + self.below(kills) // Kills come last.
        } else if matches!(open[0], (Choice::Continue, _)) && self.next() % self.patience != 0 {
            0
        } else {
            let drawn = self.below(others);
            let extreme = self.below(4);
            let is_like = |other: Choice| match (open[drawn].0, other) {
                (Choice::Switch { to, .. }, Choice::Switch { to: other, arrive }) => {
                    to == other && (extreme == 2 || arrive == 0)
                }
                _ => false,
            };
            // All stores arriving (the first choice), or none, is as likely as all cases between.
            let like = open[..others].iter().position(|(other, _)| is_like(*other));
            like.filter(|_| extreme > 1).unwrap_or(drawn)
        }
    }
}
