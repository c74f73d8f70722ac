//! The figures of a suite, and the two forms in which they are printed: a Markdown table, as in the README, and JSON.

use std::{fmt::Write as _, time::Duration};

use serde::Serialize;

use crate::{
    latency::Latencies,
    usage::{Share, Usage},
};

/// What a suite measured. What is not known, or makes no sense for a suite, is absent.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// The suite's name.
    pub(crate) suite: &'static str,
    /// The sizes it was run with, and what it found beside the figures.
    pub(crate) what: String,
    /// How many operations were done.
    pub(crate) operations: u64,
    /// How long they took together.
    pub(crate) wall_seconds: f64,
    /// Operations per second of that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) per_second: Option<f64>,
    /// Half the operations took at most so many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) median_ms: Option<f64>,
    /// 99 of 100 operations took at most so many milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ms: Option<f64>,
    /// CPU time of the server's processes for one operation, in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server_cpu_us: Option<f64>,
    /// The same of this process, which shares the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_cpu_us: Option<f64>,
    /// Resident memory of the server's processes before, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_before: Option<u64>,
    /// The same afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_after: Option<u64>,
    /// Each of the server's processes alone, if there are several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) processes: Vec<Share>,
}

impl Report {
    /// The report on `operations` that took `wall` together and `latencies` each.
    pub(crate) fn new(suite: &'static str, what: String, operations: u64, wall: Duration, latencies: Latencies, usage: Usage) -> Self {
        let summary = latencies.summary();
        let share = |used: Option<Duration>| Some(used?.as_secs_f64() * 1e6 / count(operations)).filter(|share| share.is_finite());
        Self {
            suite,
            what,
            operations,
            wall_seconds: wall.as_secs_f64(),
            per_second: Some(count(operations) / wall.as_secs_f64()).filter(|rate| rate.is_finite()),
            median_ms: summary.map(|summary| summary.median.as_secs_f64() * 1e3),
            p99_ms: summary.map(|summary| summary.p99.as_secs_f64() * 1e3),
            server_cpu_us: share(usage.server),
            client_cpu_us: share(usage.own),
            rss_before: usage.resident_before,
            rss_after: usage.resident_after,
            processes: if usage.processes.len() > 1 { usage.processes } else { Vec::new() },
        }
    }

    fn row(&self) -> [String; 9] {
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".to_owned());
        let cpu = |micros: Option<f64>| or_dash(micros.map(|micros| grouped(micros.round())));
        let resident = match (self.rss_before, self.rss_after) {
            (Some(before), Some(after)) => format!("{} → {}", megabytes(before), megabytes(after)),
            (None, Some(after)) => megabytes(after),
            _ => "–".to_owned(),
        };
        [
            format!("`{}`", self.suite),
            self.what.clone(),
            or_dash(self.per_second.map(|rate| grouped(rate.round()))),
            or_dash(self.median_ms.map(milliseconds)),
            or_dash(self.p99_ms.map(milliseconds)),
            milliseconds(self.wall_seconds * 1e3),
            cpu(self.server_cpu_us),
            cpu(self.client_cpu_us),
            resident,
        ]
    }
}

/// The reports as a Markdown table that also reads well as text.
pub(crate) fn table(reports: &[Report]) -> String {
    const HEAD: [&str; 9] =
        ["suite", "what", "per second", "median", "p99", "wall", "server CPU µs each", "client CPU µs each", "server RSS, MB"];
    let rows: Vec<_> = std::iter::once(HEAD.map(str::to_owned)).chain(reports.iter().map(Report::row)).collect();
    let widths: [usize; 9] = std::array::from_fn(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0));
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Words to the left, figures to the right.
            let _ = if column < 2 { write!(text, "| {cell:<width$} ") } else { write!(text, "| {cell:>width$} ") };
        }
        text.push_str("|\n");
        if index == 0 {
            for (column, width) in widths.into_iter().enumerate() {
                let _ = write!(text, "|{}{}", "-".repeat(width + 1), if column < 2 { '-' } else { ':' });
            }
            text.push_str("|\n");
        }
    }
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
fn count(operations: u64) -> f64 {
    operations as f64
}

#[expect(clippy::cast_precision_loss, reason = "a tenth of a megabyte is shown")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / 1e6)
}

fn milliseconds(ms: f64) -> String {
    if ms < 10.0 {
        format!("{ms:.2} ms")
    } else if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1e3)
    }
}

/// `12345` as `12,345`.
pub(crate) fn grouped(number: impl ToString) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn reports() -> Vec<Report> {
        let mut latencies = Latencies::default();
        (1..=100).for_each(|micros| latencies.record(Duration::from_micros(micros * 100)));
        let usage = Usage {
            server: Some(Duration::from_secs(2)),
            own: Some(Duration::from_secs(1)),
            resident_before: Some(20_000_000),
            resident_after: Some(31_250_000),
            processes: Vec::new(),
        };
        let full = Report::new("create", "50 clients".to_owned(), 30_000, Duration::from_secs(3), latencies, usage);
        let bare = Report::new("flow", "5,000 pods".to_owned(), 0, Duration::from_millis(1500), Latencies::default(), Usage::default());
        vec![full, bare]
    }

    #[test]
    fn as_a_table() {
        expect![[r#"
            | suite    | what       | per second |  median |     p99 |  wall | server CPU µs each | client CPU µs each | server RSS, MB |
            |----------|------------|-----------:|--------:|--------:|------:|-------------------:|-------------------:|---------------:|
            | `create` | 50 clients |     10,000 | 5.00 ms | 9.90 ms | 3.0 s |                 67 |                 33 |    20.0 → 31.2 |
            | `flow`   | 5,000 pods |          0 |       – |       – | 1.5 s |                  – |                  – |              – |
        "#]]
        .assert_eq(&table(&reports()));
    }

    #[test]
    fn as_json() {
        let text = reports().iter().map(|report| serde_json::to_string(report).unwrap()).collect::<Vec<_>>().join("\n");
        expect![[r#"
            {"suite":"create","what":"50 clients","operations":30000,"wall_seconds":3.0,"per_second":10000.0,"median_ms":5.0,"p99_ms":9.9,"server_cpu_us":66.66666666666667,"client_cpu_us":33.333333333333336,"rss_before":20000000,"rss_after":31250000}
            {"suite":"flow","what":"5,000 pods","operations":0,"wall_seconds":1.5,"per_second":0.0}"#]].assert_eq(&text);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(["0", "999", "1000", "123456", "1234567"].map(grouped), ["0", "999", "1,000", "123,456", "1,234,567"]);
    }
}
