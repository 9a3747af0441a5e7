use rand::{Rng, seq::SliceRandom};

use crate::Turn;

/// So many that come first for each of the others, as long as there are both.
const FIRST_IN_A_ROW: usize = 3;

/// What is yet to be walked of one device: those that come first, and the others.
///
/// The others get one turn in four from the start, so that a device full of handoffs does not keep its own databases
/// waiting until it has given all of them up. Each kind is in random order, as stock walks all: a pass that is broken off
/// again and again comes to all of them in time. Pure.
pub(crate) struct Agenda<T> {
    first: Vec<T>,
    later: Vec<T>,
    in_a_row: usize,
}

impl<T> Agenda<T> {
    pub(crate) fn add(&mut self, turn: Turn, item: T) {
        match turn {
            Turn::First => self.first.push(item),
            Turn::Later => self.later.push(item),
        }
    }

    /// All are there: from here on in random order, and in no more room than they need, as they are held to the end.
    pub(crate) fn shuffle(&mut self, rng: &mut impl Rng) {
        for kind in [&mut self.first, &mut self.later] {
            kind.shrink_to_fit();
            kind.shuffle(rng);
        }
    }
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Self { first: Vec::new(), later: Vec::new(), in_a_row: 0 }
    }
}

impl<T> Iterator for Agenda<T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        let others_turn = self.in_a_row == FIRST_IN_A_ROW && !self.later.is_empty();
        if !others_turn && let Some(item) = self.first.pop() {
            self.in_a_row = FIRST_IN_A_ROW.min(self.in_a_row + 1);
            return Some(item);
        }
        self.in_a_row = 0;
        self.later.pop()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::StdRng};

    use super::*;

    fn order(first: u32, later: u32, seed: u64) -> Vec<(Turn, u32)> {
        let mut agenda = Agenda::default();
        for (turn, n) in all(first, later) {
            agenda.add(turn, (turn, n));
        }
        agenda.shuffle(&mut StdRng::seed_from_u64(seed));
        agenda.collect()
    }

    fn all(first: u32, later: u32) -> Vec<(Turn, u32)> {
        (0..first).map(|n| (Turn::First, n)).chain((0..later).map(|n| (Turn::Later, n))).collect()
    }

    fn turns(first: u32, later: u32) -> String {
        let letter = |(turn, _): &(Turn, u32)| if *turn == Turn::First { 'F' } else { 'l' };
        order(first, later, 1).iter().map(letter).collect()
    }

    #[test]
    fn three_of_four_are_of_those_that_come_first_as_long_as_there_are_both() {
        assert_eq!(turns(7, 4), "FFFlFFFlFll");
        assert_eq!(turns(5, 0), "FFFFF");
        assert_eq!(turns(0, 3), "lll");
        assert_eq!(turns(2, 1), "FFl");
    }

    #[test]
    fn each_kind_is_in_an_order_of_the_dice() {
        let kind = |kind, seed| order(20, 20, seed).into_iter().filter(move |(turn, _)| *turn == kind);
        for turn in [Turn::First, Turn::Later] {
            assert!(kind(turn, 1).eq(kind(turn, 1)) && kind(turn, 1).ne(kind(turn, 2)));
        }
    }

    proptest! {
        #[test]
        fn each_has_one_turn_and_nobody_waits_for_more_than_three_of_the_first(first in 0_u32..40, later in 0_u32..40, seed: u64) {
            let order = order(first, later, seed);
            let mut sorted = order.clone();
            sorted.sort_by_key(|(turn, n)| (*turn == Turn::Later, *n));
            prop_assert_eq!(sorted, all(first, later));
            let places = order.iter().enumerate().filter(|(_, (turn, _))| *turn == Turn::Later);
            for (already, (place, _)) in places.enumerate() {
                prop_assert!(place <= 4 * already + 3, "the {already}th of the others comes as the {place}th");
            }
        }
    }
}
