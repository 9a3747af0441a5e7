//! `%(name)s` and `%%`. Answers to Python's `configparser.BasicInterpolation`.

/// References within references deeper than this are an error. Python: `MAX_INTERPOLATION_DEPTH`.
const MAX_DEPTH: usize = 10;
/// Ours: a value may grow to this many bytes.
const MAX_LENGTH: usize = 1 << 20;
/// Ours: a value may follow this many references.
const MAX_REFERENCES: usize = 100_000;

/// Why a value cannot be interpolated; prints as the second half of a sentence that starts with the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadInterpolation {
    #[error(
        "has a single % (at {0:?}): write %% for a plain percent sign, or %(name)s for another key's value"
    )]
    LonePercent(String),
    #[error("has a reference without its end (at {0:?}): write %(name)s")]
    Unfinished(String),
    #[error(
        "refers to %({0})s, which is set neither in this section nor in [DEFAULT]: set {0}, or write %% for a percent sign"
    )]
    Missing(String),
    #[error("is nested deeper than {MAX_DEPTH} references: look for keys that refer to each other in a ring")]
    TooDeep,
    #[error("grows beyond {MAX_LENGTH} bytes or {MAX_REFERENCES} references: shorten it")]
    TooLong,
}

/// The value with its references replaced; `lookup` gives the raw value of another key of the section.
pub(super) fn expand<'a>(
    value: &str,
    lookup: impl Fn(&str) -> Option<&'a str>,
) -> Result<String, BadInterpolation> {
    let mut expansion = Expansion { lookup, text: String::new(), references: 0 };
    expansion.some(value, 1)?;
    Ok(expansion.text)
}

struct Expansion<L> {
    lookup: L,
    text: String,
    references: usize,
}

impl<'a, L: Fn(&str) -> Option<&'a str>> Expansion<L> {
    fn some(&mut self, mut rest: &str, depth: usize) -> Result<(), BadInterpolation> {
        if depth > MAX_DEPTH {
            return Err(BadInterpolation::TooDeep);
        }
        while let Some(position) = rest.find('%') {
            self.push(&rest[..position])?;
            rest = &rest[position..];
            if let Some(after) = rest.strip_prefix("%%") {
                self.push("%")?;
                rest = after;
            } else if rest.starts_with("%(") {
                rest = self.reference(rest, depth)?;
            } else {
                return Err(BadInterpolation::LonePercent(excerpt(rest)));
            }
        }
        self.push(rest)
    }

    /// Expands the `%(name)s` that `rest` starts with; what follows it is returned.
    fn reference<'r>(&mut self, rest: &'r str, depth: usize) -> Result<&'r str, BadInterpolation> {
        let unfinished = || BadInterpolation::Unfinished(excerpt(rest));
        let (name, after) = rest["%(".len()..].split_once(')').ok_or_else(unfinished)?;
        let after = after.strip_prefix('s').filter(|_| !name.is_empty()).ok_or_else(unfinished)?;
        self.references += 1;
        if self.references > MAX_REFERENCES {
            return Err(BadInterpolation::TooLong);
        }
        let value = (self.lookup)(name).ok_or_else(|| BadInterpolation::Missing(name.to_owned()))?;
        if value.contains('%') {
            self.some(value, depth + 1)?;
        } else {
            self.push(value)?;
        }
        Ok(after)
    }

    fn push(&mut self, text: &str) -> Result<(), BadInterpolation> {
        if self.text.len() + text.len() > MAX_LENGTH {
            return Err(BadInterpolation::TooLong);
        }
        self.text.push_str(text);
        Ok(())
    }
}

/// Enough of the text to find the place.
fn excerpt(text: &str) -> String {
    text.chars().take(20).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_of_references_is_refused_in_bounded_time_and_memory() {
        for leaf in ["", "boom"] {
            let wide = |name: &str| format!("%({name})s").repeat(1000);
            let values = [("a", wide("b")), ("b", wide("c")), ("c", wide("d")), ("d", leaf.to_owned())];
            let lookup = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, v)| v.as_str());
            assert_eq!(expand("%(a)s", lookup), Err(BadInterpolation::TooLong));
        }
    }
}
