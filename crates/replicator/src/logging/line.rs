/// Stock's log line, `SERVER: MESSAGE` with newlines as `#012`. One over `limit` characters (0: any number)
/// keeps its head and tail around ` ... `, or only its head where there is no room for both.
///
/// Stock: `SwiftLogFormatter.format`.
pub(super) fn line(server: &str, message: &str, limit: usize) -> String {
    let line = format!("{server}: {message}").replace('\n', "#012");
    let length = line.chars().count();
    if limit == 0 || length <= limit {
        return line;
    }
    if limit < 7 {
        return line.chars().take(limit).collect();
    }
    let half = (limit - 5) / 2;
    let head: String = line.chars().take(half).collect();
    let tail: String = line.chars().skip(length - half).collect();
    format!("{head} ... {tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_single_and_bounded() {
        assert_eq!(line("s", "a\nb", 0), "s: a#012b");
        // python: SwiftLogFormatter(fmt='%(server)s: %(message)s', max_line_length=N)
        assert_eq!(line("s", "defghijklmnop", 13), "s: d ... mnop");
        assert_eq!(line("s", "defghijklmnop", 6), "s: def");
        assert_eq!(line("s", "abc", 6), "s: abc");
    }
}
