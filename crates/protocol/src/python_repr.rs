use std::fmt;

/// A text as Python's `repr` prints it, for lines that are to read as stock's do.
///
/// ```
/// use martlet_protocol::PythonRepr;
///
/// assert_eq!(PythonRepr("/srv/node/d1").to_string(), "'/srv/node/d1'");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PythonRepr<'a>(pub &'a str);

impl fmt::Display for PythonRepr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let quote = if self.0.contains('\'') && !self.0.contains('"') { '"' } else { '\'' };
        write!(f, "{quote}")?;
        for c in self.0.chars() {
            match c {
                '\\' => write!(f, "\\\\")?,
                '\n' => write!(f, "\\n")?,
                '\r' => write!(f, "\\r")?,
                '\t' => write!(f, "\\t")?,
                c if c == quote => write!(f, "\\{c}")?,
                c if c.is_control() => write!(f, "\\x{:02x}", u32::from(c))?,
                c => write!(f, "{c}")?,
            }
        }
        write!(f, "{quote}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_escapes_are_pythons() {
        // python: repr of each
        for (text, printed) in [("é☃", "'é☃'"), ("it's", "\"it's\""), ("'\"\\\n\x01", "'\\'\"\\\\\\n\\x01'")]
        {
            assert_eq!(PythonRepr(text).to_string(), printed);
        }
    }
}
