//! A metrics page, fetched and read: Prometheus' text format, as much of it as the page has.

use std::{collections::BTreeMap, time::Duration};

use ureq::Agent;

use super::TopError;

/// No page is as large.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
const PATIENCE: Duration = Duration::from_secs(5);

/// One line that is no comment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Page {
    pub(crate) url: String,
    samples: Vec<Sample>,
}

impl Page {
    /// Blocks until all of it is there, five seconds at most.
    pub(crate) fn fetch(url: &str) -> Result<Self, TopError> {
        let error = |why: String| TopError::Page { url: url.to_owned(), why };
        let agent: Agent = Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None).build().into();
        let mut answer = agent.get(url).call().map_err(|why| error(why.to_string()))?;
        let body = answer.body_mut().with_config().limit(MOST_BYTES).read_to_string();
        let page = Self::parse(url, &body.map_err(|why| error(why.to_string()))?);
        if page.samples.iter().any(|sample| sample.name.starts_with("martlet_")) {
            Ok(page)
        } else {
            Err(error("no metrics of Martlet's are there".to_owned()))
        }
    }

    /// What is no sample is left out.
    pub(crate) fn parse(url: &str, text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        Self { url: url.to_owned(), samples: lines.filter_map(Sample::parse).collect() }
    }

    /// Those of a name.
    pub(crate) fn of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    /// All of a name together; 0 if there is none.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        total(self.of(name))
    }

    /// Of a name by one label, all with the same value of it together, in its order.
    pub(crate) fn by(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        sums(self.of(name), label)
    }

    /// The first of a name, for a label.
    pub(crate) fn label(&self, name: &str, label: &str) -> String {
        self.of(name).next().map_or_else(String::new, |sample| sample.label(label).to_owned())
    }
}

impl Sample {
    /// `name{label="value",…} value`, whatever time may follow.
    fn parse(line: &str) -> Option<Self> {
        let end = line.find(['{', ' '])?;
        let (name, rest) = line.split_at(end);
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(rest) => labels(rest)?,
            None => (BTreeMap::new(), rest),
        };
        let value = rest.split_whitespace().next()?.parse().ok()?;
        Some(Self { name: name.to_owned(), labels, value })
    }

    /// Empty if it has none of that name.
    pub(crate) fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }
}

/// By one label, as [`Page::by`].
pub(crate) fn sums<'a>(samples: impl Iterator<Item = &'a Sample>, label: &str) -> BTreeMap<String, f64> {
    let mut sums = BTreeMap::new();
    for sample in samples {
        *sums.entry(sample.label(label).to_owned()).or_default() += sample.value;
    }
    sums
}

/// From 0 on: the sum of no numbers is -0, and shows it.
fn total<'a>(samples: impl Iterator<Item = &'a Sample>) -> f64 {
    samples.fold(0.0, |sum, sample| sum + sample.value)
}

/// Of what is counted, which the page has as a number with a point.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "what is no count is clamped")]
pub(crate) fn count(value: f64) -> u64 {
    value.round() as u64
}

/// Up to the closing brace, and what is behind it.
fn labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(behind) = rest.strip_prefix('}') {
            return Some((labels, behind));
        }
        let (name, quoted) = rest.split_once("=\"")?;
        let (value, behind) = quoted_value(quoted)?;
        labels.insert(name.trim().to_owned(), value);
        rest = behind;
    }
}

/// Up to the closing quote, in which `\\`, `\"` and `\n` stand for one letter.
fn quoted_value(text: &str) -> Option<(String, &str)> {
    let (mut value, mut letters) = (String::new(), text.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => value.push(match letters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn samples_are_read_as_prometheus_writes_them() {
        let text = "# HELP a_total b\n# TYPE a_total counter\na_total{d=\"s\\\"d\\\\,}b\\n\",e=\"\"} 5\nb 1.5e3 17\nc +Inf\n\nnone\nd{x=\"y} 1\n";
        let page = Page::parse("", text);
        let labels =
            BTreeMap::from([("d".to_owned(), "s\"d\\,}b\n".to_owned()), ("e".to_owned(), String::new())]);
        let first = Sample { name: "a_total".to_owned(), labels, value: 5.0 };
        assert_eq!(page.samples[0], first);
        assert_eq!((page.sum("b"), page.sum("c"), page.samples.len()), (1500.0, f64::INFINITY, 3));
    }

    #[test]
    fn sums_are_by_one_label() {
        let page = Page::parse("", "a{d=\"x\",r=\"1\"} 1\na{d=\"x\",r=\"2\"} 2\na{d=\"y\"} 4\nb 9\n");
        assert_eq!(page.by("a", "d"), BTreeMap::from([("x".to_owned(), 3.0), ("y".to_owned(), 4.0)]));
        assert_eq!((page.sum("a"), page.sum("z")), (7.0, 0.0));
    }

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "(?s).{0,80}", line in r#"[a-z{}="\\, 0-9]{0,40}"#) {
            Page::parse("", &text);
            Page::parse("", &line);
        }
    }
}
