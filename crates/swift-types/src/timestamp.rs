use std::fmt::{self, Write as _};

/// Deca-microseconds in a second: Swift's timestamps have five decimal places.
const PER_SECOND: u64 = 100_000;
/// The first value that stock calls "too large": eleven digits of seconds.
const LIMIT: u64 = 10_000_000_000 * PER_SECOND;

/// A moment with Swift's precision of 10 µs, and an offset that orders rewrites of the same moment.
///
/// Ordering is stock's ordering of `internal` strings. Answers to stock's `Timestamp`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    raw: u64,
    offset: u64,
}

/// The text is not a timestamp that stock would take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a timestamp: seconds below 10000000000, optionally _ and up to 16 hex digits expected")]
pub struct BadTimestamp(pub String);

impl Timestamp {
    /// The smallest timestamp, `0000000000.00000`.
    pub const ZERO: Self = Self { raw: 0, offset: 0 };

    /// From seconds since the Unix epoch, rounded to 10 µs; out of range values are clamped.
    pub fn from_seconds(seconds: f64) -> Self {
        let raw = round_raw(seconds).unwrap_or(0).clamp(0, LIMIT.cast_signed() - 1);
        Self { raw: raw.cast_unsigned(), offset: 0 }
    }

    /// Parses `SECONDS[_HEXOFFSET]`.
    ///
    /// # Errors
    /// [`BadTimestamp`] for whatever stock's `Timestamp(text)` raises `ValueError` for.
    pub fn parse(text: &str) -> Result<Self, BadTimestamp> {
        if let Some(timestamp) = Self::of_normal(text) {
            return Ok(timestamp);
        }
        let bad = || BadTimestamp(text.to_owned());
        let (seconds, offset) = text.split_once('_').unwrap_or((text, ""));
        if offset.len() > 16 {
            return Err(bad());
        }
        let offset = match offset {
            "" => 0,
            zero if is_negative_zero(zero) => 0,
            offset => u64::from_str_radix(offset, 16).map_err(|_| bad())?,
        };
        let seconds: f64 = seconds.trim().parse().map_err(|_| bad())?;
        let raw = round_raw(seconds).and_then(|raw| u64::try_from(raw).ok()).ok_or_else(bad)?;
        if raw >= LIMIT {
            return Err(bad());
        }
        Ok(Self { raw, offset })
    }

    /// Reads [`normal`](Self::normal)'s form, digit by digit; none if the text has another. A float comes to the same.
    fn of_normal(text: &str) -> Option<Self> {
        let (seconds, fraction) = text.split_at_checked(10)?;
        let fraction = fraction.strip_prefix('.').filter(|fraction| fraction.len() == 5)?;
        let digits = seconds.bytes().chain(fraction.bytes());
        let mut raw = digits.map(|byte| byte.is_ascii_digit().then(|| u64::from(byte - b'0')));
        raw.try_fold(0, |raw, digit| Some(raw * 10 + digit?)).map(|raw| Self { raw, offset: 0 })
    }

    /// The whole number of 10 µs since the Unix epoch.
    pub const fn raw(self) -> u64 {
        self.raw
    }

    /// Whole seconds since the Unix epoch.
    pub const fn seconds(self) -> u64 {
        self.raw / PER_SECOND
    }

    /// `1402464677.04188`: ten digits, five decimals, no offset.
    pub fn normal(self) -> String {
        format!("{:010}.{:05}", self.raw / PER_SECOND, self.raw % PER_SECOND)
    }

    /// The normal form, then `_` and 16 hex digits if there is an offset. What stock stores.
    pub fn internal(self) -> String {
        if self.offset == 0 { self.normal() } else { format!("{}_{:016x}", self.normal(), self.offset) }
    }

    /// As [`internal`](Self::internal) with the offset's leading zeros dropped; used inside row encodings.
    fn short(self) -> String {
        if self.offset == 0 { self.normal() } else { format!("{}_{:x}", self.normal(), self.offset) }
    }

    /// This moment moved by `delta` × 10 µs and without its offset; `None` when that leaves the range.
    fn moved(self, delta: i64) -> Option<Self> {
        let raw = self.raw.checked_add_signed(delta).filter(|raw| *raw < LIMIT)?;
        Some(Self { raw, offset: 0 })
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.internal())
    }
}

/// Seconds to 10 µs, halves to even as Python's `round`; `None` if not finite or far out of range.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked before the cast")]
fn round_raw(seconds: f64) -> Option<i64> {
    let raw = (seconds / 1e-5).round_ties_even();
    (raw.abs() < 9e18).then_some(raw as i64)
}

/// The three moments that an object row's `created_at` may encode.
///
/// `<data>[<±hex of ctype - data><±hex of meta - ctype>]`. Answers to stock's `encode_timestamps` and
/// `decode_timestamps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowTimestamps {
    /// When the data was written (PUT or DELETE).
    pub data: Timestamp,
    /// When the content type was last set.
    pub ctype: Timestamp,
    /// When the metadata was last set.
    pub meta: Timestamp,
}

