//! How many of something each row of the node table has. Most rows have none of most things, so only the others are kept.

/// Row and number, by row; rows that have none are absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts(Vec<(u32, u32)>);

impl Counts {
    /// How many the row has.
    #[must_use]
    pub fn of(&self, row: usize) -> u32 {
        self.find(row).map_or(0, |at| self.0[at].1)
    }

    /// The rows that have some, and how many.
    pub fn iter(&self) -> impl Iterator<Item = (usize, u32)> {
        self.0.iter().map(|(row, count)| (*row as usize, *count))
    }

    /// Whether no row has any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Counts one more in a row.
    pub fn add(&mut self, row: usize) {
        match self.find(row) {
            Ok(at) => self.0[at].1 += 1,
            Err(at) => self.0.insert(at, (row as u32, 1)),
        }
    }

    /// Counts one less in a row.
    pub fn remove(&mut self, row: usize) {
        let Ok(at) = self.find(row) else { return };
        match &mut self.0[at].1 {
            1 => drop(self.0.remove(at)),
            count => *count -= 1,
        }
    }

    fn find(&self, row: usize) -> Result<usize, usize> {
        self.0.binary_search_by_key(&row, |(row, _)| *row as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_and_go() {
        let mut counts = Counts::default();
        [7, 3, 7].into_iter().for_each(|row| counts.add(row));
        assert_eq!(counts.iter().collect::<Vec<_>>(), [(3, 1), (7, 2)]);
        [7, 3, 3, 9].into_iter().for_each(|row| counts.remove(row));
        assert_eq!((counts.of(7), counts.of(3), counts.is_empty()), (1, 0, false));
    }
}
