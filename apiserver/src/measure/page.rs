//! The page Prometheus reads: its text format, version 0.0.4, as upstream writes it.
//!
//! The crate that the other programs use writes OpenMetrics, in which a counter's family is named without `_total`; who asks an
//! API server expects upstream's names, also in the `# TYPE` lines.

use std::fmt::{Display, Write as _};

use super::{Histogram, Number};

/// A page that is being written. Writing to a text cannot fail, so what says that it might is not looked at.
#[derive(Debug, Default)]
pub(crate) struct Page(String);

/// The labels of one series.
pub(crate) type Labels<'l> = [(&'static str, &'l str)];

impl Page {
    /// Begins a family. Its series follow.
    pub(crate) fn family(&mut self, name: &str, form: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {form}");
    }

    /// One series of the family.
    pub(crate) fn sample(&mut self, name: &str, labels: &Labels<'_>, value: impl Display) {
        self.line(name, labels, None, value);
    }

    /// One series of a family of histograms.
    pub(crate) fn histogram(&mut self, name: &str, labels: &Labels<'_>, histogram: &Histogram) {
        let bucket = format!("{name}_bucket");
        let mut count = 0;
        for (number, bound) in histogram.buckets.iter().zip(histogram.bounds) {
            count += number.get();
            let bound = (*bound as f64 / histogram.unit).to_string();
            self.line(&bucket, labels, Some(&bound), count);
        }
        count += histogram.buckets.last().map_or(0, Number::get);
        self.line(&bucket, labels, Some("+Inf"), count);
        self.line(&format!("{name}_sum"), labels, None, histogram.sum.get() as f64 / histogram.unit);
        self.line(&format!("{name}_count"), labels, None, count);
    }

    fn line(&mut self, name: &str, labels: &Labels<'_>, bound: Option<&str>, value: impl Display) {
        self.0.push_str(name);
        let mut before = '{';
        for (label, text) in labels.iter().copied().chain(bound.map(|bound| ("le", bound))) {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{before}{label}=\"{text}\"");
            before = ',';
        }
        let end = if before == ',' { "}" } else { "" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// What was written.
    pub(crate) fn text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_as_prometheus_reads_it() {
        let mut page = Page::default();
        page.family("a_total", "counter", "Counter of a.");
        page.sample("a_total", &[], 3);
        page.sample("a_total", &[("b", "x\"\n\\")], 4);
        let histogram = Histogram::of(&[10, 1000]);
        [5, 2000].into_iter().for_each(|value| histogram.observe(value));
        page.family("c", "histogram", "Sizes.");
        page.histogram("c", &[("d", "e")], &histogram);
        expect_test::expect![[r#"
            # HELP a_total Counter of a.
            # TYPE a_total counter
            a_total 3
            a_total{b="x\"\n\\"} 4
            # HELP c Sizes.
            # TYPE c histogram
            c_bucket{d="e",le="10"} 1
            c_bucket{d="e",le="1000"} 1
            c_bucket{d="e",le="+Inf"} 2
            c_sum{d="e"} 2005
            c_count{d="e"} 2
        "#]]
        .assert_eq(&page.text());
    }
}