impl RowTimestamps {
    /// Decodes a `created_at`. A part that is missing, or zero, takes the value (and offset) before it.
    ///
    /// # Errors
    /// [`BadTimestamp`] where stock's `decode_timestamps` raises.
    pub fn decode(encoded: &str) -> Result<Self, BadTimestamp> {
        if let Some(data) = Timestamp::of_normal(encoded) {
            return Ok(Self { data, ctype: data, meta: data });
        }
        let bad = || BadTimestamp(encoded.to_owned());
        let mut deltas = encoded.match_indices(['+', '-']);
        let first = deltas.next();
        let second = deltas.next();
        let end_of = |next: Option<(usize, &str)>| next.map_or(encoded.len(), |(at, _)| at);
        let third = deltas.next();

        let data = Timestamp::parse(&encoded[..end_of(first)]).map_err(|_| bad())?;
        let step = |from: Timestamp, at: Option<(usize, &str)>, end: usize| -> Option<Timestamp> {
            let Some((at, sign)) = at else { return Some(from) };
            let delta = i64::from_str_radix(&encoded[at + 1..end], 16).ok()?;
            match delta {
                0 => Some(from),
                _ => from.moved(if sign == "-" { -delta } else { delta }),
            }
        };
        let ctype = step(data, first, end_of(second)).ok_or_else(bad)?;
        let meta = step(ctype, second, end_of(third)).ok_or_else(bad)?;
        Ok(Self { data, ctype, meta })
    }

    /// Whether [`encode`](Self::encode) would give just this text.
    pub fn are_written_as(&self, text: &str) -> bool {
        let one_moment = self.ctype == self.data && self.meta == self.data;
        one_moment && Timestamp::of_normal(text) == Some(self.data) || self.encode() == text
    }

    /// The text that stock stores; equal moments collapse into the first alone.
    pub fn encode(&self) -> String {
        let delta = |from: Timestamp, to: Timestamp| to.raw.cast_signed() - from.raw.cast_signed();
        let (ctype, meta) = (delta(self.data, self.ctype), delta(self.ctype, self.meta));
        let mut text = self.data.short();
        if ctype != 0 || meta != 0 {
            for delta in [ctype, meta] {
                let sign = if delta < 0 { '-' } else { '+' };
                let _ = write!(text, "{sign}{:x}", delta.unsigned_abs());
            }
        }
        text
    }
}

/// Python reads `-0` as a number that is not negative.
fn is_negative_zero(text: &str) -> bool {
    text.strip_prefix('-').is_some_and(|zeros| !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ts(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn forms_are_stocks() {
        assert_eq!(ts("1402464677.04188").internal(), "1402464677.04188");
        assert_eq!(ts("0").internal(), "0000000000.00000");
        assert_eq!(ts("1.123456").normal(), "0000000001.12346");
        assert_eq!(ts("1402464677.04188_1").internal(), "1402464677.04188_0000000000000001");
        assert_eq!(ts("1402464677.04188_00000000000000ff").short(), "1402464677.04188_ff");
        assert_eq!(Timestamp::from_seconds(1.5).normal(), "0000000001.50000");
        assert_eq!(ts("96647.971163_-0").internal(), "0000096647.97116");
        assert!(Timestamp::parse("1_-").is_err() && Timestamp::parse("1_-1").is_err());
    }

    #[test]
    fn digits_come_to_what_a_float_comes_to() {
        // Every digit at every place, and the ends of the range.
        let mut seed = 1_u64;
        for _ in 0..200_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            for raw in [seed % LIMIT, LIMIT - 1 - (seed >> 44)] {
                let text = Timestamp { raw, offset: 0 }.normal();
                assert_eq!(ts(&text).raw(), raw, "{text}");
                assert_eq!(ts(&format!(" {text}")).raw(), raw, "{text} by way of a float");
            }
        }
    }

    #[test]
    fn order_is_that_of_internal_strings() {
        let sorted =
            ["0", "1.00000", "1.00000_1", "1.00000_ff", "1.00001", "999999999.9", "1402464677.04188"];
        for pair in sorted.windows(2) {
            assert!(ts(pair[0]) < ts(pair[1]), "{pair:?}");
            assert!(ts(pair[0]).internal() < ts(pair[1]).internal(), "{pair:?}");
        }
    }

    #[test]
    fn what_stock_refuses_is_refused() {
        for bad in ["", "abc", "-1", "nan", "inf", "10000000000", "1_2_3", "1_00000000000000000", "1_xyz"] {
            assert!(Timestamp::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn row_encodings_round_trip() {
        for text in
            ["1402464677.04188", "1402464677.04188+1f+0", "1402464677.04188+0-a", "1402464677.04188_3+5-5"]
        {
            assert_eq!(RowTimestamps::decode(text).unwrap().encode(), text, "{text}");
        }
        let row = RowTimestamps::decode("1402464677.04188_3+0+0").unwrap();
        assert_eq!(row.meta, ts("1402464677.04188_3"), "a zero delta keeps the offset");
        let row = RowTimestamps::decode("1402464677.04188_3+1").unwrap();
        assert_eq!(row.ctype, ts("1402464677.04189"), "a delta drops the offset");
        assert_eq!(row.meta, row.ctype);
    }

    #[test]
    fn bad_row_encodings_are_refused() {
        for bad in ["", "+1", "1+x", "1-ffffffff", "1+"] {
            assert!(RowTimestamps::decode(bad).is_err(), "{bad}");
        }
    }
}
