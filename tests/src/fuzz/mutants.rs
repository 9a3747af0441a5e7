use anyhow::{Result, ensure};
use rand::{SeedableRng as _, rngs::StdRng};

use super::{FuzzTarget, mutation::Mutation};

/// Keeps the dice of neighbouring seeds apart: the golden ratio in 64 bits.
const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;

/// The mutants of a target's corpus, each known by its number: the same seed, number and corpus give the same bytes.
pub struct Mutants {
    target: FuzzTarget,
    seed: u64,
    corpus: Vec<Vec<u8>>,
}

impl Mutants {
    /// Of the corpus and of what failed once. Blocks on reading them.
    ///
    /// # Errors
    /// If they cannot be read, or there are none.
    pub fn new(target: FuzzTarget, seed: u64) -> Result<Self> {
        let corpus: Vec<_> = target.fixed_inputs()?.into_iter().map(|(_, bytes)| bytes).collect();
        ensure!(!corpus.is_empty(), "{} is empty", target.corpus_dir().display());
        Ok(Self { target, seed, corpus })
    }

    /// One of them.
    pub fn mutant(&self, number: u64) -> Vec<u8> {
        let mut dice = StdRng::seed_from_u64(self.seed.wrapping_mul(SPREAD) ^ number);
        Mutation { corpus: &self.corpus, makeup: self.target.makeup(), dice: &mut dice }.mutant()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_and_a_number_always_mean_the_same_bytes() {
        for target in FuzzTarget::ALL {
            let mutants = |seed| Mutants::new(target, seed).unwrap();
            let (one, same, other) = (mutants(1), mutants(1), mutants(2));
            assert!((0..50).all(|number| one.mutant(number) == same.mutant(number)), "{}", target.name());
            assert!((0..50).any(|number| one.mutant(number) != other.mutant(number)), "{}", target.name());
        }
    }
}
