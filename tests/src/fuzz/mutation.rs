use std::ops::Range;

use rand::{RngExt as _, rngs::StdRng, seq::IndexedRandom as _};

use super::{Makeup, tokens};

/// No mutant is longer, in bytes: what is to be found by length alone is found below it.
const LONGEST: usize = 128 << 10;
/// Numbers at which programs change their minds: as lengths, offsets, counts and page numbers.
const NUMBERS: [u64; 16] = [
    0,
    1,
    2,
    0x7F,
    0x80,
    0xFF,
    0x7FFF,
    0xFFFF,
    0x1_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    0x1_0000_0000,
    0x7FFF_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0000,
    0xFFFF_FFFF_FFFF_FFFF,
];

/// One mutant in the making.
pub(super) struct Mutation<'a> {
    pub(super) corpus: &'a [Vec<u8>],
    pub(super) makeup: Makeup,
    pub(super) dice: &'a mut StdRng,
}

impl Mutation<'_> {
    /// A file of the corpus with one to six changes.
    pub(super) fn mutant(mut self) -> Vec<u8> {
        let mut bytes = self.of_corpus().to_vec();
        for _ in 0..self.dice.random_range(1..=6) {
            self.change(&mut bytes);
        }
        bytes.truncate(LONGEST);
        bytes
    }

    fn of_corpus(&mut self) -> &[u8] {
        self.corpus.choose(self.dice).map_or(&[], Vec::as_slice)
    }

    fn change(&mut self, bytes: &mut Vec<u8>) {
        if self.makeup == Makeup::Text && self.dice.random_ratio(2, 3) {
            return tokens::swap(bytes, self.dice);
        }
        match self.dice.random_range(0..10) {
            0..=2 => self.flip(bytes),
            3 => self.put_byte(bytes),
            4 | 5 => self.put_number(bytes),
            6 => self.cut_short(bytes),
            7 => self.take_out(bytes),
            8 => self.repeat(bytes),
            _ => self.splice(bytes),
        }
    }

    /// A place in the bytes, every other time one that is not zero: much of a database is room for more.
    fn place(&mut self, bytes: &[u8]) -> Option<usize> {
        let place = self.dice.random_range(0..bytes.len().max(1));
        if self.dice.random() {
            return (place < bytes.len()).then_some(place);
        }
        let used = |place: &usize| bytes[*place] != 0;
        (place..bytes.len()).find(used).or_else(|| (0..place.min(bytes.len())).find(used))
    }

    fn piece(&mut self, bytes: &[u8], longest: usize) -> Range<usize> {
        let start = self.dice.random_range(0..=bytes.len());
        start..start + self.dice.random_range(0..=longest.min(bytes.len() - start))
    }

    fn flip(&mut self, bytes: &mut [u8]) {
        if let Some(place) = self.place(bytes) {
            bytes[place] ^= 1 << self.dice.random_range(0..8);
        }
    }

    fn put_byte(&mut self, bytes: &mut [u8]) {
        if let Some(place) = self.place(bytes) {
            bytes[place] = self.dice.random();
        }
    }

    fn put_number(&mut self, bytes: &mut [u8]) {
        let Some(place) = self.place(bytes) else { return };
        let number = NUMBERS.choose(self.dice).copied().unwrap_or_default();
        let width = [1, 2, 4, 8].choose(self.dice).copied().unwrap_or(1).min(bytes.len() - place);
        let (little, big) = (number.to_le_bytes(), number.to_be_bytes());
        let written = if self.dice.random() { &little[..width] } else { &big[8 - width..] };
        bytes[place..place + width].copy_from_slice(written);
    }

    fn cut_short(&mut self, bytes: &mut Vec<u8>) {
        bytes.truncate(self.dice.random_range(0..=bytes.len()));
    }

    fn take_out(&mut self, bytes: &mut Vec<u8>) {
        let piece = self.piece(bytes, 64);
        bytes.drain(piece);
    }

    /// A piece again, behind itself: seldom so often that depth or length is the point.
    fn repeat(&mut self, bytes: &mut Vec<u8>) {
        let longest = if self.dice.random() { 4 } else { 512 };
        let piece = self.piece(bytes, longest);
        let most = if self.dice.random_ratio(1, 8) { LONGEST } else { 2048 } / piece.len().max(1);
        let again = bytes[piece.clone()].repeat(self.dice.random_range(1..=most.max(1)));
        bytes.splice(piece.end..piece.end, again);
    }

    /// The beginning of these bytes and the end of others, or a piece of others in the midst of these.
    fn splice(&mut self, bytes: &mut Vec<u8>) {
        let place = self.dice.random_range(0..=bytes.len());
        let other = self.of_corpus().to_vec();
        let piece = self.piece(&other, LONGEST);
        if self.dice.random() {
            bytes.truncate(place);
            bytes.extend_from_slice(&other[piece.start..]);
        } else {
            bytes.splice(place..place, other[piece].iter().copied());
        }
    }
}
