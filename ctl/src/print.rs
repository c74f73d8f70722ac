//! Text in columns, laid out exactly as `kubectl` does it (Go's `text/tabwriter`), and the way text leaves the program.
//! It knows cells, and nothing of what is in them.

use std::io::{ErrorKind, Write};

use crate::error::{Error, Result, usage};

/// Lays out lines of tab-separated cells.
///
/// A column is a run of adjacent lines that have a cell *ended by a tab* there; its width is that of its widest cell plus
/// the padding. What follows the last tab of a line belongs to no column and is never padded. Source: Go's text/tabwriter.
#[derive(Debug, Clone)]
pub(crate) struct TabWriter {
    /// Columns are at least this wide, padding included.
    min_width: usize,
    padding: usize,
    /// The widest each column has ever been, if columns may not shrink from one flush to the next (as in a watch).
    remembered: Option<Vec<usize>>,
    lines: Vec<Vec<String>>,
    out: String,
}

impl TabWriter {
    /// The layout of `kubectl get`: three spaces, columns that keep their width over flushes.
    #[must_use]
    pub(crate) fn table() -> Self {
        Self { min_width: 6, padding: 3, remembered: Some(Vec::new()), lines: Vec::new(), out: String::new() }
    }

    /// The layout of `kubectl describe`: two spaces.
    #[must_use]
    pub(crate) fn page() -> Self {
        Self { min_width: 0, padding: 2, remembered: None, lines: Vec::new(), out: String::new() }
    }

    /// Adds one line whose cells are separated by tabs.
    pub(crate) fn line(&mut self, line: &str) {
        self.lines.push(line.split('\t').map(str::to_owned).collect());
    }

    /// Ends all columns; what follows is laid out on its own.
    pub(crate) fn flush(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        self.format(&lines, &mut Vec::new());
    }

    /// Everything laid out so far, leaving the writer empty.
    pub(crate) fn take(&mut self) -> String {
        self.flush();
        std::mem::take(&mut self.out)
    }

    fn format(&mut self, lines: &[Vec<String>], widths: &mut Vec<usize>) {
        let column = widths.len();
        let has_cell = |line: &Vec<String>| column + 1 < line.len();
        let mut written = 0;
        while let Some(start) = lines[written..].iter().position(has_cell).map(|at| written + at) {
            self.write(&lines[written..start], widths);
            let end = lines[start..].iter().position(|line| !has_cell(line)).map_or(lines.len(), |at| start + at);
            let cells = lines[start..end].iter().map(|line| line[column].chars().count() + self.padding);
            let width = cells.max().unwrap_or(0).max(self.min_width);
            widths.push(self.remember(column, width));
            self.format(&lines[start..end], widths);
            widths.pop();
            written = end;
        }
        self.write(&lines[written..], widths);
    }

    fn remember(&mut self, column: usize, width: usize) -> usize {
        let Some(remembered) = &mut self.remembered else { return width };
        match remembered.get_mut(column) {
            Some(known) => *known = width.max(*known),
            None => remembered.push(width),
        }
        remembered[column]
    }

    fn write(&mut self, lines: &[Vec<String>], widths: &[usize]) {
        for line in lines {
            for (column, cell) in line.iter().enumerate() {
                self.out.push_str(cell);
                if let Some(width) = widths.get(column) {
                    let padding = width.saturating_sub(cell.chars().count());
                    self.out.extend(std::iter::repeat_n(' ', padding));
                }
            }
            self.out.push('\n');
        }
    }
}

/// Writes to stdout at once.
///
/// # Errors
/// [`Error::Silent`] when nobody reads any more (`mini-ctl get pods | head -1`), else what the system says.
pub(crate) fn print(text: &str) -> Result<()> {
    print_bytes(text.as_bytes())
}

/// Writes bytes to stdout at once.
///
/// # Errors
/// As [`print()`].
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Error::Silent,
        _ => usage(format!("write to standard output: {error}")),
    })
}

/// Writes one line to stderr; there is nowhere to complain if that fails.
pub(crate) fn notice(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(lines: &[&str]) -> String {
        let mut writer = TabWriter::page();
        lines.iter().for_each(|line| writer.line(line));
        writer.take()
    }

    #[test]
    fn columns_are_runs_of_adjacent_lines() {
        let text = page(&["Name:\tweb", "Namespace:\tdefault", "Pod Template:", "  Labels:\tapp=web", "  \ttier=front"]);
        assert_eq!(text, "Name:       web\nNamespace:  default\nPod Template:\n  Labels:  app=web\n           tier=front\n");
    }

    #[test]
    fn the_last_cell_is_not_padded_and_shorter_lines_end_a_column() {
        let text = page(&["  Type\tStatus\tReason", "  Available \tTrue\tEnough", "OldReplicaSets:\t<none>"]);
        assert_eq!(text, "  Type           Status  Reason\n  Available      True    Enough\nOldReplicaSets:  <none>\n");
    }

    #[test]
    fn tables_have_a_least_width_and_keep_it() {
        let mut writer = TabWriter::table();
        writer.line("A\tNAME");
        writer.line("1\tx");
        assert_eq!(writer.take(), "A     NAME\n1     x\n");
        writer.line("1234567\tx");
        assert_eq!(writer.take(), "1234567   x\n");
        writer.line("1\tx");
        assert_eq!(writer.take(), "1         x\n");
    }

    #[test]
    fn widths_count_characters() {
        assert_eq!(page(&["öäü\tx", "ab\ty"]), "öäü  x\nab   y\n");
    }
}
