//! The columns of what is printed.

/// The cells of one line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) scenario: String,
    pub(crate) databases: String,
    pub(crate) contest: String,
    pub(crate) wall: String,
    pub(crate) sender: String,
    pub(crate) receivers: String,
    pub(crate) all: String,
    pub(crate) peak: String,
    pub(crate) by_wall: String,
    pub(crate) by_cpu: String,
    pub(crate) requests: String,
    pub(crate) kib: String,
    pub(crate) fsyncs: String,
    pub(crate) speed: String,
}

impl Line {
    /// The lines above the others.
    pub(crate) fn heading() -> [Self; 2] {
        let above = Self {
            sender: "CPU".into(),
            receivers: "CPU".into(),
            all: "CPU".into(),
            by_wall: "stock's".into(),
            by_cpu: "stock's".into(),
            requests: "requests".into(),
            kib: "KiB".into(),
            fsyncs: "fsyncs".into(),
            ..Self::default()
        };
        let below = Self {
            scenario: "scenario".into(),
            databases: "dbs".into(),
            contest: "sender → servers".into(),
            wall: "wall s".into(),
            sender: "of sender".into(),
            receivers: "of servers".into(),
            all: "of all".into(),
            peak: "MiB".into(),
            by_wall: "wall by".into(),
            by_cpu: "CPU by".into(),
            requests: "by db".into(),
            kib: "by db".into(),
            fsyncs: "by db".into(),
            speed: "speed".into(),
        };
        [above, below]
    }

    /// As it is printed.
    pub(crate) fn text(&self) -> String {
        let Self { scenario, databases, contest, wall, sender, receivers, all, peak, .. } = self;
        let Self { by_wall, by_cpu, requests, kib, fsyncs, speed, .. } = self;
        let line = format!(
            "{scenario:<13} {databases:>6} {contest:<18} {wall:>7} {sender:>9} {receivers:>10} {all:>9} {peak:>4} \
             {by_wall:>8} {by_cpu:>8} {requests:>8} {kib:>8} {fsyncs:>6}  {speed}"
        );
        line.trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_one_below_the_other() {
        let [above, below] = Line::heading().map(|line| line.text());
        let end =
            |text: &str, word: &str| text.chars().count() - text.split_once(word).unwrap().1.chars().count();
        assert_eq!(end(&above, "requests"), end(&below, "by db"));
        assert!(below.ends_with("speed") && above.ends_with("fsyncs"), "{above}\n{below}");
    }
}
